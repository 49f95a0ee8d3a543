/* The whole test of a pointwise layer: `formula` stands before, then POINTWISE_SUITE("relu6",
 * "relu6: {}", …), the layer's name and the texts of its cases; formula looks at `now` where cases
 * differ. */
#ifndef POINTWISE_CHECK_H
#define POINTWISE_CHECK_H

#include "layer_check.h"
#include "run_suite.h"

#include <math.h>

static double formula(double x);
static int now; /* the number of the case */

static void pointwise_reference(const layer_run *r, double *y)
{
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(r->out); i++)
        y[i] = formula(r->x[0][i]);
}

/* 32 small shapes, and one that is larger than a task; there the numbers reach from -8 to 8. */
#define POINTWISE_SUITE(name, ...)                                                                                     \
    static const char *const cases[] = {__VA_ARGS__};                                                                  \
    START_TEST(random_shapes)                                                                                          \
    {                                                                                                                  \
        for (now = 0; now < (int)(sizeof cases / sizeof *cases); now++)                                                \
            for (int i = 0; i < 32; i++)                                                                               \
                check_layer(&(layer_case){cases[now], {{pick(1, 7), pick(1, 7), pick(1, 17)}}, .n = pick(1, 3)},       \
                            pointwise_reference);                                                                      \
    }                                                                                                                  \
    END_TEST                                                                                                           \
    START_TEST(wide_range)                                                                                             \
    {                                                                                                                  \
        for (now = 0; now < (int)(sizeof cases / sizeof *cases); now++)                                                \
            check_layer(&(layer_case){cases[now], {{16, 15, 17}}, .n = 1}, pointwise_reference);                       \
        now = 0;                                                                                                       \
        check_layer(&(layer_case){cases[now], {{33, 31, 17}}, .n = 1}, pointwise_reference);                           \
    }                                                                                                                  \
    END_TEST                                                                                                           \
    START_TEST(every_cut)                                                                                              \
    {                                                                                                                  \
        for (now = 0; now < (int)(sizeof cases / sizeof *cases); now++)                                                \
            check_every_cut(cases[now]);                                                                               \
    }                                                                                                                  \
    END_TEST                                                                                                           \
    START_TEST(golden_values)                                                                                          \
    {                                                                                                                  \
        check_golden(name);                                                                                            \
    }                                                                                                                  \
    END_TEST                                                                                                           \
    SUITE(name, random_shapes, wide_range, every_cut, golden_values)

#endif
