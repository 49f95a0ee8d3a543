/* The first layer's convolution and batch norm in one: see stem.h. */
#include "stem.h"

#include "batchnorm_chunks.h"
#include "conv_partials.h"

/* ---- chunks: whole rows of one sample, as many in each --------------------------------------- */

/* Output rows of a chunk: the most that divide the height and stay in cache; even ones, so that
 * windows are whole. */
static int rows_of_chunk(const nm_conv_geometry *g)
{
    int best = g->out.h % 2 ? 1 : 2, step = best;
    for (int rows = best; rows <= g->out.h; rows += step)
        if (g->out.h % rows == 0 && rows * g->out.w * g->out.c <= CHUNK)
            best = rows;
    return best;
}

static layout chunks_of(const nm_conv_geometry *g, int n)
{
    layout l = layout_of(n, g->out);
    l.chunk_rows = rows_of_chunk(g) * g->out.w;
    l.chunks = n * (g->out.h / rows_of_chunk(g));
    return l;
}

static size_t chunk_size(const nm_conv_geometry *g)
{
    return (size_t)(rows_of_chunk(g) * g->out.w) * (size_t)g->out.c;
}

bool NM_ISA(nm_conv_stem_suits)(const nm_conv_geometry *g)
{
    /* measured: 9 taps are computed again faster than their sum is read, 27 are not */
    enum { MOST_TAPS = 16 };
    return !NM_ISA(nm_conv_direct).declines(g, NM_CONV_FORWARD) && g->kernel[0] * g->kernel[1] * g->in.c <= MOST_TAPS &&
           g->out.h * g->out.w > 1;
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Thread scratch: a chunk of z, one of dz, input rows, the chunk's dw and db, batch norm's buffers.
 */
typedef struct buffers {
    real *z, *dz, *rows, *dw, *db;
    void *sums;
} buffers;

static buffers stem_layout(nm_scratch *s, const nm_conv_geometry *g)
{
    const layout l = chunks_of(g, 1);
    return (buffers){.z = nm_scratch_reals(s, chunk_size(g)),
                     .dz = nm_scratch_reals(s, chunk_size(g)),
                     .rows = nm_scratch_reals(s, NM_ISA(nm_conv_direct_rows_size)(g)),
                     .dw = nm_scratch_reals(s, nm_conv_weight_count(g)),
                     .db = nm_scratch_reals(s, (size_t)g->out.c),
                     .sums = nm_scratch_bytes(s, buffers_size(&l))};
}

static buffers buffers_of(const nm_conv_normed *s, int thread)
{
    nm_scratch own = nm_conv_thread_scratch(&s->call, thread);
    return stem_layout(&own, s->call.g);
}

/* Shared scratch, for n of `most` samples: batch norm's, at its beginning, then the partial sums.
 */
static nm_conv_partials shared_layout(nm_scratch *s, const nm_conv_geometry *g, int n, int most)
{
    const layout l = chunks_of(g, most);
    nm_scratch_bytes(s, scratch_size(&l, l.chunks));
    return NM_ISA(nm_conv_partials_layout)(s, g, n, chunks_of(g, n).chunks);
}

void NM_ISA(nm_conv_stem_reserve)(const nm_conv_geometry *g, int n, size_t *saved, size_t *shared, size_t *thread)
{
    nm_scratch all = {0}, own = {0};
    shared_layout(&all, g, n, n);
    stem_layout(&own, g);
    *saved = NM_BATCHNORM_SAVED * (size_t)g->out.c * sizeof(real);
    *thread = own.size;
    *shared = all.size;
}

/* ---- a chunk of z --------------------------------------------------------------------------- */

typedef struct stem_job {
    const nm_conv_normed *s;
    job j;
    layout l;
    int rows, per_sample;
    nm_conv_partials partials;
} stem_job;

static stem_job job_of(const nm_conv_normed *s)
{
    const nm_conv_geometry *g = s->call.g;
    stem_job all = {.s = s, .l = chunks_of(g, s->call.n), .rows = rows_of_chunk(g)};
    all.per_sample = g->out.h / all.rows;
    nm_scratch shared = {.base = s->pass.scratch};
    all.partials = shared_layout(&shared, g, s->call.n, s->call.most);
    return all;
}

static nm_stored z_of(const buffers *b)
{
    return (nm_stored){.reals = b->z};
}

static const real *sample_of(const stem_job *a, int chunk)
{
    return a->s->call.x.reals + (size_t)(chunk / a->per_sample) * nm_shape_size(a->s->call.g->in);
}

static void compute(const stem_job *a, int chunk, const buffers *b)
{
    const nm_conv_geometry *g = a->s->call.g;
    int first = chunk % a->per_sample * a->rows;
    for (int row = 0; row < a->rows; row++)
        NM_ISA(nm_conv_direct_row)
    (&a->s->call, sample_of(a, chunk), first + row, b->rows, b->z + (size_t)(row * g->out.w) * (size_t)g->out.c);
}

/* Where the chunk begins in y and dy. */
static size_t begin(const stem_job *a, int chunk)
{
    size_t before = (size_t)chunk * chunk_size(a->s->call.g);
    return a->s->pass.tail->pools ? before / 4 : before;
}

/* ---- forward -------------------------------------------------------------------------------- */

static void stem_statistics_task(void *arg, int task, int thread)
{
    const stem_job *a = arg;
    buffers b = buffers_of(a->s, thread);
    compute(a, task, &b);
    NM_ISA(nm_batchnorm_chunk_statistics)(&a->l, z_of(&b), a->l.chunk_rows, b.sums, partial(&a->s->pass, &a->l, task));
}

static void stem_normalise_task(void *arg, int task, int thread)
{
    const stem_job *a = arg;
    buffers b = buffers_of(a->s, thread);
    const nm_stored y = nm_stored_from(a->j.y, begin(a, task));
    compute(a, task, &b);
    if (a->s->pass.tail->pools)
        NM_ISA(nm_batchnorm_chunk_pool)(&a->j, z_of(&b), y, a->s->call.g->out.w / 2, a->rows / 2);
    else
        NM_ISA(nm_batchnorm_chunk_normalise)(&a->j, z_of(&b), y.reals, a->l.chunk_rows);
}

void NM_ISA(nm_conv_stem_forward)(const nm_conv_normed *s)
{
    stem_job a = job_of(s);
    const nm_pass *p = &s->pass;
    nm_parallel(p->threads, a.l.chunks, stem_statistics_task, &a);
    NM_ISA(nm_batchnorm_merge)(p, s->norm, &a.l, nm_batchnorm_rate(p, s->norm));
    a.j = normalising_job(p, s->norm, a.l, s->pass.tail->rectifies);
    nm_parallel(p->threads, a.l.chunks, stem_normalise_task, &a);
}

/* ---- backward ------------------------------------------------------------------------------- */

static void stem_sums_task(void *arg, int task, int thread)
{
    const stem_job *a = arg;
    buffers b = buffers_of(a->s, thread);
    const real *dy = a->s->pass.dy + begin(a, task);
    double *part = partial(&a->s->pass, &a->l, task);
    compute(a, task, &b);
    if (a->s->pass.tail->pools)
        NM_ISA(nm_batchnorm_chunk_pool_sums)(&a->j, z_of(&b), dy, a->s->call.g->out.w / 2, a->rows / 2, b.sums, part);
    else
        NM_ISA(nm_batchnorm_chunk_sums)(&a->j, z_of(&b), dy, a->l.chunk_rows, b.sums, part);
}

/* A chunk's dz, and from it dw and db. */
static void add_chunk(const stem_job *a, int chunk, const buffers *b)
{
    const nm_conv_geometry *g = a->s->call.g;
    const real *dy = a->s->pass.dy + begin(a, chunk);
    int first = chunk % a->per_sample * a->rows;
    compute(a, chunk, b);
    if (a->s->pass.tail->pools)
        NM_ISA(nm_batchnorm_chunk_pool_gradient)(&a->j, z_of(b), dy, b->dz, g->out.w / 2, a->rows / 2);
    else
        NM_ISA(nm_batchnorm_chunk_gradient)(&a->j, z_of(b), dy, b->dz, a->l.chunk_rows, b->sums);
    for (int row = 0; row < a->rows; row++)
        NM_ISA(nm_conv_direct_add_row)
    (g, sample_of(a, chunk), first + row, b->rows, b->dz + (size_t)(row * g->out.w) * (size_t)g->out.c, b->dw);
    if (a->s->call.db)
        NM_ISA(nm_conv_column_sums)(b->dz, a->l.chunk_rows, g->out.c, b->db);
}

static void add_to(real *restrict total, const real *restrict part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        total[i] += part[i];
}

/* One partial sum; each chunk is summed by itself first, so that sums stay short. */
static void stem_weights_task(void *arg, int task, int thread)
{
    const stem_job *a = arg;
    buffers b = buffers_of(a->s, thread);
    size_t count = nm_conv_weight_count(a->s->call.g), filters = (size_t)a->s->call.g->out.c;
    const nm_conv_partial sum = NM_ISA(nm_conv_partial_of)(&a->partials, a->s->call.g, task);
    memset(sum.dw, 0, count * sizeof *sum.dw);
    for (int chunk = (int)sum.first; chunk < sum.last; chunk++) {
        memset(b.dw, 0, count * sizeof *b.dw);
        memset(b.db, 0, filters * sizeof *b.db);
        add_chunk(a, chunk, &b);
        add_to(sum.dw, b.dw, count);
        add_to(sum.db, b.db, filters);
    }
}

void NM_ISA(nm_conv_stem_backward)(const nm_conv_normed *s)
{
    stem_job a = job_of(s);
    const nm_conv_call *call = &s->call;
    a.j = normalising_job(&s->pass, s->norm, a.l, s->pass.tail->rectifies);
    nm_parallel(call->threads, a.l.chunks, stem_sums_task, &a);
    NM_ISA(nm_batchnorm_set_gradients)(&s->pass, s->norm, NM_ISA(nm_batchnorm_sum_chunks)(&s->pass, &a.l), a.l.rows);
    a.j = gradient_job(&s->pass, s->norm, a.l, s->pass.tail->rectifies);
    if (call->dw || call->db)
        NM_ISA(nm_conv_sum_partials)(call, &a.partials, stem_weights_task, &a);
}
