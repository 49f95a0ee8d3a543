/* The harness for one layer. */
#include "layer_check.h"

#include "alloc.h"

#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- small helpers ------------------------------------------------------------------------- */

int pick(int least, int most)
{
    static nm_rng r;
    static bool started;
    if (!started) {
        r = nm_rng_stream(20150211, "test", "cases");
        started = true;
    }
    return least + (int)nm_rng_below(&r, (uint32_t)(most - least) + 1);
}

const char *text(const char *fmt, ...)
{
    static char buffers[8][512];
    static int next;
    char *to = buffers[next++ % 8];
    va_list args;
    va_start(args, fmt);
    vsnprintf(to, sizeof buffers[0], fmt, args);
    va_end(args);
    return to;
}

double largest_error(const real *found, const double *expected, size_t count)
{
    double most = 0, error = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(expected[i]));
    for (size_t i = 0; i < count; i++) {
        double off = fabs((double)found[i] - expected[i]);
        if (!(off <= error))
            error = isnan(off) ? INFINITY : off;
    }
    return error == 0 ? 0 : error / (most > 0 ? most : 1);
}

void check_close(const char *what, const real *found, const double *expected, size_t count, double tolerance)
{
    double error = largest_error(found, expected, count), most = 0;
    if (error <= tolerance)
        return;
    size_t worst = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(expected[i]));
    for (size_t i = 0; i < count; i++) {
        double off = fabs((double)found[i] - expected[i]), before = fabs((double)found[worst] - expected[worst]);
        if (!(off <= before))
            worst = i;
        if (isnan(off))
            break;
    }
    ck_abort_msg(
        "%s: element %zu of %zu: expected %.9g, found %.9g (error %.3g of the largest value %.3g; allowed %.3g)", what,
        worst, count, expected[worst], (double)found[worst], error, most, tolerance);
}

void check_alike(const char *what, const real *found, const real *expected, size_t count, double tolerance)
{
    double *wide = malloc((count + 1) * sizeof *wide), most = 0;
    ck_assert_ptr_nonnull(wide);
    for (size_t i = 0; i < count; i++) {
        wide[i] = (double)expected[i];
        most = fmax(most, fabs(wide[i]));
    }
    ck_assert_msg(most > 0, "%s: all is zero", what);
    check_close(what, found, wide, count, tolerance);
    free(wide);
}

/* ---- one built layer ----------------------------------------------------------------------------
 */

typedef struct bench {
    nm_context *ctx;
    nm_network *net;
    const layer_case *c;
    int node, inputs, n;
    real *x[MAX_INPUTS], *r; /* inputs; the gradient that backward starts from */
    real *states;            /* before forward */
    nm_batch batch;
    const real *xs[MAX_INPUTS];
} bench;

static char *model_of(nm_context *ctx, const layer_case *c, int *inputs)
{
    char ins[512] = "inputs: {", from[128] = "";
    *inputs = 0;
    while (*inputs < MAX_INPUTS && c->in[*inputs].c > 0) {
        nm_shape s = c->in[*inputs];
        snprintf(ins + strlen(ins), sizeof ins - strlen(ins), "%sx%d: {height: %d, width: %d, channels: %d}",
                 *inputs ? ", " : "", *inputs, s.h, s.w, s.c);
        snprintf(from + strlen(from), sizeof from - strlen(from), "%sx%d", *inputs ? ", " : "", *inputs);
        ++*inputs;
    }
    return nm_format(ctx, "%s}\nlayers:\n- name: l\n  from: [%s]\n  %s\n", ins, from, c->layer);
}

static nm_status build(nm_context *ctx, const layer_case *c, nm_network **net, int *inputs)
{
    char *model = model_of(ctx, c, inputs);
    nm_yaml *document = NULL;
    nm_status status = nm_yaml_parse(ctx, "case", model, strlen(model), &document);
    nm_free(model);
    return status == NM_OK ? nm_network_build(ctx, document, NULL, net) : status;
}

/* A random order of evenly spread numbers, none nearer to zero than half a gap. */
static void spread_numbers(nm_rng *r, real *x, size_t count)
{
    double gap = count > 1000 ? 0.004 : 4.0 / (double)(count + 1);
    for (size_t i = 0; i < count; i++)
        x[i] = (real)(gap * ((double)i - (double)(count / 2) + 0.5));
    for (size_t i = count; i-- > 1;) {
        size_t k = nm_rng_below(r, (uint32_t)i + 1);
        real kept = x[i];
        x[i] = x[k];
        x[k] = kept;
    }
}

static void fill_params(bench *b, nm_rng *r)
{
    for (int i = 0; i < b->net->params; i++) {
        const nm_param *param = &b->net->param[i];
        real *values = nm_param_values(b->net, param);
        bool positive = strstr(param->field, "var") != NULL;
        for (size_t k = 0; k < param->count; k++)
            values[k] = (real)(positive ? 0.5 + nm_rng_uniform(r) : nm_rng_normal(r) * 0.7);
    }
}

