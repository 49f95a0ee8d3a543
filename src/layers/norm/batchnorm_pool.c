/* Batch norm's passes where a max pool of 2x2 behind it (and a relu between them, where asked) is
 * done too: the normalised values are never written, only the largest of each window; backward
 * finds it again from x. Heights and widths are even, so that windows tile the image. */
#include "batchnorm_chunks.h"

#include "vector.h"

/* A chunk here: some rows of windows. */
typedef struct windows {
    int across, rows, channels; /* windows in a row; rows of windows of all samples */
    int chunk_rows;
    layout l; /* of the results: chunks are these */
} windows;

static windows windows_of(int n, nm_shape s)
{
    windows w = {.across = s.w / 2, .rows = n * s.h / 2, .channels = s.c, .l = layout_of(n, s)};
    w.chunk_rows = CHUNK / (2 * s.w * s.c);
    w.chunk_rows = w.chunk_rows < 1 ? 1 : w.chunk_rows;
    w.l.chunks = nm_ceil_div(w.rows, w.chunk_rows);
    return w;
}

static size_t windows_scratch(int n, nm_shape s)
{
    windows w = windows_of(n, s);
    return scratch_size(&w.l, w.l.chunks);
}

typedef struct pool_job {
    job j;
    windows w;
} pool_job;

/* A chunk's first row of windows, and how many it has. */
static int rows_at(const windows *w, int task, int *first)
{
    *first = task * w->chunk_rows;
    return w->rows - *first < w->chunk_rows ? w->rows - *first : w->chunk_rows;
}
/* Numbers of y, and of x, before a row of windows. */
static size_t windows_before(const windows *w, int row)
{
    return (size_t)row * (size_t)w->across * (size_t)w->channels;
}
static size_t pixels_before(const windows *w, int row)
{
    return 4 * windows_before(w, row);
}

/* ---- one window, some channels ----------------------------------------------------------- */

enum { AT_ONCE = NM_VECTOR };

/* The window's four pixels: their distances from the mean. */
NM_INLINE void offsets(const nm_stored *x, size_t at, size_t step, size_t below, const real *mean, int lanes,
                       nm_vector off[4])
{
    nm_vector m;
    nm_vector_load(&m, mean, lanes);
    for (int k = 0; k < 4; k++) {
        nm_stored_load(&off[k], x, at + (size_t)(k / 2) * below + (size_t)(k % 2) * step, lanes);
        off[k] -= m;
    }
}

/* Which pixel has the largest normalised value, the first of equals (NaN wins): `right` of the
 * upper and of the lower two, then `lower`. And that value. */
typedef struct winner {
    nm_mask right[2], lower;
    nm_vector most;
} winner;

/* Looks at `lanes` channels from c on of the window at number `at` of x; also gives the pixels'
 * distances from the mean. */
NM_INLINE void find_winner(const job *j, const nm_stored *x, size_t at, size_t step, size_t below, int c, int lanes,
                           nm_vector off[4], winner *w)
{
    nm_vector factor, shift, v[4], best[2];
    offsets(x, at + (size_t)c, step, below, j->mean + c, lanes, off);
    nm_vector_load(&factor, j->factor + c, lanes);
    nm_vector_load(&shift, j->shift + c, lanes);
    for (int k = 0; k < 4; k++)
        v[k] = off[k] * factor + shift;
    for (int row = 0; row < 2; row++) {
        const nm_vector *a = &v[2 * row], *b = &v[2 * row + 1];
        w->right[row] = (*b > *a) | (*b != *b);
        best[row] = NM_SELECT(w->right[row], *b, *a);
    }
    w->lower = (best[1] > best[0]) | (best[1] != best[1]);
    w->most = NM_SELECT(w->lower, best[1], best[0]);
}

NM_INLINE void window_max(const job *j, const nm_stored *x, size_t at, size_t step, size_t below, int c, int lanes,
                          const nm_stored *y, size_t to)
{
    nm_vector off[4];
    winner w;
    find_winner(j, x, at, step, below, c, lanes, off, &w);
    if (j->relu)
        w.most = NM_SELECT((w.most > 0) | (w.most != w.most), w.most, (nm_vector){0});
    nm_stored_store(y, to + (size_t)c, &w.most, lanes);
}

