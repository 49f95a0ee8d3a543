/* A loss under test: its value against a reference, its gradient against numerical derivatives, its
 * bits for any number of threads, and PyTorch's values (tests/golden/losses.h5, from
 * make_golden_losses.py). */
#ifndef LOSS_CHECK_H
#define LOSS_CHECK_H

#include "alloc.h"
#include "h5.h"
#include "network.h"
#include "rng.h"
#include "run_suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct loss_case {
    const char *name, *options;
    int n;
    nm_shape shape;
    bool values; /* targets are numbers in 0..1, not labels */
} loss_case;

/* The loss of one sample; labels [h * w] or values [h * w * c], the other NULL. */
typedef double loss_reference(const loss_case *c, const real *x, const int32_t *labels, const real *values);

typedef struct loss_bench {
    nm_context *ctx;
    const nm_loss_type *type;
    loss_case c;
    char self[256];
    nm_yaml *options;
    real *x, *dx, *values;
    int32_t *labels;
    double *loss;
    float *correct;
} loss_bench;

static inline void loss_open(loss_bench *b, const loss_case *c)
{
    *b = (loss_bench){.ctx = nm_context_new(), .c = *c};
    b->type = nm_type_find(b->ctx, NM_LOSS, c->name);
    ck_assert_ptr_nonnull(b->type);
    ck_assert_uint_le(b->type->size, sizeof b->self);
    ck_assert_int_eq(nm_yaml_parse(b->ctx, "t", c->options, strlen(c->options), &b->options), NM_OK);
    ck_assert_int_eq(nm_options_read(b->ctx, b->type->options, b->self, b->options, NULL, "loss"), NM_OK);
    if (b->type->infer)
        ck_assert_int_eq(b->type->infer(b->ctx, "loss", c->shape, b->self), NM_OK);
    size_t count = (size_t)c->n * nm_shape_size(c->shape);
    b->x = nm_alloc(b->ctx, count, sizeof *b->x);
    b->dx = nm_alloc(b->ctx, count, sizeof *b->dx);
    b->values = nm_alloc(b->ctx, count, sizeof *b->values);
    b->labels = nm_alloc(b->ctx, count, sizeof *b->labels);
    b->loss = nm_alloc(b->ctx, (size_t)c->n, sizeof *b->loss);
    b->correct = nm_alloc(b->ctx, (size_t)c->n, sizeof *b->correct);
}

static inline void loss_close(loss_bench *b)
{
    nm_options_free(b->type->options, b->self);
    nm_yaml_free(b->options);
    nm_free(b->x);
    nm_free(b->dx);
    nm_free(b->values);
    nm_free(b->labels);
    nm_free(b->loss);
    nm_free(b->correct);
    nm_context_free(b->ctx);
}

/* The mean over the samples. */
static inline double loss_run(loss_bench *b, int threads, bool gradient)
{
    nm_loss_pass pass = {.n = b->c.n,
                         .xs = b->c.shape,
                         .x = b->x,
                         .dx = gradient ? b->dx : NULL,
                         .scale = 1.0 / b->c.n,
                         .threads = threads,
                         .sample_loss = b->loss,
                         .correct = b->type->classifies ? b->correct : NULL};
    if (b->c.values)
        pass.targets.values = b->values;
    else
        pass.targets.labels = b->labels;
    b->type->run(&pass, b->self);
    double sum = 0;
    for (int i = 0; i < b->c.n; i++)
        sum += b->loss[i];
    return sum / b->c.n;
}

static inline void loss_fill(loss_bench *b, nm_rng *r, double range)
{
    size_t count = (size_t)b->c.n * nm_shape_size(b->c.shape);
    for (size_t i = 0; i < count; i++) {
        b->x[i] = (real)(range * (2 * nm_rng_uniform(r) - 1));
        b->values[i] = (real)(nm_rng_uniform(r) > 0.3 ? nm_rng_uniform(r) : nm_rng_below(r, 2));
        b->labels[i] = (int32_t)nm_rng_below(r, (uint32_t)b->c.shape.c);
    }
}

static inline void check_loss_gradient(loss_bench *b, const real *dx, size_t count)
{
#ifdef NM_DOUBLE
    double most = 1e-9;
    for (size_t k = 0; k < count; k++)
        most = fmax(most, fabs(dx[k]));
    for (size_t k = 0; k < count; k++) {
        const double h = 1e-5;
        real kept = b->x[k];
        b->x[k] = kept + h;
        double above = loss_run(b, 1, false);
        b->x[k] = kept - h;
        double below = loss_run(b, 1, false);
        b->x[k] = kept;
        double numerical = (above - below) / (2 * h);
        ck_assert_msg(fabs(numerical - dx[k]) <= 1e-6 * most, "%s %s: element %zu: numerical %.12g, analytic %.12g",
                      b->c.name, b->c.options, k, numerical, dx[k]);
    }
#else
    (void)b;
    (void)dx;
    (void)count;
#endif
}

