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
    const real *other;
    real *other_dx; /* or NULL */
} add_job;

static add_job add_job_of(const nm_pass *p, job j)
{
    return (add_job){j, p->tail->rectifies, p->tail->other, p->tail->other_dx};
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
    (void)thread;
    const add_job *a = arg;
    const layout *l = &a->j.l;
    size_t start = start_of(a, task);
    const real *x = a->j.p->x[0] + start, *other = a->other + start;
    real *y = a->j.p->y + start;
    int width = l->fold * l->channels;
    if (nm_vector_streams((size_t)l->rows, l->channels)) {
        job j = a->j;
        j.relu = a->relu;
        NM_ISA(nm_batchnorm_chunk_stream)(&j, x, other, y, rows_of(l, task));
        return;
    }
    for (int left = rows_of(l, task) * l->channels; left > 0; left -= width, x += width, other += width, y += width)
        normalise_and_add(&a->j, x, other, y, left < width ? left : width, a->relu);
}

void NM_ISA(nm_batchnorm_add_forward)(const nm_pass *p, const nm_batch_normalisation *self)
{
    add_job a = add_job_of(p, normalising_job(p, self, layout_of(p->n, p->xs[0]), false));
    nm_parallel(p->threads, a.j.l.chunks, batchnorm_add_forward_task, &a);
}

/* ---- backward ---------------------------------------------------------------------------- */

/* The gradient by the sum of some rows, written to the other input's gradient or to the thread's
 * scratch. */
static const real *batchnorm_add_sum_gradient(const add_job *a, size_t start, int rows, int thread)
{
    const nm_pass *p = a->j.p;
    size_t count = (size_t)rows * (size_t)a->j.l.channels;
    const real *dy = p->dy + start, *y = p->y + start;
    real *scratch = (real *)((char *)nm_thread_scratch(p, thread) + buffers_size(&a->j.l));
    real *restrict g = a->other_dx ? a->other_dx + start : scratch;
    if (a->relu)
        NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        g[i] = y[i] > 0 ? dy[i] : 0;
    else if (g == scratch) return dy;
    else memcpy(g, dy, count * sizeof *g);
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
    (&a->j, p->x[0] + start, g, rows, nm_thread_scratch(p, thread), partial(p, &a->j.l, task));
}

static void batchnorm_add_input_gradient_task(void *arg, int task, int thread)
{
    const add_job *a = arg;
    const nm_pass *p = a->j.p;
    size_t start = start_of(a, task);
    int rows = rows_of(&a->j.l, task);
    const real *g = a->other_dx ? a->other_dx + start : batchnorm_add_sum_gradient(a, start, rows, thread);
    NM_ISA(nm_batchnorm_chunk_gradient)(&a->j, p->x[0] + start, g, p->dx[0] + start, rows);
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