/* What of dy passes: g; with relu, nothing where no value is above zero. */
NM_INLINE void passing(const job *j, const real *dy, int lanes, const winner *w, nm_vector *g)
{
    nm_vector_load(g, dy, lanes);
    if (j->relu)
        *g = NM_SELECT(w->most > 0, *g, (nm_vector){0});
}

/* Adds g, and g times the winner's distance from the mean. */
NM_INLINE void add_window(const job *j, const nm_stored *x, size_t at, size_t step, size_t below, int c, int lanes,
                          const real *dy, real *run, real *products)
{
    nm_vector off[4], g, sum, product;
    winner w;
    find_winner(j, x, at, step, below, c, lanes, off, &w);
    passing(j, dy + c, lanes, &w, &g);
    nm_vector upper = NM_SELECT(w.right[0], off[1], off[0]), lower = NM_SELECT(w.right[1], off[3], off[2]);
    nm_vector won = NM_SELECT(w.lower, lower, upper);
    nm_vector_load(&sum, run + c, lanes);
    nm_vector_load(&product, products + c, lanes);
    sum += g;
    product += g * won;
    nm_vector_store(run + c, &sum, lanes);
    nm_vector_store(products + c, &product, lanes);
}

/* dx of the four pixels. */
NM_INLINE void spread_window(const job *j, const nm_stored *x, size_t at, size_t step, size_t below, int c, int lanes,
                             const real *dy, real *dx)
{
    nm_vector off[4], g, a, b, constant;
    winner w;
    find_winner(j, x, at, step, below, c, lanes, off, &w);
    passing(j, dy + c, lanes, &w, &g);
    nm_vector_load(&a, j->dy_factor + c, lanes);
    nm_vector_load(&b, j->x_factor + c, lanes);
    nm_vector_load(&constant, j->constant + c, lanes);
    g *= a;
    for (int k = 0; k < 4; k++) {
        nm_mask here = (k % 2 ? w.right[k / 2] : ~w.right[k / 2]) & (k / 2 ? w.lower : ~w.lower);
        off[k] = (nm_vector)((nm_mask)g & here) + (off[k] * b + constant);
        nm_vector_store(dx + c + (size_t)(k / 2) * below + (size_t)(k % 2) * step, &off[k], lanes);
    }
}

/* ---- passes ------------------------------------------------------------------------------
 *
 * Each is compiled twice: for arrays of reals alone, and for any. */

NM_INLINE void pool_windows(const job *j, const nm_stored x, const nm_stored y, int across, int rows)
{
    int channels = j->l.channels;
    size_t step = (size_t)channels, below = 2 * (size_t)across * step, at = 0, to = 0;
    for (int row = 0; row < rows; row++, at += below)
        for (int col = 0; col < across; col++, at += 2 * step, to += step) {
            int c = 0;
            for (; c + AT_ONCE <= channels; c += AT_ONCE)
                window_max(j, &x, at, step, below, c, AT_ONCE, &y, to);
            if (c < channels)
                window_max(j, &x, at, step, below, c, channels - c, &y, to);
        }
}

void NM_ISA(nm_batchnorm_chunk_pool)(const job *j, nm_stored x, nm_stored y, int across, int rows)
{
    if (x.halves || y.halves)
        pool_windows(j, x, y, across, rows);
    else
        pool_windows(j, nm_stored_reals(x), nm_stored_reals(y), across, rows);
}

static void batchnorm_pool_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const pool_job *p = arg;
    int first, rows = rows_at(&p->w, task, &first);
    NM_ISA(nm_batchnorm_chunk_pool)
    (&p->j, nm_stored_from(p->j.x, pixels_before(&p->w, first)), nm_stored_from(p->j.y, windows_before(&p->w, first)),
     p->w.across, rows);
}

void NM_ISA(nm_batchnorm_pool_forward)(const nm_pass *p, const nm_batch_normalisation *self)
{
    windows w = windows_of(p->n, p->xs[0]);
    pool_job all = {normalising_job(p, self, w.l, p->tail->rectifies), w};
    nm_parallel(p->threads, w.l.chunks, batchnorm_pool_forward_task, &all);
}

