/* The differences of gradients.h: at which step a numerical derivative is right, and how far it is
 * off. */
#include "gradients.h"

#include <float.h>
#include <math.h>

/* A function of one number, by what it has changed since the start. */
typedef struct function {
    gradients *g;
    nm_real *at;
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
    if (gradients_forward(g) != NM_OK)
        return (double)NAN;
    for (int i = 0; i < nm_network_objectives(g->net); i++) {
        const judged *j = &g->judged[i];
        const nm_real *y = nm_trainer_layer_output(g->trainer, j->info.layer);
        for (size_t k = 0; k < j->count; k++)
            sum += (double)j->dy[k] * ((double)y[k] - (double)j->y[k]);
    }
    return sum;
}

static double rounding_of_outputs(const gradients *g)
{
    double sum = 0;
    for (int i = 0; i < nm_network_objectives(g->net); i++) {
        const judged *j = &g->judged[i];
        for (size_t k = 0; k < j->count; k++)
            sum += fabs((double)j->dy[k] * (double)j->y[k]);
    }
    return DBL_EPSILON * sum;
}

static double change_of_loss(const function *f)
{
    const judged *j = &f->g->judged[f->objective];
    if (gradients_run_loss(f->g, f->objective, NULL) != NM_OK)
        return (double)NAN;
    return j->info.weight / f->g->batch.n * (j->losses[f->sample] - f->sample_loss);
}

static double change_at(const function *f, double before, double step)
{
    *f->at = (nm_real)(before + step);
    double change = f->change(f);
    *f->at = (nm_real)before;
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
 * nothing but rounding. Infinite: the gradient is no number, or no difference is. */
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
        if (!isnan(off))
            error = fmin(error, fmax(0, off - (last ? MUCH * rounding : 0)) / scale);
    }
    return error;
}

static double largest_of(const nm_real *values, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fabs((double)values[i]) > largest || isnan((double)values[i]) ? fabs((double)values[i]) : largest;
    return largest;
}

static double mean_size(const nm_real *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return isfinite(sum) ? sqrt(sum / (double)count) : largest_of(values, count);
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

finding gradients_check(gradients *g, nm_real *values, const nm_real *gradient, size_t count, int samples,
                        double tolerance)
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
        f.error = fmax(f.error, error);
    }
    return f;
}

finding gradients_check_loss(gradients *g, int objective, int samples, double tolerance)
{
    const judged *j = &g->judged[objective];
    size_t count = j->count, sample_size = count / (size_t)g->batch.n;
    finding f = {.largest = largest_of(j->dy, count)};
    double scale = scale_of(g, f.largest);
    function at = {.g = g, .change = change_of_loss, .objective = objective};
    for (int k = 0; k < samples && (size_t)k < count; k++) {
        size_t i = pick(g, k, count, samples);
        at.at = &j->y[i];
        at.sample = (int)(i / sample_size);
        at.sample_loss = j->start[at.sample];
        at.rounding = DBL_EPSILON * fabs(at.sample_loss * j->info.weight / g->batch.n);
        double error = smallest_error(&at, (double)j->dy[i], scale, fmax(0.1, fabs((double)j->y[i])), tolerance);
        f.checked++;
        f.error = fmax(f.error, error);
    }
    return f;
}
