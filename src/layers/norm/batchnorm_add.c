/* Batch norm's passes where the sum with another input behind it (a residual connection; He et al.
 * 2016) and a relu behind that are done too:
 *
 *     y = relu(batchnorm(x) + other)
 *
 * The normalised values are never written. Backward: the gradient by the sum, g = dy where y > 0,
 * is the other input's gradient and batch norm's dy; it is written once, to the former, where
 * somebody needs that. */
#include "batchnorm_chunks.h"

#include "vector.h"

typedef struct add_job {
    job j;
    bool relu; /* behind the sum */
    nm_stored other;
    real *other_dx; /* or NULL */
} add_job;

static add_job add_job_of(const nm_pass *p, job j)
{
    return (add_job){j, p->tail->rectifies, nm_stored_of(p->tail->other, p->bf16 & NM_BF16_OTHER), p->tail->other_dx};
}

static size_t start_of(const add_job *a, int task)
{
    return (size_t)task * chunk_count(&a->j.l);
}

/* ---- forward ----------------------------------------------------------------------------- */

static void normalise_and_add(const job *j, const real *x, const real *other, real *y, int width, bool relu)
{
    const real *restrict mean = j->mean, *restrict factor = j->factor, *restrict shift = j->shift;
    NM_INDEPENDENT
    for (int i = 0; i < width; i++) {
        real value = (x[i] - mean[i]) * factor[i] + shift[i] + other[i];
        y[i] = !relu || value > 0 || value != value ? value : 0;
    }
}

static void batchnorm_add_forward_task(void *arg, int task, int thread)
{
    const add_job *a = arg;
    const layout *l = &a->j.l;
    const chunk_buffers b = chunk_buffers_in(nm_thread_scratch(a->j.p, thread), l);
    const nm_stored x = nm_stored_from(a->j.x, start_of(a, task)), other = nm_stored_from(a->other, start_of(a, task)),
                    y = nm_stored_from(a->j.y, start_of(a, task));
    size_t width = (size_t)(l->fold * l->channels), total = (size_t)rows_of(l, task) * (size_t)l->channels;
    job j = a->j;
    j.relu = a->relu;
    if (NM_ISA(nm_batchnorm_chunk_passes)(&j, x, other, y, rows_of(l, task)))
        return;
    for (size_t at = 0; at < total; at += width) {
        size_t count = total - at < width ? total - at : width;
        normalise_and_add(&a->j, nm_stored_read(&x, at, count, b.row), nm_stored_read(&other, at, count, b.run),
                          y.reals + at, (int)count, a->relu);
    }
}

void NM_ISA(nm_batchnorm_add_forward)(const nm_pass *p, const nm_batch_normalisation *self)
{
    add_job a = add_job_of(p, normalising_job(p, self, layout_of(p->n, p->xs[0]), false));
    nm_parallel(p->threads, a.j.l.chunks, batchnorm_add_forward_task, &a);
}

/* ---- backward ---------------------------------------------------------------------------- */

/* dy where y is above zero. */
static void pass_gradient(nm_stored y, const real *dy, size_t count, real *restrict g)
{
    const real *reals = y.reals;
    const nm_bf16 *halves = y.halves;
    if (halves)
        NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        g[i] = nm_bf16_widen(halves[i]) > 0 ? dy[i] : 0;
    else NM_INDEPENDENT for (size_t i = 0; i < count; i++) g[i] = reals[i] > 0 ? dy[i] : 0;
}

/* The gradient by the sum of some rows, written to the other input's gradient or to the thread's
 * scratch. */
static const real *batchnorm_add_sum_gradient(const add_job *a, size_t start, int rows, int thread)
{
    const nm_pass *p = a->j.p;
    size_t count = (size_t)rows * (size_t)a->j.l.channels;
    const real *dy = p->dy + start;
    real *scratch = (real *)((char *)nm_thread_scratch(p, thread) + buffers_size(&a->j.l));
    real *restrict g = a->other_dx ? a->other_dx + start : scratch;
    if (a->relu)
        pass_gradient(nm_stored_from(a->j.y, start), dy, count, g);
    else if (g == scratch)
        return dy;
    else
        memcpy(g, dy, count * sizeof *g);
    return g;
}

static void batchnorm_add_sums_task(void *arg, int task, int thread)
{
    const add_job *a = arg;
    const nm_pass *p = a->j.p;
    size_t start = start_of(a, task);
    int rows = rows_of(&a->j.l, task);
    const real *g = batchnorm_add_sum_gradient(a, start, rows, thread);
    NM_ISA(nm_batchnorm_chunk_sums)
    (&a->j, nm_stored_from(a->j.x, start), g, rows, nm_thread_scratch(p, thread), partial(p, &a->j.l, task));
}

static void batchnorm_add_input_gradient_task(void *arg, int task, int thread)
{
    const add_job *a = arg;
    const nm_pass *p = a->j.p;
    size_t start = start_of(a, task);
    int rows = rows_of(&a->j.l, task);
    const real *g = a->other_dx ? a->other_dx + start : batchnorm_add_sum_gradient(a, start, rows, thread);
    NM_ISA(nm_batchnorm_chunk_gradient)
    (&a->j, nm_stored_from(a->j.x, start), g, p->dx[0] + start, rows, nm_thread_scratch(p, thread));
}

const double *NM_ISA(nm_batchnorm_add_sums)(const nm_pass *p, const nm_batch_normalisation *self)
{
    add_job a = add_job_of(p, normalising_job(p, self, layout_of(p->n, p->xs[0]), false));
    nm_parallel(p->threads, a.j.l.chunks, batchnorm_add_sums_task, &a);
    return NM_ISA(nm_batchnorm_sum_chunks)(p, &a.j.l);
}

void NM_ISA(nm_batchnorm_add_gradient)(const nm_pass *p, const nm_batch_normalisation *self)
{
    add_job a = add_job_of(p, gradient_job(p, self, layout_of(p->n, p->xs[0]), false));
    nm_parallel(p->threads, a.j.l.chunks, batchnorm_add_input_gradient_task, &a);
}

void NM_ISA(nm_batchnorm_add_reserve)(int n, nm_shape s, size_t *thread_scratch)
{
    layout l = layout_of(n, s);
    *thread_scratch = buffers_size(&l) + chunk_count(&l) * sizeof(real);
}
