/* Shift equivariance: an input that is shifted gives an output that is. */
#include "integer_map.h"
#include "run_suite.h"

static real x[ROOM], x2[ROOM], y[ROOM], y2[ROOM];

/* An input shifted by `step` pixels down and to the right gives an output shifted by `jump`, apart
 * from `border` rows and columns on each side of it. */
static const struct {
    const char *layers;
    int step, jump, border;
} shifts[] = {
    {"- conv: {filters: 5, kernel: 3, bias: false, algorithm: im2col}\n", 1, 1, 0},
    {"- conv: {filters: 5, kernel: 3, pad: 1, bias: false, algorithm: im2col}\n", 1, 1, 1},
    {"- conv: {filters: 5, kernel: 5, stride: 2, pad: 2}\n", 2, 1, 1},
    {"- conv: {filters: 5, kernel: 3, dilation: 2}\n", 1, 1, 0},
    {"- conv: {filters: 4, kernel: 3, pad: 1, groups: 4}\n", 1, 1, 1},
    {"- conv: {filters: 7, kernel: 1, stride: 2}\n", 2, 1, 0},
    {"- deconv: {filters: 3, kernel: 4, stride: 2, pad: 1}\n", 1, 2, 4},
    {"- maxpool: {size: 3, stride: 2}\n", 2, 1, 0},
    {"- maxpool: {size: 3, stride: 1, pad: 1}\n", 1, 1, 1},
    {"- avgpool: {size: 4, stride: 2}\n", 2, 1, 0},
    {"- sumpool: {size: 3, stride: 1}\n", 1, 1, 0},
    {"- upsample: {scale: 2}\n", 1, 2, 0},
};
enum { SHIFTS = sizeof shifts / sizeof *shifts };

static void check_shift(int index)
{
    const nm_shape in = {12, 11, 4};
    const int step = shifts[index].step, jump = shifts[index].jump, border = shifts[index].border;
    map m = open_map(shifts[index].layers, &in, 1);
    whole_numbers(x, m.in[0]);
    whole_numbers(x2, m.in[0]);
    for (int n = 0; n < N; n++)
        for (int h = step; h < in.h; h++)
            for (int w = step; w < in.w; w++)
                memcpy(&x2[at(in, n, h, w, 0)], &x[at(in, n, h - step, w - step, 0)], (size_t)in.c * sizeof *x);
    apply(&m, x, NULL, y);
    apply(&m, x2, NULL, y2);
    int compared = 0;
    for (int n = 0; n < N; n++)
        for (int h = border; h + jump < m.shape.h - border; h++)
            for (int w = border; w + jump < m.shape.w - border; w++, compared++)
                for (int c = 0; c < m.shape.c; c++) {
                    real there = y2[at(m.shape, n, h + jump, w + jump, c)], here = y[at(m.shape, n, h, w, c)];
                    ck_assert_msg(there == here, "%s: (%d, %d, %d) is %g and %g", shifts[index].layers, h, w, c,
                                  (double)here, (double)there);
                }
    ck_assert_int_gt(compared, 10);
    close_map(&m);
}

START_TEST(shifts_go_through)
{
    for (int i = 0; i < SHIFTS; i++)
        check_shift(i);
}
END_TEST

SUITE_WITH("shifts", with_context, shifts_go_through)
