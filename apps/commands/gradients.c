#include "gradients.h"

#include "alloc.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- the network at work ------------------------------------------------------------------- */

static size_t prediction_size(const gradients *g, int objective)
{
    return (size_t)g->batch.n * nm_shape_size(g->net->node[g->net->objective[objective].from].out);
}

/* Of an objective: what the plan's last forward gave, or an input. */
static const real *output_of(const gradients *g, int node)
{
    return node < g->net->inputs ? g->x[node] : nm_plan_output(g->plan, node);
}

/* Random labels that every loss of classes has, values for the others; space for the largest
 * prediction. */
static nm_status make_targets(gradients *g, int n)
{
    const nm_network *net = g->net;
    size_t places = 1, numbers = 1;
    int classes = 1 << 30;
    for (int i = 0; i < net->objectives; i++) {
        nm_shape s = net->node[net->objective[i].from].out;
        size_t here = (size_t)n * (size_t)s.h * (size_t)s.w;
        places = here > places ? here : places;
        numbers = here * (size_t)s.c > numbers ? here * (size_t)s.c : numbers;
        classes = s.c < classes ? s.c : classes;
    }
    int32_t *labels = nm_alloc(g->ctx, places, sizeof *labels);
    real *values = nm_alloc(g->ctx, numbers, sizeof *values);
    g->batch.targets = (nm_targets){labels, values};
    if (!labels || !values)
        return NM_FAILED;
    for (size_t k = 0; k < places; k++)
        labels[k] = (int32_t)nm_rng_below(&g->rng, (uint32_t)classes);
    for (size_t k = 0; k < numbers; k++)
        values[k] = nm_rng_uniform(&g->rng);
    return NM_OK;
}

static nm_status make_images(gradients *g, int n)
{
    const nm_network *net = g->net;
    g->x = nm_alloc(g->ctx, (size_t)net->inputs, sizeof *g->x);
    g->states = nm_alloc(g->ctx, net->state_count + 1, sizeof(real));
    if (!g->x || !g->states)
        return NM_FAILED;
    memcpy(g->states, net->states, net->state_count * sizeof(real));
    for (int i = 0; i < net->inputs; i++) {
        size_t count = (size_t)n * nm_shape_size(net->node[i].out);
        if (!(g->x[i] = nm_alloc(g->ctx, count, sizeof(real))))
            return NM_FAILED;
        for (size_t k = 0; k < count; k++)
            g->x[i][k] = nm_rng_normal(&g->rng);
    }
    g->batch = (nm_batch){.n = n, .x = (const real *const *)g->x, .seed = 1, .step = 1};
    return NM_OK;
}

/* The predictions must stay readable. */
static nm_status make_plan(gradients *g, int n)
{
    const nm_network *net = g->net;
    int *keep = nm_alloc(g->ctx, 2 * (size_t)net->objectives + 1, sizeof *keep), keeps = 0;
    if (!keep)
        return NM_FAILED;
    for (int i = 0; i < net->objectives; i++) {
        if (net->objective[i].from >= net->inputs)
            keep[keeps++] = net->objective[i].from;
        if (net->objective[i].target >= net->inputs)
            keep[keeps++] = net->objective[i].target;
    }
    nm_request request = {.mode = NM_TRAIN,
                          .batch = n,
                          .threads = nm_context_threads(g->ctx),
                          .keep = keep,
                          .keeps = keeps,
                          .input_gradients = true};
    nm_status status = nm_plan_new(g->net, &request, &g->plan);
    nm_free(keep);
    return status;
}

static void forward(gradients *g)
{
    memcpy(g->net->states, g->states, g->net->state_count * sizeof(real));
    nm_plan_forward(g->plan, &g->batch);
}

/* The samples' losses of objective i for the prediction x, times its weight; dx as in nm_loss_pass.
 */