NM_INLINE void add_windows(const job *j, const nm_stored x, const real *dy, int across, int rows, real *scratch,
                           double *part)
{
    size_t channels = (size_t)j->l.channels, below = 2 * (size_t)across * channels, at = 0;
    real *run = scratch, *products = run + channels;
    memset(part, 0, 2 * channels * sizeof *part);
    for (int row = 0; row < rows; row++, at += below)
        for (int first = 0; first < across; first += RUN) {
            memset(run, 0, 2 * channels * sizeof *run);
            for (int col = first; col < across && col < first + RUN; col++, at += 2 * channels, dy += channels) {
                int c = 0;
                for (; c + AT_ONCE <= j->l.channels; c += AT_ONCE)
                    add_window(j, &x, at, channels, below, c, AT_ONCE, dy, run, products);
                if (c < j->l.channels)
                    add_window(j, &x, at, channels, below, c, j->l.channels - c, dy, run, products);
            }
            for (size_t c = 0; c < 2 * channels; c++)
                part[c] += (double)run[c];
        }
}

void NM_ISA(nm_batchnorm_chunk_pool_sums)(const job *j, nm_stored x, const real *dy, int across, int rows,
                                          real *scratch, double *part)
{
    if (x.halves)
        add_windows(j, x, dy, across, rows, scratch, part);
    else
        add_windows(j, nm_stored_reals(x), dy, across, rows, scratch, part);
}

static void batchnorm_pool_sums_task(void *arg, int task, int thread)
{
    const pool_job *p = arg;
    int first, rows = rows_at(&p->w, task, &first);
    NM_ISA(nm_batchnorm_chunk_pool_sums)
    (&p->j, nm_stored_from(p->j.x, pixels_before(&p->w, first)), p->j.p->dy + windows_before(&p->w, first), p->w.across,
     rows, nm_thread_scratch(p->j.p, thread), partial(p->j.p, &p->w.l, task));
}

NM_INLINE void spread_windows(const job *j, const nm_stored x, const real *dy, real *dx, int across, int rows)
{
    int channels = j->l.channels;
    size_t step = (size_t)channels, below = 2 * (size_t)across * step, at = 0;
    for (int row = 0; row < rows; row++, at += below)
        for (int col = 0; col < across; col++, at += 2 * step, dy += step) {
            int c = 0;
            for (; c + AT_ONCE <= channels; c += AT_ONCE)
                spread_window(j, &x, at, step, below, c, AT_ONCE, dy, dx + at);
            if (c < channels)
                spread_window(j, &x, at, step, below, c, channels - c, dy, dx + at);
        }
}

void NM_ISA(nm_batchnorm_chunk_pool_gradient)(const job *j, nm_stored x, const real *dy, real *dx, int across, int rows)
{
    if (x.halves)
        spread_windows(j, x, dy, dx, across, rows);
    else
        spread_windows(j, nm_stored_reals(x), dy, dx, across, rows);
}

static void batchnorm_pool_input_gradient_task(void *arg, int task, int thread)
{
    (void)thread;
    const pool_job *p = arg;
    int first, rows = rows_at(&p->w, task, &first);
    NM_ISA(nm_batchnorm_chunk_pool_gradient)
    (&p->j, nm_stored_from(p->j.x, pixels_before(&p->w, first)), p->j.p->dy + windows_before(&p->w, first),
     p->j.p->dx[0] + pixels_before(&p->w, first), p->w.across, rows);
}

const double *NM_ISA(nm_batchnorm_pool_sums)(const nm_pass *p, const nm_batch_normalisation *self)
{
    windows w = windows_of(p->n, p->xs[0]);
    pool_job all = {normalising_job(p, self, w.l, p->tail->rectifies), w};
    nm_parallel(p->threads, w.l.chunks, batchnorm_pool_sums_task, &all);
    return NM_ISA(nm_batchnorm_sum_chunks)(p, &w.l);
}

void NM_ISA(nm_batchnorm_pool_gradient)(const nm_pass *p, const nm_batch_normalisation *self)
{
    windows w = windows_of(p->n, p->xs[0]);
    pool_job all = {gradient_job(p, self, w.l, p->tail->rectifies), w};
    nm_parallel(p->threads, w.l.chunks, batchnorm_pool_input_gradient_task, &all);
}

void NM_ISA(nm_batchnorm_pool_reserve)(int n, nm_shape s, size_t *scratch, size_t *thread_scratch)
{
    size_t own = windows_scratch(n, s), run = 2 * (size_t)s.c * sizeof(real);
    *scratch = own > *scratch ? own : *scratch;
    *thread_scratch = run > *thread_scratch ? run : *thread_scratch;
}
