/* The harness for one layer. */
#include "built_layer.h"

#include "alloc.h"
#include "reversed_tasks.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- forward against the reference --------------------------------------------------------- */

static void check_forward(built_layer *b, nm_plan *plan, layer_reference *reference)
{
    const nm_node *node = &b->net->node[b->node];
    layer_run r = {.node = node, .n = b->n, .inputs = b->inputs, .mode = b->c->mode, .out = node->out};
    double *made[MAX_INPUTS + MAX_PARAMS + 1] = {0};
    int count = 0;
    memcpy(b->net->states, b->states, b->net->state_count * sizeof(real));
    for (int i = 0; i < b->inputs; i++) {
        r.in[i] = b->c->in[i];
        r.x[i] = made[count++] = widen(b, b->x[i], (size_t)b->n * nm_shape_size(r.in[i]));
    }
    for (int i = 0; i < node->params; i++) {
        const nm_param *param = &b->net->param[node->first_param + i];
        r.param[i] = made[count++] = widen(b, nm_param_values(b->net, param), param->count);
    }
    size_t out = (size_t)b->n * nm_shape_size(node->out);
    double *y = made[count++] = nm_alloc(b->ctx, out, sizeof *y);
    reference(&r, y);
    run_forward(b, plan);
    double tolerance = sizeof(real) == sizeof(double) ? 1e-11
                       : b->c->float_tolerance > 0    ? b->c->float_tolerance
                                                      : 1e-5;
    check_close(b->c->layer, nm_plan_output(plan, b->node), y, out, tolerance);
    while (count > 0)
        nm_free(made[--count]);
}

/* ---- gradients ----------------------------------------------------------------------------- */

#ifdef NM_DOUBLE
static double value_of(built_layer *b, nm_plan *plan)
{
    run_forward(b, plan);
    const real *y = nm_plan_output(plan, b->node);
    double sum = 0;
    for (size_t i = 0; i < (size_t)b->n * nm_shape_size(b->net->node[b->node].out); i++)
        sum += y[i] * b->r[i];
    return sum;
}

/* Four-point central difference: the error falls with the fourth power of the step. */
static double derivative(built_layer *b, nm_plan *plan, real *x)
{
    const double h = 4e-4;
    real kept = *x;
    double value[4];
    for (int k = 0; k < 4; k++) {
        *x = kept + h * (k < 2 ? k - 2 : k - 1);
        value[k] = value_of(b, plan);
    }
    *x = kept;
    return (value[0] - 8 * value[1] + 8 * value[2] - value[3]) / (12 * h);
}

/* At most this many elements of one tensor, evenly chosen. */
enum { MOST_ELEMENTS = 60 };

static void check_tensor(built_layer *b, nm_plan *plan, const char *name, real *x, const real *analytic, size_t count)
{
    size_t step = count > MOST_ELEMENTS ? count / MOST_ELEMENTS : 1;
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(analytic[i]));
    for (size_t i = 0; i < count; i += step) {
        double numerical = derivative(b, plan, &x[i]);
        double scale = fmax(most, fabs(numerical)), limit = (b->c->linear ? 1e-7 : 1e-6) * fmax(scale, 1e-3);
        if (!(fabs(numerical - analytic[i]) <= limit))
            ck_abort_msg("'%s': gradient by %s, element %zu of %zu: numerical %.12g, analytic %.12g (largest %.3g)",
                         b->c->layer, name, i, count, numerical, analytic[i], most);
    }
}

static void check_gradients(built_layer *b)
{
    nm_plan *plan = plan_built(b, 1, true), *probe = plan_built(b, 1, false);
    run_forward(b, plan);
    nm_plan_run(plan, &b->batch, NM_PHASE_LOSS | NM_PHASE_BACKWARD);
    for (int i = 0; i < b->inputs; i++)
        check_tensor(b, probe, text("input %d", i), b->x[i], nm_plan_output_gradient(plan, i),
                     (size_t)b->n * nm_shape_size(b->c->in[i]));
    for (int i = 0; i < b->net->params; i++) {
        const nm_param *param = &b->net->param[i];
        if (param->kind != NM_STATE)
            check_tensor(b, probe, param->name, nm_param_values(b->net, param), nm_plan_gradients(plan) + param->offset,
                         param->count);
    }
    nm_plan_free(plan);
    nm_plan_free(probe);
}
#else
static void check_gradients(built_layer *b)
{
    (void)b; /* the double build's work */
}
#endif

/* ---- bits ---------------------------------------------------------------------------------- */

/* Output, states, and gradients one after the other. */
static real *everything(built_layer *b, nm_plan *plan, size_t *count)
{
    size_t out = (size_t)b->n * nm_shape_size(b->net->node[b->node].out);
    *count = out + b->net->state_count + b->net->weight_count;
    for (int i = 0; i < b->inputs; i++)
        *count += (size_t)b->n * nm_shape_size(b->c->in[i]);
    real *all = nm_alloc(b->ctx, *count + 1, sizeof *all), *to = all;
    run_forward(b, plan);
    memcpy(to, nm_plan_output(plan, b->node), out * sizeof *to);
    to += out;
    memcpy(to, b->net->states, b->net->state_count * sizeof *to);
    to += b->net->state_count;
    nm_plan_run(plan, &b->batch, NM_PHASE_LOSS | NM_PHASE_BACKWARD);
    memcpy(to, nm_plan_gradients(plan), b->net->weight_count * sizeof *to);
    to += b->net->weight_count;
    for (int i = 0; i < b->inputs; i++) {
        size_t size = (size_t)b->n * nm_shape_size(b->c->in[i]);
        memcpy(to, nm_plan_output_gradient(plan, i), size * sizeof *to);
        to += size;
    }
    return all;
}

