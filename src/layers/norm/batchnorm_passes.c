/* Batch norm's backward passes over a batch (or a ghost batch) of samples, in the chunks of its
 * statistics, and which passes fit a tail; batchnorm.c has the formulas. */
#include "batchnorm_chunks.h"

#include "vector.h"

/* ---- backward -------------------------------------------------------------------------- */

/* Sums of dy and of dy * (x - mean) over `count` rows of `width` numbers; with relu only where y >
 * 0. wide: for a row of x that is in bfloat16. */
static void add_gradients(const job *j, nm_stored x, const real *restrict dy, int count, int width, real *restrict run,
                          real *restrict wide, double *restrict sum, double *restrict products)
{
    const real *restrict mean = j->mean, *restrict factor = j->factor, *restrict shift = j->shift;
    real *restrict run_product = run + (j->l.fold * j->l.channels);
    for (int first = 0; first < count; first += RUN) {
        int last = first + RUN < count ? first + RUN : count;
        memset(run, 0, (size_t)width * sizeof *run);
        memset(run_product, 0, (size_t)width * sizeof *run);
        for (int row = first; row < last; row++) {
            size_t at = (size_t)row * (size_t)width;
            const real *restrict r = nm_stored_read(&x, at, (size_t)width, wide), *restrict d = dy + at;
            if (j->relu)
                for (int i = 0; i < width; i++) {
                    real off = r[i] - mean[i], g = off * factor[i] + shift[i] > 0 ? d[i] : 0;
                    run[i] += g;
                    run_product[i] += g * off;
                }
            else
                for (int i = 0; i < width; i++) {
                    run[i] += d[i];
                    run_product[i] += d[i] * (r[i] - mean[i]);
                }
        }
        for (int i = 0; i < width; i++) {
            sum[i] += (double)run[i];
            products[i] += (double)run_product[i];
        }
    }
}

void NM_ISA(nm_batchnorm_chunk_sums)(const job *j, nm_stored x, const real *dy, int rows, void *scratch, double *part)
{
    const layout *l = &j->l;
    chunk_buffers b = chunk_buffers_in(scratch, l);
    int width = l->fold * l->channels, groups = rows / l->fold, rest = rows % l->fold;
    size_t done = (size_t)groups * (size_t)width;
    double *products = b.sum + width;
    memset(b.sum, 0, 2 * (size_t)width * sizeof *b.sum);
    add_gradients(j, x, dy, groups, width, b.more, b.row, b.sum, products);
    add_gradients(j, nm_stored_from(x, done), dy + done, rest, l->channels, b.more, b.row, b.sum, products);
    unfold(l, b.sum);
    unfold(l, products);
    memcpy(part, b.sum, (size_t)l->channels * sizeof *part);
    memcpy(part + l->channels, products, (size_t)l->channels * sizeof *part);
}

static void batchnorm_gradient_sums_task(void *arg, int task, int thread)
{
    const job *j = arg;
    size_t start = (size_t)task * (size_t)j->l.chunk_rows * (size_t)j->l.channels;
    NM_ISA(nm_batchnorm_chunk_sums)
    (j, nm_stored_from(j->x, start), j->p->dy + start, rows_of(&j->l, task), nm_thread_scratch(j->p, thread),
     partial(j->p, &j->l, task));
}

static void find_row_gradient(const job *j, const real *x, const real *dy, real *dx, int count)
{
    const real *restrict mean = j->mean, *restrict factor = j->factor, *restrict shift = j->shift;
    const real *restrict a = j->dy_factor, *restrict b = j->x_factor, *restrict k = j->constant;
    if (j->relu)
        NM_INDEPENDENT
    for (int i = 0; i < count; i++) {
        real off = x[i] - mean[i], g = off * factor[i] + shift[i] > 0 ? dy[i] : 0;
        dx[i] = g * a[i] + (off * b[i] + k[i]);
    }
    else NM_INDEPENDENT for (int i = 0; i < count; i++) dx[i] = dy[i] * a[i] + ((x[i] - mean[i]) * b[i] + k[i]);
}

