/* Transposed convolution against straight loops, numerical derivatives, PyTorch's values, and exactly against the
 * convolution whose transpose it is. */
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
    now = (setting){{pick(1, 4), pick(1, 4)}, {pick(1, 3), pick(1, 3)}, {0}, {pick(1, 2), pick(1, 2)}, {0}, pick(1, 3),
                    pick(1, 5), pick(1, 5), pick(0, 1)};
    for (int side = 0; side < 4; side++)
        now.pad[side] = pick(0, (now.kernel[side / 2] - 1) * now.dilation[side / 2] / 2);
    for (int axis = 0; axis < 2; axis++)
        now.more[axis] = pick(0, (now.stride[axis] > now.dilation[axis] ? now.stride[axis] : now.dilation[axis]) - 1);
}

static const char *layer(void)
{
    return text("deconv: {filters: %d, kernel: [%d, %d], stride: [%d, %d], pad: [%d, %d, %d, %d], dilation: [%d, %d], "
                "output_pad: [%d, %d], groups: %d, bias: %s}", now.out * now.groups, now.kernel[0], now.kernel[1],
                now.stride[0], now.stride[1], now.pad[0], now.pad[1], now.pad[2], now.pad[3], now.dilation[0],
                now.dilation[1], now.more[0], now.more[1], now.groups, now.bias ? "true" : "false");
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

/* Larger, so that blocked algorithms are used. */
START_TEST(several_blocks)
{
    now = (setting){{4, 4}, {2, 2}, {1, 1, 1, 1}, {1, 1}, {0, 0}, 1, 24, 20, true};
    check_layer(&(layer_case){layer(), {{13, 11, 24}}, .n = 2, .linear = true}, reference);
    now = (setting){{3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, {0, 0}, 1, 24, 20, true};
    check_layer(&(layer_case){layer(), {{13, 11, 24}}, .n = 2, .linear = true}, reference);
}
END_TEST

/* On small whole numbers every sum is exact: <A x, y> == <x, A' y>, A a convolution and A' the deconv of its weights.
 */
START_TEST(transpose_of_conv)
{
    static const char *const options[] = {"kernel: 3, stride: 2, pad: 1, bias: false",
                                          "kernel: 2, stride: 2, bias: false", "kernel: 3, dilation: 2, bias: false",
                                          "kernel: [1, 4], stride: [1, 3], bias: false"};
    for (int k = 0; k < 4; k++) {
        nm_context *ctx = nm_context_new();
        nm_network *net[2];
        nm_plan *plan[2];
        nm_shape small = {0}, large = {9, k ? 10 : 9, 3}, in = large; /* each pixel is reached, or none beyond */
        for (int i = 0; i < 2; i++) {
            const char *model = text("input: {height: %d, width: %d, channels: %d}\nlayers:\n- %s: {filters: %d, %s}\n",
                                     i ? small.h : large.h, i ? small.w : large.w, i ? 4 : 3, i ? "deconv" : "conv",
                                     i ? 3 : 4, options[k]);
            nm_yaml *document;
            ck_assert_int_eq(nm_yaml_parse(ctx, "t", model, strlen(model), &document), NM_OK);
            ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net[i]), NM_OK);
            ck_assert_int_eq(nm_plan_new(net[i], &(nm_request){.mode = NM_EVAL, .batch = 2, .threads = 2}, &plan[i]),
                             NM_OK);
            small = i ? small : net[0]->node[net[0]->output].out;
        }
        large = net[1]->node[net[1]->output].out; /* what the kernel does not reach has no part in it */
        const nm_param *w = &net[0]->param[0];
        for (int tap = 0; tap < w->dims[0] * w->dims[1]; tap++) /* [3][4] to [4][3] */
            for (int i = 0; i < 12; i++) {
                real value = (real)pick(-3, 3);
                nm_param_values(net[0], w)[tap * 12 + i] = value;
                nm_param_values(net[1], &net[1]->param[0])[tap * 12 + i % 4 * 3 + i / 4] = value;
            }
        static real x[2 * 9 * 10 * 3], y[2 * 9 * 10 * 4];
        for (int i = 0; i < 2 * 9 * 10 * 3; i++)
            x[i] = (real)pick(-4, 4);
        for (int i = 0; i < 2 * 9 * 10 * 4; i++)
            y[i] = (real)pick(-4, 4);
        const real *xs[] = {x}, *ys[] = {y};
        nm_plan_forward(plan[0], &(nm_batch){.n = 2, .x = xs});
        nm_plan_forward(plan[1], &(nm_batch){.n = 2, .x = ys});
        const real *ax = nm_plan_output(plan[0], net[0]->output), *aty = nm_plan_output(plan[1], net[1]->output);
        double left = 0, right = 0;
        for (size_t i = 0; i < 2 * nm_shape_size(small); i++)
            left += (double)ax[i] * (double)y[i];
        for (int n = 0; n < 2; n++)
            for (int h = 0; h < large.h && h < in.h; h++)
                for (int v = 0; v < large.w && v < in.w; v++)
                    for (int c = 0; c < 3; c++)
                        right += (double)aty[at(large, n, h, v, c)] * (double)x[at(in, n, h, v, c)];
        ck_assert_msg(left == right, "%s: %g and %g", options[k], left, right);
        for (int i = 0; i < 2; i++) {
            nm_plan_free(plan[i]);
            nm_network_free(net[i]);
        }
        nm_context_free(ctx);
    }
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

SUITE("deconv", random_shapes, several_blocks, transpose_of_conv, extents, golden_values)
