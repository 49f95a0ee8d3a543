/* Softmax cross-entropy against its formula in long double, numerical derivatives, PyTorch's
 * values, extreme logits. */
#include "alloc.h"
#include "network.h"
#include "rng.h"
#include "run_suite.h"
#include "with_context.h"

#include <math.h>
#include <string.h>

typedef struct problem {
    int n, pixels, classes;
    double smoothing;
    const char *options;
    real *x, *dx;
    int32_t *labels;
    const real *values; /* soft targets, instead of labels */
    double *loss;
    float *correct;
    char self[256];
} problem;

static const nm_loss_type *type_of(problem *p, nm_status expected)
{
    const nm_loss_type *type = nm_type_find(ctx, NM_LOSS, "softmax_ce");
    nm_yaml *options = NULL;
    ck_assert_ptr_nonnull(type);
    ck_assert_uint_le(type->size, sizeof p->self);
    ck_assert_int_eq(nm_yaml_parse(ctx, "t", p->options, strlen(p->options), &options), NM_OK);
    memset(p->self, 0, sizeof p->self);
    ck_assert_int_eq(nm_options_read(ctx, type->options, p->self, options, NULL, "loss"), NM_OK);
    ck_assert_int_eq(type->infer(ctx, "loss", (nm_shape){1, p->pixels, p->classes}, p->self), expected);
    nm_yaml_free(options);
    return type;
}

static double run(problem *p, const nm_loss_type *type, int threads, bool gradient)
{
    nm_loss_pass pass = {.n = p->n,
                         .xs = {1, p->pixels, p->classes},
                         .x = p->x,
                         .targets = {.labels = p->values ? NULL : p->labels, .values = p->values},
                         .dx = gradient ? p->dx : NULL,
                         .scale = 1.0 / p->n,
                         .threads = threads,
                         .sample_loss = p->loss,
                         .correct = p->correct};
    type->run(&pass, p->self);
    double sum = 0;
    for (int i = 0; i < p->n; i++)
        sum += p->loss[i];
    return sum / p->n;
}

static problem make(int n, int pixels, int classes, const char *options, nm_rng *r, double range)
{
    problem p = {.n = n, .pixels = pixels, .classes = classes, .options = options};
    size_t count = (size_t)(n * pixels * classes);
    p.x = nm_alloc(ctx, count, sizeof *p.x);
    p.dx = nm_alloc(ctx, count, sizeof *p.dx);
    p.labels = nm_alloc(ctx, (size_t)(n * pixels), sizeof *p.labels);
    p.loss = nm_alloc(ctx, (size_t)n, sizeof *p.loss);
    p.correct = nm_alloc(ctx, (size_t)n, sizeof *p.correct);
    for (size_t i = 0; i < count; i++)
        p.x[i] = (real)(range * (2 * nm_rng_uniform(r) - 1));
    for (int i = 0; i < n * pixels; i++)
        p.labels[i] = (int32_t)nm_rng_below(r, (uint32_t)classes);
    return p;
}

static void drop(problem *p)
{
    const nm_loss_type *type = nm_type_find(ctx, NM_LOSS, "softmax_ce");
    nm_options_free(type->options, p->self);
    nm_free(p->x);
    nm_free(p->dx);
    nm_free(p->labels);
    nm_free(p->loss);
    nm_free(p->correct);
}

static double reference(const problem *p, double smoothing)
{
    double total = 0;
    for (int i = 0; i < p->n * p->pixels; i++) {
        long double sum = 0, off = 0;
        const real *x = p->x + i * p->classes;
        for (int c = 0; c < p->classes; c++)
            off = x[c] > off ? (long double)x[c] : off;
        for (int c = 0; c < p->classes; c++)
            sum += expl((long double)x[c] - off);
        for (int c = 0; c < p->classes; c++) {
            double t = (1 - smoothing) * (c == p->labels[i]) + smoothing / p->classes;
            total += t * (double)(logl(sum) + off - (long double)x[c]);
        }
    }
    return total / p->n / p->pixels;
}

START_TEST(random_shapes)
{
    nm_rng r = nm_rng_stream(1, "test", "softmax_ce");
    for (int i = 0; i < 40; i++) {
        int n = 1 + (int)nm_rng_below(&r, 12), pixels = i % 4 == 3 ? 1 + (int)nm_rng_below(&r, 9) : 1;
        double smoothing = i % 2 ? 0.1 : 0;
        problem p = make(n, pixels, 2 + (int)nm_rng_below(&r, 12), i % 2 ? "{label_smoothing: 0.1}" : "{}", &r, 4);
        const nm_loss_type *type = type_of(&p, NM_OK);
        double loss = run(&p, type, 2, true), expected = reference(&p, smoothing);
        ck_assert_double_lt(fabs(loss - expected), 1e-6 * (1 + expected));
        size_t count = (size_t)(p.n * p.pixels * p.classes);
        real *kept = nm_alloc(ctx, count, sizeof *kept);
        memcpy(kept, p.dx, count * sizeof *kept);
        for (int threads = 1; threads < 9; threads += 3) {
            ck_assert(run(&p, type, threads, true) == loss);
            ck_assert_mem_eq(kept, p.dx, count * sizeof *kept);
        }
#ifdef NM_DOUBLE
        double most = 0;
        for (size_t k = 0; k < count; k++)
            most = fmax(most, fabs(kept[k]));
        for (size_t k = 0; k < count; k++) {
            const double h = 1e-5;
            p.x[k] += h;
            double above = run(&p, type, 1, false);
            p.x[k] -= 2 * h;
            double below = run(&p, type, 1, false);
            p.x[k] += h;
            ck_assert_double_lt(fabs((above - below) / (2 * h) - kept[k]), 1e-6 * most);
        }
#endif
        nm_free(kept);
        drop(&p);
    }
}
END_TEST