static void check_bits(built_layer *b)
{
    enum { PLANS = 6, SHARED = 4, REVERSED = 5 };
    static const int threads[PLANS] = {1, 2, 3, 8, 1, 1};
    size_t count;
    nm_plan *first = plan_built(b, 1, true);
    real *expected = everything(b, first, &count);
    for (int i = 0; i < PLANS; i++) {
        nm_plan *plan = plan_built(b, threads[i], i != SHARED);
        reverse_tasks(i == REVERSED);
        for (int again = 0; again < 2; again++) {
            real *found = everything(b, plan, &count);
            ck_assert_msg(memcmp(found, expected, count * sizeof *found) == 0, "'%s': other bits with %d threads%s%s",
                          b->c->layer, threads[i], again ? ", second run" : "",
                          i == SHARED     ? ", memory shared"
                          : i == REVERSED ? ", last task first"
                                          : "");
            nm_free(found);
        }
        reverse_tasks(false);
        nm_plan_free(plan);
    }
    nm_free(expected);
    nm_plan_free(first);
}

void check_layer(const layer_case *c, layer_reference *reference)
{
    built_layer b;
    open_built(&b, c);
    nm_plan *plan = plan_built(&b, 2, false);
    if (reference)
        check_forward(&b, plan, reference);
    nm_plan_free(plan);
    check_gradients(&b);
    check_bits(&b);
    check_samples_alone(&b);
    close_built(&b);
}

void check_layer_forward(const layer_case *c, layer_reference *reference)
{
    built_layer b;
    open_built(&b, c);
    nm_plan *plan = plan_built(&b, 2, false);
    check_forward(&b, plan, reference);
    nm_plan_free(plan);
    close_built(&b);
}

/* What everything() gave, one tensor after the other. */
static void check_like(built_layer *b, const char *what, const real **found, const real **expected, size_t count,
                       double tolerance)
{
    char where[640];
    snprintf(where, sizeof where, "'%s': %s", b->c->layer, what);
    double *wide = widen(b, *expected, count);
    check_close(where, *found, wide, count, sizeof(real) == sizeof(double) ? 1e-11 : tolerance);
    nm_free(wide);
    *found += count;
    *expected += count;
}

void check_layer_like(const layer_case *c, const char *other, double tolerance)
{
    layer_case like = *c;
    like.layer = other;
    built_layer b, o;
    open_built(&b, c);
    open_built(&o, &like);
    ck_assert_uint_eq(b.net->weight_count, o.net->weight_count);
    for (int i = 0; i < b.net->params; i++)
        memcpy(nm_param_values(o.net, &o.net->param[i]), nm_param_values(b.net, &b.net->param[i]),
               b.net->param[i].count * sizeof(real));
    size_t out = (size_t)b.n * nm_shape_size(b.net->node[b.node].out), count;
    memcpy(o.r, b.r, out * sizeof(real));
    for (int i = 0; i < b.inputs; i++)
        memcpy(o.x[i], b.x[i], (size_t)b.n * nm_shape_size(c->in[i]) * sizeof(real));
    nm_plan *plan = plan_built(&b, 2, true), *plan_like = plan_built(&o, 2, true);
    real *all = everything(&b, plan, &count), *all_like = everything(&o, plan_like, &count);
    const real *found = all, *expected = all_like;
    check_like(&b, "output", &found, &expected, out, tolerance);
    check_like(&b, "states", &found, &expected, b.net->state_count, tolerance);
    check_like(&b, "gradient by the weights", &found, &expected, b.net->weight_count, tolerance);
    for (int i = 0; i < b.inputs; i++)
        check_like(&b, "gradient by the input", &found, &expected, (size_t)b.n * nm_shape_size(c->in[i]), tolerance);
    nm_free(all);
    nm_free(all_like);
    nm_plan_free(plan);
    nm_plan_free(plan_like);
    close_built(&b);
    close_built(&o);
}

void check_refused(const layer_case *c, const char *message)
{
    nm_context *ctx = nm_context_new();
    nm_network *net = NULL;
    nm_plan *plan = NULL;
    int inputs;
    nm_status status = build_case(ctx, c, &net, &inputs);
    if (status == NM_OK)
        status = nm_plan_new(net, &(nm_request){.mode = c->mode, .batch = c->n ? c->n : 1, .threads = 1}, &plan);
    bool found = false;
    for (int i = 0; i < nm_error_count(ctx); i++)
        found = found || strstr(nm_error_message(ctx, i), message);
    ck_assert_msg(status == NM_INVALID && found, "'%s': expected '%s', found '%s'", c->layer, message,
                  nm_error_message(ctx, 0));
    nm_plan_free(plan);
    nm_network_free(net);
    nm_context_free(ctx);
}
