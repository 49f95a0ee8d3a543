/* Batch norm's passes over a batch (or a ghost batch) of samples; batchnorm.c has the formulas.
 *
 * Rows (pixels of all samples) are cut into chunks by shape alone. Each chunk leaves (mean, sum of squared
 * deviations), computed in two passes about the chunk's first row, and these are merged in the chunks' order: no
 * E[x^2] - E[x]^2 anywhere, and a constant channel has exactly its value as mean, so that y is exactly the shift. */
#include "batchnorm_chunks.h"

#include <math.h>

/* ---- statistics ------------------------------------------------------------------------ */

/* Of `count` rows of `width` numbers: sums of x - pivot, or of their squares, added to `sum`. */
static void add_deviations(const real *restrict x, int count, int width, const real *restrict pivot, bool squares,
                           real *restrict run, double *restrict sum)
{
    for (int first = 0; first < count; first += RUN) {
        int last = first + RUN < count ? first + RUN : count;
        memset(run, 0, (size_t)width * sizeof *run);
        for (int row = first; row < last; row++) {
            const real *restrict r = x + (size_t)row * (size_t)width;
            if (squares)
                for (int i = 0; i < width; i++)
                    run[i] += (r[i] - pivot[i]) * (r[i] - pivot[i]);
            else
                for (int i = 0; i < width; i++)
                    run[i] += r[i] - pivot[i];
        }
        for (int i = 0; i < width; i++)
            sum[i] += (double)run[i];
    }
}

typedef struct buffers {
    double *sum;        /* [2][width] */
    real *run, *pivot;  /* [width]; pivot also serves as a second run */
    real *more;         /* [2][width] */
} buffers;

static buffers buffers_in(void *scratch, const layout *l)
{
    size_t width = (size_t)(l->fold * l->channels);
    double *sum = scratch;
    real *run = (real *)(sum + 2 * width);
    return (buffers){sum, run, run + width, run + 2 * width};
}

/* One sum per channel over a chunk: whole groups of rows side by side, then the rows left over. */
static void chunk_sum(const layout *l, const real *x, int rows, const buffers *b, bool squares)
{
    int width = l->fold * l->channels, groups = rows / l->fold, rest = rows % l->fold;
    memset(b->sum, 0, (size_t)width * sizeof *b->sum);
    add_deviations(x, groups, width, b->pivot, squares, b->run, b->sum);
    add_deviations(x + (size_t)groups * (size_t)width, rest, l->channels, b->pivot, squares, b->run, b->sum);
    unfold(l, b->sum);
}

void NM_ISA(nm_batchnorm_chunk_statistics)(const layout *l, const real *x, int rows, void *scratch, double *part)
{
    buffers b = buffers_in(scratch, l);
    int channels = l->channels;
    double *mean = part, *squares = mean + channels;
    spread(l, x, b.pivot);
    chunk_sum(l, x, rows, &b, false);
    for (int c = 0; c < channels; c++) {
        mean[c] = (double)x[c] + b.sum[c] / rows;
        b.more[c] = (real)mean[c];
    }
    spread(l, b.more, b.pivot);
    chunk_sum(l, x, rows, &b, true);
    for (int c = 0; c < channels; c++) {
        double off = mean[c] - (double)b.more[c]; /* the pivot is the mean rounded to `real` */
        double sum = b.sum[c] - rows * off * off;
        squares[c] = sum > 0 ? sum : 0;
    }
}

static void statistics_task(void *arg, int task, int thread)
{
    const nm_pass *p = arg;
    layout l = layout_of(p->n, p->xs[0]);
    const real *x = p->x[0] + (size_t)task * (size_t)l.chunk_rows * (size_t)l.channels;
    NM_ISA(nm_batchnorm_chunk_statistics)(&l, x, rows_of(&l, task), nm_thread_scratch(p, thread), partial(p, &l, task));
}

/* Results of pieces of a batch: of rows[k] pixels, mean and sum of squared deviations at of[k * 2 * channels]. */
typedef struct pieces {
    int count, channels;
    const double *of, *rows;
    const layout *l; /* rows NULL: pieces are its chunks */
} pieces;

static double rows_at(const pieces *s, int k)
{
    return s->rows ? s->rows[k] : rows_of(s->l, k);
}

/* Merges the pieces: their means weighted by their rows, and (Chan et al. 1979)
 * M2 = sum of M2_k + sum of rows_k * (mean_k - mean)^2. */