static inline void check_loss(const loss_case *c, nm_rng *r, loss_reference *reference)
{
    loss_bench b;
    loss_open(&b, c);
    loss_fill(&b, r, 3);
    double loss = loss_run(&b, 2, true), expected = 0;
    size_t size = nm_shape_size(c->shape), count = (size_t)c->n * size,
           pixels = (size_t)c->shape.h * (size_t)c->shape.w;
    for (int i = 0; i < c->n; i++)
        expected += reference(c, b.x + (size_t)i * size, c->values ? NULL : b.labels + (size_t)i * pixels,
                              c->values ? b.values + (size_t)i * size : NULL) /
                    c->n;
    ck_assert_msg(fabs(loss - expected) <= (sizeof(real) == 8 ? 1e-12 : 1e-6) * (1 + fabs(expected)),
                  "%s %s: expected %.12g, found %.12g", c->name, c->options, expected, loss);
    real *dx = nm_alloc(b.ctx, count, sizeof *dx);
    memcpy(dx, b.dx, count * sizeof *dx);
    for (int threads = 1; threads < 9; threads += 3) {
        ck_assert(loss_run(&b, threads, true) == loss);
        ck_assert_mem_eq(dx, b.dx, count * sizeof *dx);
    }
    check_loss_gradient(&b, dx, count);
    nm_free(dx);
    loss_close(&b);
}

/* 40 random shapes, every third with pixels. */
static inline void check_loss_shapes(const char *name, const char *const *options, int texts, bool values,
                                     loss_reference *reference)
{
    nm_rng r = nm_rng_stream(1, "test", name);
    for (int i = 0; i < 40; i++) {
        int side = i % 3 ? 1 : 1 + (int)nm_rng_below(&r, 4);
        check_loss(&(loss_case){name,
                                options[i % texts],
                                1 + (int)nm_rng_below(&r, 9),
                                {side, side, 2 + (int)nm_rng_below(&r, 9)},
                                values},
                   &r, reference);
    }
}

/* The group NAME.CASE of tests/golden/losses.h5. */
static inline void check_golden_loss(const char *name, const char *golden, const char *options, bool values)
{
    char path[1024], at[128];
    const char *folder = getenv("NORMA_GOLDEN");
    nm_context *ctx = nm_context_new();
    nm_h5 *h5;
    nm_h5_shape s;
    snprintf(path, sizeof path, "%s/losses.h5", folder ? folder : "tests/golden");
    ck_assert_msg(nm_h5_open(ctx, path, false, &h5) == NM_OK, "%s", nm_error_message(ctx, 0));
    snprintf(at, sizeof at, "/%s.%s/x", name, golden);
    ck_assert_int_eq(nm_h5_look(h5, at, &s), NM_OK);
    loss_bench b;
    loss_open(&b,
              &(loss_case){name, options, (int)s.dims[0], {(int)s.dims[1], (int)s.dims[2], (int)s.dims[3]}, values});
    double *expected = nm_alloc(ctx, s.count, sizeof *expected), loss;
    ck_assert_int_eq(nm_h5_read(h5, at, NM_H5_REAL, 4, s.dims, b.x), NM_OK);
    snprintf(at, sizeof at, "/%s.%s/target", name, golden);
    if (values)
        ck_assert_int_eq(nm_h5_read(h5, at, NM_H5_REAL, 4, s.dims, b.values), NM_OK);
    else
        ck_assert_int_eq(nm_h5_read(h5, at, NM_H5_F64, 3, s.dims, expected), NM_OK);
    for (size_t i = 0; !values && i < s.dims[0] * s.dims[1] * s.dims[2]; i++)
        b.labels[i] = (int32_t)expected[i];
    snprintf(at, sizeof at, "/%s.%s/loss", name, golden);
    ck_assert_int_eq(nm_h5_read(h5, at, NM_H5_F64, 1, (size_t[]){1}, &loss), NM_OK);
    double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-5;
    ck_assert_double_eq_tol(loss_run(&b, 2, true), loss, tolerance * loss);
    snprintf(at, sizeof at, "/%s.%s/dx", name, golden);
    ck_assert_int_eq(nm_h5_read(h5, at, NM_H5_F64, 4, s.dims, expected), NM_OK);
    double most = 0;
    for (size_t i = 0; i < s.count; i++)
        most = fmax(most, fabs(expected[i]));
    for (size_t i = 0; i < s.count; i++)
        ck_assert_double_eq_tol((double)b.dx[i], expected[i], tolerance * most);
    nm_free(expected);
    loss_close(&b);
    nm_h5_free(h5);
    nm_context_free(ctx);
}

#endif