static void run_loss(gradients *g, int i, const real *x, real *dx)
{
    const nm_objective *o = &g->net->objective[i];
    nm_loss_pass p = {.n = g->batch.n,
                      .xs = g->net->node[o->from].out,
                      .x = x,
                      .targets = g->batch.targets,
                      .dx = dx,
                      .scale = o->weight / g->batch.n,
                      .threads = nm_context_threads(g->ctx),
                      .sample_loss = g->sample_loss};
    if (o->target >= 0)
        p.targets = (nm_targets){.values = output_of(g, o->target)};
    o->type->run(&p, o->self);
}

nm_status gradients_open(nm_context *ctx, nm_network *net, int batch, uint64_t seed, gradients *g)
{
    *g = (gradients){.ctx = ctx, .net = net, .rng = nm_rng_stream(seed, "gradcheck", "batch")};
    NM_TRY(make_plan(g, batch));
    NM_TRY(make_images(g, batch));
    NM_TRY(make_targets(g, batch));
    g->sample_loss = nm_alloc(ctx, (size_t)batch, sizeof *g->sample_loss);
    g->y = nm_alloc(ctx, (size_t)net->objectives + 1, sizeof *g->y);
    g->dy = nm_alloc(ctx, (size_t)net->objectives + 1, sizeof *g->dy);
    if (!g->sample_loss || !g->y || !g->dy)
        return NM_FAILED;
    forward(g);
    for (int i = 0; i < net->objectives; i++) {
        size_t count = prediction_size(g, i);
        g->y[i] = nm_alloc(ctx, count, sizeof(real));
        g->dy[i] = nm_alloc(ctx, count, sizeof(real));
        if (!g->y[i] || !g->dy[i])
            return NM_FAILED;
        memcpy(g->y[i], output_of(g, net->objective[i].from), count * sizeof(real));
        run_loss(g, i, g->y[i], g->dy[i]);
    }
    return NM_OK;
}

void gradients_free(gradients *g)
{
    for (int i = 0; i < g->net->inputs && g->x; i++)
        nm_free(g->x[i]);
    for (int i = 0; i < g->net->objectives && g->y && g->dy; i++) {
        nm_free(g->y[i]);
        nm_free(g->dy[i]);
    }
    nm_free(g->x);
    nm_free(g->y);
    nm_free(g->dy);
    nm_free(g->states);
    nm_free(g->sample_loss);
    nm_free((void *)g->batch.targets.labels);
    nm_free((void *)g->batch.targets.values);
    nm_plan_free(g->plan);
}

void gradients_run(gradients *g)
{
    forward(g);
    nm_plan_loss(g->plan, &g->batch);
    nm_plan_backward(g->plan, &g->batch);
}

/* ---- differences --------------------------------------------------------------------------- */

/* A function of one number, by what it has changed since the start. */
typedef struct function {
    gradients *g;
    real *at;
    double (*change)(const struct function *f);
    double rounding;       /* of `change`, about */
    int objective, sample; /* of a loss */
    double sample_loss;    /* at the start */
} function;

/* What the losses would change by, were they linear: their gradients are by definition what counts.
 */
static double change_of_outputs(const function *f)
{
    gradients *g = f->g;
    double sum = 0;
    forward(g);
    for (int i = 0; i < g->net->objectives; i++) {
        const real *y = output_of(g, g->net->objective[i].from);
        for (size_t k = 0; k < prediction_size(g, i); k++)
            sum += (double)g->dy[i][k] * ((double)y[k] - (double)g->y[i][k]);
    }
    return sum;
}

static double rounding_of_outputs(const gradients *g)
{
    double sum = 0;
    for (int i = 0; i < g->net->objectives; i++)
        for (size_t k = 0; k < prediction_size(g, i); k++)
            sum += fabs((double)g->dy[i][k] * (double)g->y[i][k]);
    return DBL_EPSILON * sum;
}

static double change_of_loss(const function *f)
{
    const nm_objective *o = &f->g->net->objective[f->objective];
    run_loss(f->g, f->objective, f->g->y[f->objective], NULL);
    return o->weight / f->g->batch.n * (f->g->sample_loss[f->sample] - f->sample_loss);
}

static double change_at(const function *f, double before, double step)
{
    *f->at = (real)(before + step);
    double change = f->change(f);
    *f->at = (real)before;
    return change;
}