static void merge(const pieces *s, double *mean, double *var)
{
    int channels = s->channels;
    double all = 0;
    memset(mean, 0, (size_t)channels * sizeof *mean);
    for (int k = 0; k < s->count; k++)
        all += rows_at(s, k);
    for (int k = 0; k < s->count; k++) {
        const double *part = s->of + (size_t)k * 2 * (size_t)channels;
        double share = rows_at(s, k) / all;
        for (int c = 0; c < channels; c++)
            mean[c] += share * (part[c] - s->of[c]);
    }
    for (int c = 0; c < channels; c++) {
        mean[c] += s->of[c];
        var[c] = 0;
    }
    for (int k = 0; k < s->count; k++) {
        const double *part = s->of + (size_t)k * 2 * (size_t)channels;
        double rows = rows_at(s, k);
        for (int c = 0; c < channels; c++)
            var[c] += part[channels + c] + rows * (part[c] - mean[c]) * (part[c] - mean[c]);
    }
    for (int c = 0; c < channels; c++)
        var[c] /= all;
}

/* ---- forward --------------------------------------------------------------------------- */

static void set_moments(const nm_pass *p, const nm_batchnorm *self, const double *mean, const double *var)
{
    moments m = moments_of(p);
    for (int c = 0; c < p->ys.c; c++) {
        double inverse = 1 / sqrt(var[c] + self->epsilon);
        m.mean[c] = (real)mean[c];
        m.inverse[c] = (real)inverse;
        m.factor[c] = (real)(inverse * (self->affine ? (double)p->w[self->scale][c] : 1));
    }
}

static void update_running(const nm_pass *p, const nm_batchnorm *self, const layout *l, double rate, const double *mean,
                           const double *var)
{
    double unbiased = l->rows > 1 ? (double)l->rows / (l->rows - 1) : 1;
    real *running_mean = p->w[self->running_mean], *running_var = p->w[self->running_var];
    for (int c = 0; c < l->channels; c++) {
        running_mean[c] = (real)((1 - rate) * (double)running_mean[c] + rate * mean[c]);
        running_var[c] = (real)((1 - rate) * (double)running_var[c] + rate * unbiased * var[c]);
    }
}

static void normalise(const real *x, real *y, int width, const real *restrict mean, const real *restrict factor,
                      const real *restrict shift, bool relu)
{
    if (relu)
        NM_INDEPENDENT
        for (int i = 0; i < width; i++) {
            real value = (x[i] - mean[i]) * factor[i] + shift[i];
            y[i] = value > 0 ? value : value != value ? value : 0;
        }
    else
        NM_INDEPENDENT
        for (int i = 0; i < width; i++)
            y[i] = (x[i] - mean[i]) * factor[i] + shift[i];
}

void NM_ISA(nm_batchnorm_chunk_normalise)(const job *j, const real *x, real *y, int rows)
{
    int width = j->l.fold * j->l.channels;
    for (int left = rows * j->l.channels; left > 0; left -= width, x += width, y += width)
        normalise(x, y, left < width ? left : width, j->mean, j->factor, j->shift, j->relu);
}

static void normalise_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t start = (size_t)task * (size_t)j->l.chunk_rows * (size_t)j->l.channels;
    NM_ISA(nm_batchnorm_chunk_normalise)(j, j->p->x[0] + start, j->p->y + start, rows_of(&j->l, task));
}

static void take_pieces(const nm_pass *p, const nm_batchnorm *self, const layout *l, const pieces *s, double rate)
{
    double *mean = partial(p, l, l->chunks), *var = mean + l->channels;
    merge(s, mean, var);
    update_running(p, self, l, rate, mean, var);
    set_moments(p, self, mean, var);
}

void NM_ISA(nm_batchnorm_merge)(const nm_pass *p, const nm_batchnorm *self, const layout *l, double rate)
{
    take_pieces(p, self, l, &(pieces){.count = l->chunks, .channels = l->channels, .of = partial(p, l, 0), .l = l}, rate);
}

void NM_ISA(nm_batchnorm_merge_pieces)(const nm_pass *p, const nm_batchnorm *self, int count, const double *of,
                                       const double *rows, double rate)
{
    layout l = layout_of(p->n, p->xs[0]);
    take_pieces(p, self, &l, &(pieces){.count = count, .channels = l.channels, .of = of, .rows = rows}, rate);
}

void NM_ISA(nm_batchnorm_statistics)(const nm_pass *p, const nm_batchnorm *self, double rate)
{
    layout l = layout_of(p->n, p->xs[0]);
    if (p->mode == NM_TRAIN) {
        nm_parallel(p->threads, l.chunks, statistics_task, (void *)p);
        NM_ISA(nm_batchnorm_merge)(p, self, &l, rate);
        return;
    }
    double *mean = partial(p, &l, l.chunks), *var = mean + l.channels;
    for (int c = 0; c < l.channels; c++) {
        mean[c] = (double)p->w[self->running_mean][c];
        var[c] = (double)p->w[self->running_var][c];
    }
    set_moments(p, self, mean, var);
}

