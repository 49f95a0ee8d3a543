/* Samples have the same bits in whatever batch they are. */
#include "built_layer.h"

#include "alloc.h"
#include "reversed_tasks.h"

#include <check.h>
#include <string.h>

/* The output and the gradients by the inputs of samples first to first + n, as one batch. */
static void run_some(built_layer *b, nm_plan *plan, int first, int n, real *to)
{
    const real *xs[MAX_INPUTS];
    for (int i = 0; i < b->inputs; i++)
        xs[i] = b->x[i] + (size_t)first * nm_shape_size(b->c->in[i]);
    size_t out = nm_shape_size(b->net->node[b->node].out);
    nm_batch some = {.n = n, .x = xs, .seed = 7, .step = 3, .dy = b->r + (size_t)first * out};
    nm_plan_run(plan, &some, NM_PHASE_FORWARD);
    memcpy(to, nm_plan_output(plan, b->node), (size_t)n * out * sizeof *to);
    nm_plan_run(plan, &some, NM_PHASE_LOSS | NM_PHASE_BACKWARD);
    to += (size_t)n * out;
    for (int i = 0; i < b->inputs; i++) {
        size_t size = (size_t)n * nm_shape_size(b->c->in[i]);
        memcpy(to, nm_plan_output_gradient(plan, i), size * sizeof *to);
        to += size;
    }
}

/* Fails unless run_some gives samples first to first + n the bits that they have in `all`, which
 * run_some gave for the whole batch; `some` has as much capacity. */
static void check_some(built_layer *b, nm_plan *plan, int first, int n, const real *all, real *some)
{
    run_some(b, plan, first, n, some);
    for (int i = -1; i < b->inputs; i++) {
        size_t size = nm_shape_size(i < 0 ? b->net->node[b->node].out : b->c->in[i]);
        ck_assert_msg(memcmp(some, all + (size_t)first * size, (size_t)n * size * sizeof *all) == 0,
                      "'%s': %s of samples %d to %d of %d has other bits when they are a batch of their own",
                      b->c->layer, i < 0 ? "the output" : text("the gradient by input %d", i), first, first + n - 1,
                      b->n);
        some += (size_t)n * size;
        all += (size_t)b->n * size;
    }
}

typedef void check_cuts(built_layer *b, nm_plan *plan, const real *all, real *some);

static void with_whole_batch(built_layer *b, check_cuts *check)
{
    nm_plan *plan = plan_built(b, 2, true);
    size_t size = nm_shape_size(b->net->node[b->node].out);
    for (int i = 0; i < b->inputs; i++)
        size += nm_shape_size(b->c->in[i]);
    real *all = nm_alloc(b->ctx, 2 * (size_t)b->n * size, sizeof *all);
    for (int reversed = 1; reversed >= 0; reversed--) {
        reverse_tasks(reversed);
        run_some(b, plan, 0, b->n, reversed ? all + (size_t)b->n * size : all);
    }
    ck_assert_msg(memcmp(all, all + (size_t)b->n * size, (size_t)b->n * size * sizeof *all) == 0,
                  "'%s': other bits with the last task first", b->c->layer);
    check(b, plan, all, all + (size_t)b->n * size);
    nm_free(all);
    nm_plan_free(plan);
}

static void each_sample(built_layer *b, nm_plan *plan, const real *all, real *some)
{
    for (int s = 0; s < b->n; s++)
        check_some(b, plan, s, 1, all, some);
}

/* A promise of the program, which is float: in double, OpenBLAS's kernels for the last rows of a
 * block may add in another order than those for the first. */
void check_samples_alone(built_layer *b)
{
    if (b->c->mode == NM_EVAL && sizeof(real) == sizeof(float))
        with_whole_batch(b, each_sample);
}

static void each_cut(built_layer *b, nm_plan *plan, const real *all, real *some)
{
    for (int n = 1; n < b->n; n++)
        for (int first = 0; first + n <= b->n; first++)
            check_some(b, plan, first, n, all, some);
}

void check_every_cut(const char *layer)
{
    built_layer b;
    open_built(&b, &(layer_case){layer, {{1, 1, 1}}, .n = 200});
    with_whole_batch(&b, each_cut);
    close_built(&b);
}