/* Central differences, of the fourth order or of the second. */
static double difference(const function *f, double h, bool fourth)
{
    double before = (double)*f->at, near = change_at(f, before, h) - change_at(f, before, -h);
    if (!fourth)
        return near / (2 * h);
    double far = change_at(f, before, 2 * h) - change_at(f, before, -2 * h);
    return (8 * near - far) / (12 * h);
}

/* How far the gradient is off, at the step that suits it best. A wide step is right for a smooth
 * function; a kink (of relu, of max pooling) between the points makes it wrong, and a narrow one is
 * likely to miss the kink, but rounding shows. So a step counts where rounding is far below what is
 * tolerated. Where no step does, the true gradient is next to nothing: then the widest must show
 * nothing but rounding. */
static double smallest_error(const function *f, double gradient, double scale, double size, double tolerance)
{
    static const struct {
        double width;
        bool fourth;
    } steps[] = {{1e-4, true}, {1e-6, false}, {1e-8, false}, {1e-2, true}};
    enum { STEPS = sizeof steps / sizeof *steps, MUCH = 100 };
    double error = INFINITY;
    for (int k = 0; k < STEPS && !(error <= 0.1 * tolerance); k++) {
        double h = steps[k].width * size, rounding = f->rounding / h;
        bool last = k == STEPS - 1;
        if (!last && rounding > 0.1 * tolerance * scale)
            continue;
        double off = fabs(difference(f, h, steps[k].fourth) - gradient);
        error = fmin(error, fmax(0, off - (last ? MUCH * rounding : 0)) / scale);
    }
    return error;
}

static double mean_size(const real *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum / (double)count);
}

static double largest_of(const real *values, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fabs((double)values[i]) > largest || isnan((double)values[i]) ? fabs((double)values[i]) : largest;
    return largest;
}

static size_t pick(gradients *g, int k, size_t count, int samples)
{
    return count <= (size_t)samples ? (size_t)k : nm_rng_below(&g->rng, (uint32_t)count);
}

/* What counts as a gradient at all: what rounding leaves of gradients that cancel is no number to
 * be checked. */
static double scale_of(gradients *g, double largest)
{
    enum { CANCELLED = 1000000000 };
    g->largest = fmax(g->largest, largest);
    return fmax(fmax(largest, g->largest / CANCELLED), DBL_MIN);
}

finding gradients_check(gradients *g, real *values, const real *gradient, size_t count, int samples, double tolerance)
{
    finding f = {.largest = largest_of(gradient, count)};
    double scale = scale_of(g, f.largest), common = mean_size(values, count);
    function at = {.g = g, .change = change_of_outputs, .rounding = rounding_of_outputs(g)};
    for (int k = 0; k < samples && (size_t)k < count; k++) {
        size_t i = pick(g, k, count, samples);
        double size = fmax(common, fabs((double)values[i]));
        at.at = &values[i];
        double error = smallest_error(&at, (double)gradient[i], scale, size > 0 ? size : 0.1, tolerance);
        f.checked++;
        f.error = error > f.error || isnan(error) ? error : f.error;
    }
    return f;
}

finding gradients_check_loss(gradients *g, int objective, int samples, double tolerance)
{
    size_t count = prediction_size(g, objective), sample_size = count / (size_t)g->batch.n;
    real *y = g->y[objective], *dy = g->dy[objective];
    finding f = {.largest = largest_of(dy, count)};
    double scale = scale_of(g, f.largest);
    function at = {.g = g, .change = change_of_loss, .objective = objective};
    for (int k = 0; k < samples && (size_t)k < count; k++) {
        size_t i = pick(g, k, count, samples);
        at.at = &y[i];
        at.sample = (int)(i / sample_size);
        run_loss(g, objective, y, NULL);
        at.sample_loss = g->sample_loss[at.sample];
        at.rounding = DBL_EPSILON * fabs(at.sample_loss * g->net->objective[objective].weight / g->batch.n);
        double error = smallest_error(&at, (double)dy[i], scale, fmax(0.1, fabs((double)y[i])), tolerance);
        f.checked++;
        f.error = error > f.error || isnan(error) ? error : f.error;
    }
    return f;
}