void NM_ISA(nm_batchnorm_normalise)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after)
{
    layout l = layout_of(p->n, p->xs[0]);
    job j = normalising_job(p, self, l, after->relu);
    nm_parallel(p->threads, l.chunks, normalise_task, &j);
}

/* ---- backward -------------------------------------------------------------------------- */

/* Sums of dy and of dy * (x - mean) over `count` rows of `width` numbers; with relu only where y > 0. */
static void add_gradients(const job *j, const real *restrict x, const real *restrict dy, int count, int width,
                          real *restrict run, double *restrict sum, double *restrict products)
{
    const real *restrict mean = j->mean, *restrict factor = j->factor, *restrict shift = j->shift;
    real *restrict run_product = run + (j->l.fold * j->l.channels);
    for (int first = 0; first < count; first += RUN) {
        int last = first + RUN < count ? first + RUN : count;
        memset(run, 0, (size_t)width * sizeof *run);
        memset(run_product, 0, (size_t)width * sizeof *run);
        for (int row = first; row < last; row++) {
            const real *restrict r = x + (size_t)row * (size_t)width, *restrict d = dy + (size_t)row * (size_t)width;
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

void NM_ISA(nm_batchnorm_chunk_sums)(const job *j, const real *x, const real *dy, int rows, void *scratch, double *part)
{
    const layout *l = &j->l;
    buffers b = buffers_in(scratch, l);
    int width = l->fold * l->channels, groups = rows / l->fold, rest = rows % l->fold;
    size_t done = (size_t)groups * (size_t)width;
    double *products = b.sum + width;
    memset(b.sum, 0, 2 * (size_t)width * sizeof *b.sum);
    add_gradients(j, x, dy, groups, width, b.more, b.sum, products);
    add_gradients(j, x + done, dy + done, rest, l->channels, b.more, b.sum, products);
    unfold(l, b.sum);
    unfold(l, products);
    memcpy(part, b.sum, (size_t)l->channels * sizeof *part);
    memcpy(part + l->channels, products, (size_t)l->channels * sizeof *part);
}

static void gradient_sums_task(void *arg, int task, int thread)
{
    const job *j = arg;
    size_t start = (size_t)task * (size_t)j->l.chunk_rows * (size_t)j->l.channels;
    NM_ISA(nm_batchnorm_chunk_sums)(j, j->p->x[0] + start, j->p->dy + start, rows_of(&j->l, task),
                                    nm_thread_scratch(j->p, thread), partial(j->p, &j->l, task));
}

void NM_ISA(nm_batchnorm_chunk_gradient)(const job *j, const real *x, const real *dy, real *dx, int rows)
{
    int width = j->l.fold * j->l.channels, total = rows * j->l.channels;
    const real *restrict mean = j->mean, *restrict factor = j->factor, *restrict shift = j->shift;
    const real *restrict a = j->dy_factor, *restrict b = j->x_factor, *restrict k = j->constant;
    for (int left = total; left > 0; left -= width, x += width, dy += width, dx += width) {
        int count = left < width ? left : width;
        if (j->relu)
            NM_INDEPENDENT
            for (int i = 0; i < count; i++) {
                real off = x[i] - mean[i], g = off * factor[i] + shift[i] > 0 ? dy[i] : 0;
                dx[i] = g * a[i] + (off * b[i] + k[i]);
            }
        else
            NM_INDEPENDENT
            for (int i = 0; i < count; i++)
                dx[i] = dy[i] * a[i] + ((x[i] - mean[i]) * b[i] + k[i]);
    }
}

static void input_gradient_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t start = (size_t)task * (size_t)j->l.chunk_rows * (size_t)j->l.channels;
    NM_ISA(nm_batchnorm_chunk_gradient)(j, j->p->x[0] + start, j->p->dy + start, j->p->dx[0] + start, rows_of(&j->l, task));
}

void NM_ISA(nm_batchnorm_backward)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after)
{
    layout l = layout_of(p->n, p->xs[0]);
    job j = normalising_job(p, self, l, after->relu);
    nm_parallel(p->threads, l.chunks, gradient_sums_task, &j);
    const double *sum = merge_gradients(&j, &l);
    if (!p->dx[0])
        return;
    set_gradient_tables(&j, sum, sum + l.channels);
    nm_parallel(p->threads, l.chunks, input_gradient_task, &j);
}

void NM_ISA(nm_batchnorm_book)(int n, nm_shape s, size_t *saved, size_t *scratch, size_t *thread_scratch)
{
    layout l = layout_of(n, s);
    *saved = 3 * (size_t)s.c * sizeof(real);
    *scratch = scratch_size(&l, l.chunks);
    *thread_scratch = buffers_size(&l);
}