static void open_bench(bench *made, const layer_case *c)
{
    bench b = {.ctx = nm_context_new(), .c = c, .n = c->n ? c->n : 1};
    nm_status status = build(b.ctx, c, &b.net, &b.inputs);
    ck_assert_msg(status == NM_OK, "'%s' was refused: %s", c->layer, nm_error_message(b.ctx, 0));
    b.node = b.net->output;
    nm_rng r = nm_rng_stream(1, "test", c->layer);
    nm_rng_seek(&r, (uint32_t)c->in[0].h * 1000 + (uint32_t)c->in[0].w, (uint32_t)(c->in[0].c * 1000 + b.n));
    for (int i = 0; i < b.inputs; i++) {
        size_t count = (size_t)b.n * nm_shape_size(c->in[i]);
        b.x[i] = nm_alloc(b.ctx, count, sizeof(real));
        spread_numbers(&r, b.x[i], count);
        b.xs[i] = b.x[i];
    }
    fill_params(&b, &r);
    size_t out = (size_t)b.n * nm_shape_size(b.net->node[b.node].out);
    b.r = nm_alloc(b.ctx, out, sizeof(real));
    for (size_t i = 0; i < out; i++)
        b.r[i] = (real)nm_rng_normal(&r);
    b.states = nm_alloc(b.ctx, b.net->state_count + 1, sizeof(real));
    memcpy(b.states, b.net->states, b.net->state_count * sizeof(real));
    b.batch = (nm_batch){.n = b.n, .x = made->xs, .seed = 7, .step = 3};
    *made = b;
}

static void close_bench(bench *b)
{
    for (int i = 0; i < b->inputs; i++)
        nm_free(b->x[i]);
    nm_free(b->r);
    nm_free(b->states);
    nm_network_free(b->net);
    nm_context_free(b->ctx);
}

static nm_plan *plan_of(bench *b, int threads, bool keep_all)
{
    nm_plan *plan = NULL;
    nm_request request = {.mode = b->c->mode,
                          .batch = b->n,
                          .threads = threads,
                          .keep_all = keep_all,
                          .gradients = true,
                          .input_gradients = true};
    nm_status status = nm_plan_new(b->net, &request, &plan);
    ck_assert_msg(status == NM_OK, "'%s' could not be planned: %s", b->c->layer, nm_error_message(b->ctx, 0));
    return plan;
}

static void forward(bench *b, nm_plan *plan)
{
    memcpy(b->net->states, b->states, b->net->state_count * sizeof(real));
    nm_plan_forward(plan, &b->batch);
}

/* ---- forward against the reference
 * ------------------------------------------------------------------ */

static double *widen(bench *b, const real *from, size_t count)
{
    double *to = nm_alloc(b->ctx, count + 1, sizeof *to);
    for (size_t i = 0; i < count; i++)
        to[i] = (double)from[i];
    return to;
}

static void check_forward(bench *b, nm_plan *plan, layer_reference *reference)
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
    forward(b, plan);
    double tolerance = sizeof(real) == sizeof(double) ? 1e-11
                       : b->c->float_tolerance > 0    ? b->c->float_tolerance
                                                      : 1e-5;
    check_close(b->c->layer, nm_plan_output(plan, b->node), y, out, tolerance);
    while (count > 0)
        nm_free(made[--count]);
}

/* ---- gradients
 * -------------------------------------------------------------------------------------- */

#ifdef NM_DOUBLE
static double value_of(bench *b, nm_plan *plan)
{
    forward(b, plan);
    const real *y = nm_plan_output(plan, b->node);
    double sum = 0;
    for (size_t i = 0; i < (size_t)b->n * nm_shape_size(b->net->node[b->node].out); i++)
        sum += y[i] * b->r[i];
    return sum;
}

/* Four-point central difference: the error falls with the fourth power of the step. */
static double derivative(bench *b, nm_plan *plan, real *x)
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

static void check_tensor(bench *b, nm_plan *plan, const char *name, real *x, const real *analytic, size_t count)
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