void NM_ISA(nm_batchnorm_chunk_gradient)(const job *j, nm_stored x, const real *dy, real *dx, int rows, void *scratch)
{
    const chunk_buffers b = chunk_buffers_in(scratch, &j->l);
    size_t width = (size_t)(j->l.fold * j->l.channels), total = (size_t)rows * (size_t)j->l.channels;
    for (size_t at = 0; at < total; at += width) {
        size_t count = total - at < width ? total - at : width;
        find_row_gradient(j, nm_stored_read(&x, at, count, b.row), dy + at, dx + at, (int)count);
    }
}

static void batchnorm_input_gradient_task(void *arg, int task, int thread)
{
    const job *j = arg;
    size_t start = (size_t)task * (size_t)j->l.chunk_rows * (size_t)j->l.channels;
    NM_ISA(nm_batchnorm_chunk_gradient)
    (j, nm_stored_from(j->x, start), j->p->dy + start, j->p->dx[0] + start, rows_of(&j->l, task),
     nm_thread_scratch(j->p, thread));
}

typedef struct sum_job {
    const nm_pass *p;
    const layout *l;
    int width; /* numbers of a task */
} sum_job;

static void sum_chunks_task(void *arg, int task, int thread)
{
    (void)thread;
    const sum_job *j = arg;
    double *sum = partial(j->p, j->l, j->l->chunks);
    int first = task * j->width, last = first + j->width, all = 2 * j->l->channels;
    last = last < all ? last : all;
    memset(sum + first, 0, (size_t)(last - first) * sizeof *sum);
    for (int k = 0; k < j->l->chunks; k++)
        for (int i = first; i < last; i++)
            sum[i] += partial(j->p, j->l, k)[i];
}

const double *NM_ISA(nm_batchnorm_sum_chunks)(const nm_pass *p, const layout *l)
{
    sum_job j = {p, l, merged_at_once(l->chunks)};
    nm_parallel(p->threads, nm_ceil_div(2 * l->channels, j.width), sum_chunks_task, &j);
    return partial(p, l, l->chunks);
}

const double *NM_ISA(nm_batchnorm_sums)(const nm_pass *p, const nm_batch_normalisation *self)
{
    layout l = layout_of(p->n, p->xs[0]);
    job j = normalising_job(p, self, l, p->tail->rectifies);
    nm_parallel(p->threads, l.chunks, batchnorm_gradient_sums_task, &j);
    return NM_ISA(nm_batchnorm_sum_chunks)(p, &l);
}

/* dx = f * (dy - (sum + xhat * products / sd) / rows) with f = scale / sd, as three factors per
 * channel: tables 3 to 5. */
static void set_gradient_tables(const nm_pass *p, const layout *l, const double *sum, double rows)
{
    const double *products = sum + l->channels;
    moments m = moments_of(p);
    bool batch = p->mode == NM_TRAIN;
    real *a = tables(p, l, 3), *b = tables(p, l, 4), *k = tables(p, l, 5);
    for (int c = 0; c < l->channels; c++) {
        double factor = (double)m.factor[c], inverse = (double)m.inverse[c];
        a[c] = m.factor[c];
        b[c] = (real)(batch ? -factor * inverse * inverse * products[c] / rows : 0);
        k[c] = (real)(batch ? -factor * sum[c] / rows : 0);
    }
    for (int f = 1; f < l->fold; f++)
        for (int t = 3; t < 6; t++)
            memcpy(tables(p, l, t) + f * l->channels, tables(p, l, t), (size_t)l->channels * sizeof(real));
}

