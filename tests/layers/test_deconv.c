/* Transposed convolution against straight loops, numerical derivatives, PyTorch's values, and
 * exactly against the convolution whose transpose it is. */
#include "layer_check.h"
#include "run_suite.h"

#include <string.h>

typedef struct setting {
    int kernel[2], stride[2], pad[4], dilation[2], more[2], groups, in, out; /* in, out: channels of a group */
    bool bias;
} setting;
static setting now;

static void random_setting(void)
{
    now = (setting){{pick(1, 4), pick(1, 4)},
                    {pick(1, 3), pick(1, 3)},
                    {0},
                    {pick(1, 2), pick(1, 2)},
                    {0},
                    pick(1, 3),
                    pick(1, 5),
                    pick(1, 5),
                    pick(0, 1)};
    for (int side = 0; side < 4; side++)
        now.pad[side] = pick(0, (now.kernel[side / 2] - 1) * now.dilation[side / 2] / 2);
    for (int axis = 0; axis < 2; axis++)
        now.more[axis] = pick(0, (now.stride[axis] > now.dilation[axis] ? now.stride[axis] : now.dilation[axis]) - 1);
}

static const char *layer(void)
{
    return text("deconv: {filters: %d, kernel: [%d, %d], stride: [%d, %d], pad: [%d, %d, %d, %d], dilation: [%d, %d], "
                "output_pad: [%d, %d], groups: %d, bias: %s}",
                now.out * now.groups, now.kernel[0], now.kernel[1], now.stride[0], now.stride[1], now.pad[0],
                now.pad[1], now.pad[2], now.pad[3], now.dilation[0], now.dilation[1], now.more[0], now.more[1],
                now.groups, now.bias ? "true" : "false");
}

static void reference(const layer_run *r, double *y)
{
    nm_shape in = r->in[0], out = r->out;
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(out); i++)
        y[i] = now.bias ? r->param[1][i % (size_t)out.c] : 0;
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < in.h; i++)
            for (int j = 0; j < in.w; j++)
                for (int a = 0; a < now.kernel[0]; a++)
                    for (int b = 0; b < now.kernel[1]; b++) {
                        int h = i * now.stride[0] - now.pad[0] + a * now.dilation[0];
                        int w = j * now.stride[1] - now.pad[2] + b * now.dilation[1];
                        if (h < 0 || w < 0 || h >= out.h || w >= out.w)
                            continue;
                        for (int c = 0; c < in.c; c++)
                            for (int o = 0; o < now.out; o++)
                                y[at(out, n, h, w, c / now.in * now.out + o)] +=
                                    r->x[0][at(in, n, i, j, c)] *
                                    r->param[0][((a * now.kernel[1] + b) * in.c + c) * now.out + o];
                    }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 60; i++) {
        random_setting();
        check_layer(
            &(layer_case){layer(), {{pick(3, 6), pick(3, 6), now.in * now.groups}}, .n = pick(1, 3), .linear = true},
            reference);
    }
}
END_TEST

/* Taps far apart, of which the padding takes off most or all but the middle. */
START_TEST(dilation_over_the_output)
{
    for (int i = 0; i < 40; i++) {
        nm_shape in = {pick(1, 5), pick(1, 5), 0};
        random_setting();
        for (int axis = 0; axis < 2; axis++) {
            now.dilation[axis] = pick(1, 12);
            int spare = (axis ? in.w - 1 : in.h - 1) * now.stride[axis] + (now.kernel[axis] - 1) * now.dilation[axis];
            now.pad[2 * axis] = pick(spare / 4, spare / 2);
            now.pad[2 * axis + 1] = pick(spare / 4, spare / 2);
        }
        in.c = now.in * now.groups;
        check_layer(&(layer_case){layer(), {in}, .n = pick(1, 3), .linear = true}, reference);
    }
}
END_TEST

/* Larger, so that blocked algorithms are used. */
START_TEST(several_blocks)
{
    now = (setting){{4, 4}, {2, 2}, {1, 1, 1, 1}, {1, 1}, {0, 0}, 1, 24, 20, true};
    check_layer(&(layer_case){layer(), {{13, 11, 24}}, .n = 2, .linear = true}, reference);
    now = (setting){{3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, {0, 0}, 1, 24, 20, true};
    check_layer(&(layer_case){layer(), {{13, 11, 24}}, .n = 2, .linear = true}, reference);
}
END_TEST

START_TEST(extents)
{
    check_refused(&(layer_case){"deconv: {filters: 1, kernel: 2, pad: 3}", {{3, 3, 1}}}, "would have -2 rows");
    check_refused(&(layer_case){"deconv: {filters: 3, groups: 2}", {{3, 3, 2}}},
                  "found 2 groups, 2 channels, 3 filters");
    check_refused(&(layer_case){"deconv: {filters: 1, stride: 2, output_pad: 2}", {{3, 3, 2}}},
                  "output_pad must be less");
    now = (setting){{4, 4}, {2, 2}, {1, 1, 1, 1}, {1, 1}, {0, 0}, 1, 2, 3, true};
    check_layer(
        &(layer_case){"deconv: {filters: 3, kernel: 4, stride: 2, pad: same}", {{5, 4, 2}}, .n = 1, .linear = true},
        reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("deconv");
}
END_TEST

SUITE("deconv", random_shapes, dilation_over_the_output, several_blocks, extents, golden_values)