static void check_gradients(bench *b)
{
    nm_plan *plan = plan_of(b, 1, true), *probe = plan_of(b, 1, false);
    forward(b, plan);
    nm_plan_backward_from(plan, &b->batch, b->r);
    for (int i = 0; i < b->inputs; i++)
        check_tensor(b, probe, text("input %d", i), b->x[i], nm_plan_input_gradient(plan, i),
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
static void check_gradients(bench *b)
{
    (void)b; /* the double build's work */
}
#endif

/* ---- bits
 * -------------------------------------------------------------------------------------------- */

/* Output, states, and gradients one after the other. */
static real *everything(bench *b, nm_plan *plan, size_t *count)
{
    size_t out = (size_t)b->n * nm_shape_size(b->net->node[b->node].out);
    *count = out + b->net->state_count + b->net->weight_count;
    for (int i = 0; i < b->inputs; i++)
        *count += (size_t)b->n * nm_shape_size(b->c->in[i]);
    real *all = nm_alloc(b->ctx, *count + 1, sizeof *all), *to = all;
    forward(b, plan);
    memcpy(to, nm_plan_output(plan, b->node), out * sizeof *to);
    to += out;
    memcpy(to, b->net->states, b->net->state_count * sizeof *to);
    to += b->net->state_count;
    nm_plan_backward_from(plan, &b->batch, b->r);
    memcpy(to, nm_plan_gradients(plan), b->net->weight_count * sizeof *to);
    to += b->net->weight_count;
    for (int i = 0; i < b->inputs; i++) {
        size_t size = (size_t)b->n * nm_shape_size(b->c->in[i]);
        memcpy(to, nm_plan_input_gradient(plan, i), size * sizeof *to);
        to += size;
    }
    return all;
}

static void check_bits(bench *b)
{
    static const int threads[] = {1, 2, 3, 8, 1};
    size_t count;
    nm_plan *first = plan_of(b, 1, true);
    real *expected = everything(b, first, &count);
    for (int i = 0; i < 5; i++) {
        nm_plan *plan = plan_of(b, threads[i], i != 4);
        for (int again = 0; again < 2; again++) {
            real *found = everything(b, plan, &count);
            ck_assert_msg(memcmp(found, expected, count * sizeof *found) == 0, "'%s': other bits with %d threads%s%s",
                          b->c->layer, threads[i], again ? ", second run" : "", i == 4 ? ", memory shared" : "");
            nm_free(found);
        }
        nm_plan_free(plan);
    }
    nm_free(expected);
    nm_plan_free(first);
}

/* A promise of the program, which is float: in double, OpenBLAS's kernels for the last rows of a
 * block may add in another order than those for the first. */
static void check_samples_alone(bench *b)
{
    if (b->c->mode != NM_EVAL || sizeof(real) != sizeof(float))
        return;
    nm_plan *plan = plan_of(b, 2, false);
    size_t out = nm_shape_size(b->net->node[b->node].out);
    real *all = nm_alloc(b->ctx, (size_t)b->n * out, sizeof *all);
    forward(b, plan);
    memcpy(all, nm_plan_output(plan, b->node), (size_t)b->n * out * sizeof *all);
    for (int s = 0; s < b->n; s++) {
        const real *xs[MAX_INPUTS];
        for (int i = 0; i < b->inputs; i++)
            xs[i] = b->x[i] + (size_t)s * nm_shape_size(b->c->in[i]);
        nm_batch one = {.n = 1, .x = xs, .seed = 7, .step = 3};
        nm_plan_forward(plan, &one);
        ck_assert_msg(memcmp(nm_plan_output(plan, b->node), all + (size_t)s * out, out * sizeof *all) == 0,
                      "'%s': sample %d of %d has other bits when it is alone", b->c->layer, s, b->n);
    }
    nm_free(all);
    nm_plan_free(plan);
}

void check_layer(const layer_case *c, layer_reference *reference)
{
    bench b;
    open_bench(&b, c);
    nm_plan *plan = plan_of(&b, 2, false);
    if (reference)
        check_forward(&b, plan, reference);
    nm_plan_free(plan);
    check_gradients(&b);
    check_bits(&b);
    check_samples_alone(&b);
    close_bench(&b);
}

void check_layer_forward(const layer_case *c, layer_reference *reference)
{
    bench b;
    open_bench(&b, c);
    nm_plan *plan = plan_of(&b, 2, false);
    check_forward(&b, plan, reference);
    nm_plan_free(plan);
    close_bench(&b);
}

/* What everything() gave, one tensor after the other. */
static void check_like(bench *b, const char *what, const real **found, const real **expected, size_t count,
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
    bench b, o;
    open_bench(&b, c);
    open_bench(&o, &like);
    ck_assert_uint_eq(b.net->weight_count, o.net->weight_count);
    for (int i = 0; i < b.net->params; i++)
        memcpy(nm_param_values(o.net, &o.net->param[i]), nm_param_values(b.net, &b.net->param[i]),
               b.net->param[i].count * sizeof(real));
    size_t out = (size_t)b.n * nm_shape_size(b.net->node[b.node].out), count;
    memcpy(o.r, b.r, out * sizeof(real));
    for (int i = 0; i < b.inputs; i++)
        memcpy(o.x[i], b.x[i], (size_t)b.n * nm_shape_size(c->in[i]) * sizeof(real));
    nm_plan *plan = plan_of(&b, 2, true), *plan_like = plan_of(&o, 2, true);
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
    close_bench(&b);
    close_bench(&o);
}

void check_refused(const layer_case *c, const char *message)
{
    nm_context *ctx = nm_context_new();
    nm_network *net = NULL;
    nm_plan *plan = NULL;
    int inputs;
    nm_status status = build(ctx, c, &net, &inputs);
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
