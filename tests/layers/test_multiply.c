/* Multiplication against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    nm_shape a = r->in[0], b = r->in[1];
    for (int n = 0; n < r->n; n++)
        for (int h = 0; h < a.h; h++)
            for (int w = 0; w < a.w; w++)
                for (int c = 0; c < a.c; c++)
                    y[at(a, n, h, w, c)] = r->x[0][at(a, n, h, w, c)] *
                                           r->x[1][at(b, n, b.h > 1 ? h : 0, b.w > 1 ? w : 0, b.c > 1 ? c : 0)];
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 48; i++) {
        int h = pick(1, 6), w = pick(1, 6), c = pick(1, 20);
        bool pixels = i & 1, channels = i & 2;
        check_layer(&(layer_case){"multiply: {}",
                                  {{h, w, c}, {pixels ? h : 1, pixels ? w : 1, channels ? c : 1}},
                                  .n = pick(1, 3),
                                  .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"multiply: {}", {{4, 4, 2}, {4, 1, 2}}}, "found 4x4x2 and 4x1x2");
    check_refused(&(layer_case){"multiply: {}", {{4, 4, 2}, {4, 4, 3}}}, "found 4x4x2 and 4x4x3");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("multiply");
}
END_TEST

SUITE("multiply", random_shapes, refused, golden_values)