void NM_ISA(nm_batchnorm_set_gradients)(const nm_pass *p, const nm_batch_normalisation *self, const double *sum,
                                        double rows)
{
    layout l = layout_of(p->n, p->ys); /* of which channels alone count */
    const double *products = sum + l.channels;
    for (int c = 0; self->affine && c < l.channels; c++) {
        if (p->dw[self->scale])
            p->dw[self->scale][c] += (real)(products[c] * (double)moments_of(p).inverse[c]);
        if (p->dw[self->shift])
            p->dw[self->shift][c] += (real)sum[c];
    }
    set_gradient_tables(p, &l, sum, rows);
}

void NM_ISA(nm_batchnorm_find_gradients)(const nm_pass *p, const nm_batch_normalisation *self)
{
    const double *sum = NM_ISA(nm_batchnorm_sums_pass)(p->tail)(p, self);
    NM_ISA(nm_batchnorm_set_gradients)(p, self, sum, (double)p->n * p->xs[0].h * p->xs[0].w);
}

void NM_ISA(nm_batchnorm_join_gradients)(const nm_pass *p, const nm_batch_normalisation *self, const nm_shard_sums *all)
{
    layout l = layout_of(p->n, p->xs[0]);
    size_t count = 2 * (size_t)l.channels;
    double *sum = partial(p, &l, 0), samples = 0;
    memset(sum, 0, count * sizeof *sum);
    for (int k = 0; k < all->shards; k++) {
        samples += all->samples[k];
        for (size_t c = 0; c < count && all->samples[k]; c++)
            sum[c] += all->sums[(size_t)k * count + c];
    }
    NM_ISA(nm_batchnorm_set_gradients)(p, self, sum, samples * p->xs[0].h * p->xs[0].w);
}

void NM_ISA(nm_batchnorm_gradient)(const nm_pass *p, const nm_batch_normalisation *self)
{
    job j = gradient_job(p, self, layout_of(p->n, p->xs[0]), p->tail->rectifies);
    nm_parallel(p->threads, j.l.chunks, batchnorm_input_gradient_task, &j);
}

void NM_ISA(nm_batchnorm_reserve)(int n, nm_shape s, size_t *saved, size_t *scratch, size_t *thread_scratch)
{
    layout l = layout_of(n, s);
    *saved = NM_BATCHNORM_SAVED * (size_t)s.c * sizeof(real);
    *scratch = scratch_size(&l, most_chunks(&l));
    *thread_scratch = buffers_size(&l);
}

/* ---- the passes that fit a tail ---------------------------------------------------------- */

nm_batchnorm_pass *NM_ISA(nm_batchnorm_forward_pass)(const nm_tail *tail)
{
    return tail->pools  ? NM_ISA(nm_batchnorm_pool_forward)
           : tail->adds ? NM_ISA(nm_batchnorm_add_forward)
                        : NM_ISA(nm_batchnorm_normalise);
}

nm_batchnorm_summing *NM_ISA(nm_batchnorm_sums_pass)(const nm_tail *tail)
{
    return tail->pools  ? NM_ISA(nm_batchnorm_pool_sums)
           : tail->adds ? NM_ISA(nm_batchnorm_add_sums)
                        : NM_ISA(nm_batchnorm_sums);
}

nm_batchnorm_pass *NM_ISA(nm_batchnorm_gradient_pass)(const nm_tail *tail)
{
    return tail->pools  ? NM_ISA(nm_batchnorm_pool_gradient)
           : tail->adds ? NM_ISA(nm_batchnorm_add_gradient)
                        : NM_ISA(nm_batchnorm_gradient);
}

void NM_ISA(nm_batchnorm_reserve_all)(const nm_tail *tail, int n, nm_shape s, size_t *saved, size_t *scratch,
                                      size_t *thread_scratch)
{
    NM_ISA(nm_batchnorm_reserve)(n, s, saved, scratch, thread_scratch);
    if (tail->adds)
        NM_ISA(nm_batchnorm_add_reserve)(n, s, thread_scratch);
    if (tail->pools)
        NM_ISA(nm_batchnorm_pool_reserve)(n, s, scratch, thread_scratch);
}