START_TEST(extreme_logits)
{
    nm_rng r = nm_rng_stream(1, "test", "extreme");
    problem p = make(2, 1, 3, "{}", &r, 1);
    const nm_loss_type *type = type_of(&p, NM_OK);
    const real logits[6] = {10000, -10000, 0, -10000, 10000, 0};
    memcpy(p.x, logits, sizeof logits);
    p.labels[0] = 0;
    p.labels[1] = 0;
    run(&p, type, 1, true);
    ck_assert_double_eq(p.loss[0], 0);
    ck_assert_double_eq(p.loss[1], 20000);
    ck_assert(p.correct[0] == 1 && p.correct[1] == 0);
    const double expected[6] = {0, 0, 0, -0.5, 0.5, 0};
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq((double)p.dx[i], expected[i]);
    p.x[0] = (real)NAN;
    ck_assert(isnan(run(&p, type, 1, true)));
    drop(&p);
}
END_TEST

START_TEST(ignored_pixels_and_weights)
{
    nm_rng r = nm_rng_stream(1, "test", "ignored");
    problem p = make(1, 3, 2, "{ignore: 255, class_weights: [1, 3]}", &r, 1);
    const nm_loss_type *type = type_of(&p, NM_OK);
    p.labels[0] = 0;
    p.labels[1] = 255;
    p.labels[2] = 1;
    double expected = 0;
    for (int k = 0; k < 3; k += 2) {
        const real *x = p.x + 2 * k;
        double own = (double)x[p.labels[k]], other = (double)x[1 - p.labels[k]];
        expected += 0.5 * (k ? 3 : 1) * log1p(exp(other - own));
    }
    ck_assert_double_lt(fabs(run(&p, type, 1, true) - expected), 1e-6);
    ck_assert(p.dx[2] == 0 && p.dx[3] == 0);
    drop(&p);
    problem wrong = make(1, 1, 4, "{class_weights: [1, 3]}", &r, 1);
    type_of(&wrong, NM_INVALID);
    drop(&wrong);
}
END_TEST

/* Two samples of three classes. */
static void check_values(const char *options, const real *values, double loss, const double *dx)
{
    nm_rng r = nm_rng_stream(1, "test", "golden");
    problem p = make(2, 1, 3, options, &r, 1);
    const nm_loss_type *type = type_of(&p, NM_OK);
    p.values = values;
    const real logits[6] = {1, -2, (real)0.5, (real)0.25, 3, -1};
    memcpy(p.x, logits, sizeof logits);
    p.labels[0] = 2;
    p.labels[1] = 1;
    ck_assert_double_lt(fabs(run(&p, type, 1, true) - loss), 1e-6);
    for (int i = 0; i < 6; i++)
        ck_assert_double_lt(fabs((double)p.dx[i] - dx[i]), 1e-6);
    drop(&p);
}

/* From torch.nn.functional.cross_entropy in float64. */
START_TEST(golden_values)
{
    check_values("{label_smoothing: 0.2}", NULL, 0.8334832185398582,
                 (double[]){0.2685411147409796, -0.018303889548546323, -0.25023722519243324, -0.003798454537078215,
                            0.028669903420600107, -0.024871448883521927});
    check_values("{label_smoothing: 0.2, class_weights: [1, 3, 0.5]}", NULL, 0.8499744543820003,
                 (double[]){0.1779787803186857, -0.0894793893506491, -0.0884993909680366, 0.0464108394165555,
                            -0.05259126076437965, 0.006180421347824131});
    const real soft[6] = {(real)0.5, (real)0.25, (real)0.25, 0, (real)0.75, (real)0.25};
    check_values("{class_weights: [1, 3, 0.5]}", soft, 1.847015859527688,
                 (double[]){0.16507736610218024, -0.3543345147959179, 0.18925714869373764, 0.0701453371411059,
                            -0.027742312709408044, -0.04240302443169791});
}
END_TEST

SUITE_WITH("softmax_ce", with_context, random_shapes, extreme_logits, ignored_pixels_and_weights, golden_values)
