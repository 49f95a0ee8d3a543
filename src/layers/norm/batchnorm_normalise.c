/* Batch norm going forward: values normalised from where they lie to where they are read, kept or
 * streamed; batchnorm.c has the formulas. */
#include "batchnorm_chunks.h"

/* `lanes` channels from `channel` on, of one pixel: v to y. */
static inline void normalise(const nm_lazy_normalisation *by, int channel, const int lanes, nm_vector v, real *y)
{
    nm_vector mean, factor, shift;
    nm_vector_load(&mean, by->mean + channel, lanes);
    nm_vector_load(&factor, by->factor + channel, lanes);
    nm_vector_load(&shift, by->shift + channel, lanes);
    v = (v - mean) * factor + shift;
    if (by->relu)
        nm_vector_positive(&v);
    nm_vector_store(y + channel, &v, lanes);
}

static inline void read_lanes(const nm_lazy_normalisation *by, int channel, const int lanes, const nm_stored *x,
                              size_t pixel, real *y)
{
    nm_vector v;
    nm_stored_load(&v, x, pixel + (size_t)channel, lanes);
    if (by->mean)
        normalise(by, channel, lanes, v, y);
    else
        nm_vector_store(y + channel, &v, lanes);
}

void NM_ISA(nm_batchnorm_read)(const nm_lazy_normalisation *by, int channels, nm_stored x, int pixels, real *y)
{
    for (size_t pixel = 0; pixels > 0; pixels--, pixel += (size_t)channels, y += channels) {
        int c = 0;
        for (; c + NM_VECTOR <= channels; c += NM_VECTOR)
            read_lanes(by, c, NM_VECTOR, &x, pixel, y);
        if (c < channels)
            read_lanes(by, c, channels - c, &x, pixel, y);
    }
}

/* Normalised numbers, `at` in a row, and `other`'s, where there is one. */
static inline void add_normalised(const job *j, int at, int lanes, const nm_stored *other, size_t i, nm_vector *v)
{
    nm_vector mean, factor, shift, more;
    nm_vector_load(&mean, j->mean + at, lanes);
    nm_vector_load(&factor, j->factor + at, lanes);
    nm_vector_load(&shift, j->shift + at, lanes);
    *v = (*v - mean) * factor + shift;
    if (other->reals || other->halves) {
        nm_stored_load(&more, other, i, lanes);
        *v += more;
    }
    if (j->relu)
        nm_vector_positive(v);
}

/* Normalised past the caches. */
static void stream(const job *j, nm_stored x, nm_stored other, real *y, int count)
{
    const int width = j->l.fold * j->l.channels;
    for (int i = 0, at = 0; i < count; i += NM_VECTOR, at = at + NM_VECTOR < width ? at + NM_VECTOR : 0) {
        nm_vector v;
        nm_stored_load(&v, &x, (size_t)i, NM_VECTOR);
        add_normalised(j, at, NM_VECTOR, &other, (size_t)i, &v);
        nm_vector_stream(y + i, &v);
    }
    nm_vector_settle();
}

/* Normalised to bfloat16. */
static void narrow(const job *j, nm_stored x, nm_stored other, nm_stored y, int count)
{
    const int width = j->l.fold * j->l.channels;
    for (int i = 0, at = 0, lanes; i < count; i += lanes, at = at + lanes < width ? at + lanes : 0) {
        int left = width - at < count - i ? width - at : count - i;
        nm_vector v;
        lanes = left < NM_VECTOR ? left : NM_VECTOR;
        nm_stored_load(&v, &x, (size_t)i, lanes);
        add_normalised(j, at, lanes, &other, (size_t)i, &v);
        nm_stored_store(&y, (size_t)i, &v, lanes);
    }
}

bool NM_ISA(nm_batchnorm_chunk_passes)(const job *j, nm_stored x, nm_stored other, nm_stored y, int rows)
{
    if (y.halves)
        narrow(j, x, other, y, rows * j->l.channels);
    else if (nm_vector_streams((size_t)j->l.rows, j->l.channels))
        stream(j, x, other, y.reals, rows * j->l.channels);
    else
        return false;
    return true;
}

void NM_ISA(nm_batchnorm_chunk_normalise)(const job *j, nm_stored x, real *y, int rows)
{
    int width = j->l.fold * j->l.channels, groups = rows / j->l.fold;
    size_t done = (size_t)groups * (size_t)width;
    nm_lazy_normalisation by = {.mean = j->mean, .factor = j->factor, .shift = j->shift, .relu = j->relu};
    NM_ISA(nm_batchnorm_read)(&by, width, x, groups, y);
    NM_ISA(nm_batchnorm_read)(&by, j->l.channels, nm_stored_from(x, done), rows % j->l.fold, y + done);
}

static void batchnorm_normalise_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t start = (size_t)task * (size_t)j->l.chunk_rows * (size_t)j->l.channels;
    const nm_stored x = nm_stored_from(j->x, start), y = nm_stored_from(j->y, start);
    if (!NM_ISA(nm_batchnorm_chunk_passes)(j, x, (nm_stored){0}, y, rows_of(&j->l, task)))
        NM_ISA(nm_batchnorm_chunk_normalise)(j, x, y.reals, rows_of(&j->l, task));
}

void NM_ISA(nm_batchnorm_normalise)(const nm_pass *p, const nm_batch_normalisation *self)
{
    layout l = layout_of(p->n, p->xs[0]);
    job j = normalising_job(p, self, l, p->tail->rectifies);
    nm_parallel(p->threads, l.chunks, batchnorm_normalise_task, &j);
}

void NM_ISA(nm_batchnorm_lazy_normalisation)(const nm_pass *p, nm_lazy_normalisation *out)
{
    moments m = moments_of(p);
    *out = (nm_lazy_normalisation){.x = p->x[0],
                                   .bf16 = p->bf16 & NM_BF16_X,
                                   .mean = m.mean,
                                   .factor = m.factor,
                                   .shift = m.shift,
                                   .relu = p->tail->rectifies};
}
