/* Batch norm's statistics over a batch (or a ghost batch) of samples; batchnorm.c has the formulas.
 *
 * Rows (pixels of all samples) are cut into chunks by shape alone. Each chunk leaves (mean, sum of
 * squared deviations), computed in two passes about the chunk's first row, and these are merged in
 * the chunks' order: no E[x^2] - E[x]^2 anywhere, and a constant channel has exactly its value as
 * mean, so that y is exactly the shift. */
#include "batchnorm_chunks.h"

#include <math.h>

/* ---- a chunk ------------------------------------------------------------------------------- */

/* Of `count` rows of `width` numbers: sums of x - pivot, or of their squares, added to `sum`. wide:
 * for a row that is in bfloat16. */
static void add_deviations(nm_stored x, int count, int width, const real *restrict pivot, bool squares,
                           real *restrict run, real *restrict wide, double *restrict sum)
{
    for (int first = 0; first < count; first += RUN) {
        int last = first + RUN < count ? first + RUN : count;
        memset(run, 0, (size_t)width * sizeof *run);
        for (int row = first; row < last; row++) {
            const real *restrict r = nm_stored_read(&x, (size_t)row * (size_t)width, (size_t)width, wide);
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

/* One sum per channel over a chunk: whole groups of rows side by side, then the rows left over. */
static void chunk_sum(const layout *l, nm_stored x, int rows, const chunk_buffers *b, bool squares)
{
    int width = l->fold * l->channels, groups = rows / l->fold, rest = rows % l->fold;
    memset(b->sum, 0, (size_t)width * sizeof *b->sum);
    add_deviations(x, groups, width, b->pivot, squares, b->run, b->row, b->sum);
    add_deviations(nm_stored_from(x, (size_t)groups * (size_t)width), rest, l->channels, b->pivot, squares, b->run,
                   b->row, b->sum);
    unfold(l, b->sum);
}

void NM_ISA(nm_batchnorm_chunk_statistics)(const layout *l, nm_stored x, int rows, void *scratch, double *part)
{
    chunk_buffers b = chunk_buffers_in(scratch, l);
    int channels = l->channels;
    double *mean = part, *squares = mean + channels;
    spread(l, nm_stored_read(&x, 0, (size_t)channels, b.row), b.pivot);
    chunk_sum(l, x, rows, &b, false);
    for (int c = 0; c < channels; c++) {
        mean[c] = (double)b.pivot[c] + b.sum[c] / rows;
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

static void batchnorm_statistics_task(void *arg, int task, int thread)
{
    const nm_pass *p = arg;
    layout l = layout_of(p->n, p->xs[0]);
    const nm_stored x = nm_stored_from(nm_stored_of(p->x[0], p->bf16 & NM_BF16_X),
                                       (size_t)task * (size_t)l.chunk_rows * (size_t)l.channels);
    NM_ISA(nm_batchnorm_chunk_statistics)(&l, x, rows_of(&l, task), nm_thread_scratch(p, thread), partial(p, &l, task));
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* Results of chunks of a batch: of rows[k] pixels, mean and sum of squared deviations at of[k * 2 *
 * channels]. */
typedef struct chunks {
    int count, channels;
    const double *of, *rows;
    const layout *l; /* rows NULL: the chunks are those of this layout */
} chunks;

static double rows_at(const chunks *s, int k)
{
    return s->rows ? s->rows[k] : rows_of(s->l, k);
}

typedef struct merge_job {
    const chunks *s;
    int width;  /* channels of a task */
    double all; /* rows */
    double *mean, *var;
} merge_job;

/* Merges the chunks in some channels: their means weighted by their rows, and (Chan et al. 1979)
 * M2 = sum of M2_k + sum of rows_k * (mean_k - mean)^2. */
static void merge_task(void *arg, int task, int thread)
{
    (void)thread;
    const merge_job *j = arg;
    const chunks *s = j->s;
    double *mean = j->mean, *var = j->var;
    int first = task * j->width, last = first + j->width < s->channels ? first + j->width : s->channels;
    for (int c = first; c < last; c++)
        mean[c] = var[c] = 0;
    for (int k = 0; k < s->count; k++) {
        const double *part = s->of + (size_t)k * 2 * (size_t)s->channels;
        double share = rows_at(s, k) / j->all;
        for (int c = first; c < last; c++)
            mean[c] += share * (part[c] - s->of[c]);
    }
    for (int c = first; c < last; c++)
        mean[c] += s->of[c];
    for (int k = 0; k < s->count; k++) {
        const double *part = s->of + (size_t)k * 2 * (size_t)s->channels;
        double rows = rows_at(s, k);
        for (int c = first; c < last; c++)
            var[c] += part[s->channels + c] + rows * (part[c] - mean[c]) * (part[c] - mean[c]);
    }
    for (int c = first; c < last; c++)
        var[c] /= j->all;
}

static void merge(int threads, const chunks *s, double *mean, double *var)
{
    merge_job j = {.s = s, .width = merged_at_once(s->count), .mean = mean, .var = var};
    for (int k = 0; k < s->count; k++)
        j.all += rows_at(s, k);
    nm_parallel(threads, nm_ceil_div(s->channels, j.width), merge_task, &j);
}

static void set_moments(const nm_pass *p, const nm_batch_normalisation *self, const double *mean, const double *var)
{
    moments m = moments_of(p);
    for (int c = 0; c < p->ys.c; c++) {
        double inverse = 1 / sqrt(var[c] + self->epsilon);
        m.mean[c] = (real)mean[c];
        m.inverse[c] = (real)inverse;
        m.factor[c] = (real)(inverse * (self->affine ? (double)p->w[self->scale][c] : 1));
        m.shift[c] = self->affine ? p->w[self->shift][c] : 0;
    }
}

/* Of a variance over so many rows (pixels of all samples). */
static double unbiased(double rows)
{
    return rows > 1 ? rows / (rows - 1) : 1;
}

/* By a mean, and `scale` times a variance. */
static void update_running(const nm_pass *p, const nm_batch_normalisation *self, double scale, double rate,
                           const double *mean, const double *var)
{
    real *running_mean = p->w[self->running_mean], *running_var = p->w[self->running_var];
    for (int c = 0; c < p->ys.c; c++) {
        running_mean[c] = (real)((1 - rate) * (double)running_mean[c] + rate * mean[c]);
        running_var[c] = (real)((1 - rate) * (double)running_var[c] + rate * scale * var[c]);
    }
}

static void finish_statistics(const nm_pass *p, const nm_batch_normalisation *self, const layout *l, const chunks *s,
                              double rate)
{
    double *mean = partial(p, l, l->chunks), *var = mean + l->channels, rows = 0;
    for (int k = 0; k < s->count; k++)
        rows += rows_at(s, k);
    merge(p->threads, s, mean, var);
    update_running(p, self, unbiased(rows), rate, mean, var);
    set_moments(p, self, mean, var);
}

static chunks chunks_of(const nm_pass *p, const layout *l)
{
    return (chunks){.count = l->chunks, .channels = l->channels, .of = partial(p, l, 0), .l = l};
}

void NM_ISA(nm_batchnorm_merge)(const nm_pass *p, const nm_batch_normalisation *self, const layout *l, double rate)
{
    chunks all = chunks_of(p, l);
    finish_statistics(p, self, l, &all, rate);
}

void NM_ISA(nm_batchnorm_merge_chunks)(const nm_pass *p, const nm_batch_normalisation *self, int count,
                                       const double *of, const double *rows, double rate)
{
    layout l = layout_of(p->n, p->xs[0]);
    finish_statistics(p, self, &l, &(chunks){.count = count, .channels = l.channels, .of = of, .rows = rows}, rate);
}

void NM_ISA(nm_batchnorm_find_moments)(const nm_pass *p, double *sums)
{
    layout l = layout_of(p->n, p->xs[0]);
    chunks all = chunks_of(p, &l);
    nm_parallel(p->threads, l.chunks, batchnorm_statistics_task, (void *)p);
    merge(p->threads, &all, sums, sums + l.channels);
    for (int c = 0; c < l.channels; c++)
        sums[l.channels + c] *= l.rows;
}

void NM_ISA(nm_batchnorm_join_moments)(const nm_pass *p, const nm_batch_normalisation *self, const nm_shard_sums *all,
                                       double rate)
{
    double rows[NM_MOST_SHARDS];
    int count = 0; /* those that there are come first */
    while (count < all->shards && all->samples[count] > 0) {
        rows[count] = (double)all->samples[count] * p->xs[0].h * p->xs[0].w;
        count++;
    }
    NM_ISA(nm_batchnorm_merge_chunks)(p, self, count, all->sums, rows, rate);
}

void NM_ISA(nm_batchnorm_ghost_moments)(const nm_pass *p, const nm_batch_normalisation *self, double *sums)
{
    layout l = layout_of(p->n, p->xs[0]);
    chunks all = chunks_of(p, &l);
    double *mean = partial(p, &l, l.chunks), *var = mean + l.channels;
    nm_parallel(p->threads, l.chunks, batchnorm_statistics_task, (void *)p);
    merge(p->threads, &all, mean, var);
    set_moments(p, self, mean, var);
    for (int c = 0; c < l.channels; c++) {
        sums[c] += mean[c];
        sums[l.channels + c] += unbiased(l.rows) * var[c];
    }
}

void NM_ISA(nm_batchnorm_join_ghosts)(const nm_pass *p, const nm_batch_normalisation *self, const nm_shard_sums *all,
                                      int ghosts, double rate)
{
    layout l = layout_of(p->n, p->xs[0]);
    double *average = partial(p, &l, 0); /* [2][channels] */
    int count = 2 * l.channels;
    memset(average, 0, (size_t)count * sizeof *average);
    for (int shard = 0; shard < all->shards && all->samples[shard] > 0; shard++)
        for (int i = 0; i < count; i++)
            average[i] += all->sums[(size_t)shard * (size_t)count + (size_t)i];
    for (int i = 0; i < count; i++)
        average[i] /= ghosts;
    update_running(p, self, 1, rate, average, average + l.channels);
}

void NM_ISA(nm_batchnorm_statistics)(const nm_pass *p, const nm_batch_normalisation *self, double rate)
{
    layout l = layout_of(p->n, p->xs[0]);
    if (p->mode == NM_TRAIN) {
        nm_parallel(p->threads, l.chunks, batchnorm_statistics_task, (void *)p);
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
