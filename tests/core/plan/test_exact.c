/* On small whole numbers every sum is exact, in float too: what layers promise as linear maps holds
 * with ==. Linearity, the transpose in backward, pairs of layers that are each other's transpose.
 */
#include "integer_map.h"
#include "run_suite.h"

/* The gradient by input k of <y, map(x)>; after apply. */
static void transpose(map *m, const real *x0, const real *x1, const real *y, int k, real *x)
{
    const real *xs[] = {x0, x1};
    nm_plan_run(m->plan, &(nm_batch){.n = N, .x = xs, .dy = y}, NM_PHASE_LOSS | NM_PHASE_BACKWARD);
    memcpy(x, nm_plan_output_gradient(m->plan, k), m->in[k] * sizeof *x);
}

static double product(const real *a, const real *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void ck_same(const char *what, const real *a, const real *b, size_t count)
{
    bool some = false;
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(a[i] == b[i], "%s: element %zu is %g, not %g", what, i, (double)a[i], (double)b[i]);
        some = some || a[i] != 0;
    }
    ck_assert_msg(some, "%s: all zero", what);
}

static real x[ROOM], x2[ROOM], y[ROOM], y2[ROOM], z[ROOM], sum[ROOM];

/* ---- linear layers --------------------------------------------------------------------------- */

static const struct {
    const char *layers;
    nm_shape in;
} linear[] = {
    {"- conv: {filters: 5, kernel: 3, pad: 1, bias: false, algorithm: im2col}\n", {7, 6, 4}},
    {"- conv: {filters: 5, kernel: 3, stride: 2, pad: same, bias: false}\n", {9, 8, 3}},
    {"- conv: {filters: 6, kernel: [2, 5], stride: [1, 3], dilation: [2, 1], pad: [2, 0, 1, 3], groups: 2, bias: "
     "false}\n",
     {7, 9, 4}},
    {"- conv: {filters: 20, kernel: 1, bias: false}\n", {5, 4, 18}},
    {"- conv: {filters: 6, kernel: 3, pad: 1, groups: 6, bias: false}\n", {7, 6, 6}},
    {"- conv: {filters: 6, kernel: 3, pad: 1, groups: 6, stride: 2, bias: false}\n", {7, 6, 6}},
    {"- conv: {filters: 3, kernel: 3, bias: false, algorithm: reference}\n", {5, 5, 2}},
    {"- deconv: {filters: 4, kernel: 4, stride: 2, pad: 1, output_pad: 1, bias: false}\n", {4, 5, 3}},
    {"- deconv: {filters: 4, kernel: 2, dilation: 2, groups: 2, bias: false}\n", {4, 5, 2}},
    {"- dense: {units: 7, bias: false}\n", {2, 3, 4}},
    {"- avgpool: {size: 2}\n", {6, 8, 5}},
    {"- avgpool: {size: 4, stride: 2, pad: 1}\n", {6, 8, 5}},
    {"- sumpool: {size: 3, stride: 2, pad: 1, ceil: true}\n", {6, 7, 5}},
    {"- gap\n", {4, 4, 6}},
    {"- adaptive_avgpool: {size: [2, 2]}\n", {4, 8, 6}},
    {"- upsample: {scale: 3}\n", {3, 2, 5}},
    {"- upsample: {scale: 2, mode: bilinear}\n", {4, 4, 5}},
    {"- pad: {pad: [1, 2, 3, 0]}\n", {4, 3, 5}},
    {"- crop: {crop: [1, 0, 1, 2]}\n", {4, 5, 3}},
    {"- slice: {first: 1, count: 3}\n", {4, 3, 6}},
    {"- flatten\n", {4, 3, 2}},
    {"- reshape: {height: 2, width: 6, channels: 2}\n", {4, 3, 2}},
    {"- {name: j, concat: {}, from: [x0, x0]}\n", {4, 3, 2}},
    {"- {name: j, add: {}, from: [x0, x0]}\n", {4, 3, 2}},
};
enum { LINEAR = sizeof linear / sizeof *linear };

START_TEST(linear_layers_are_linear)
{
    map m = open_map(linear[_i].layers, &linear[_i].in, 1);
    whole_numbers(x, m.in[0]);
    whole_numbers(x2, m.in[0]);
    apply(&m, x, NULL, y);
    apply(&m, x2, NULL, y2);
    for (size_t i = 0; i < m.in[0]; i++)
        sum[i] = 3 * x[i] - 2 * x2[i];
    apply(&m, sum, NULL, z);
    for (size_t i = 0; i < m.out; i++)
        sum[i] = 3 * y[i] - 2 * y2[i];
    ck_same(linear[_i].layers, z, sum, m.out);
    close_map(&m);
}
END_TEST

START_TEST(backward_is_the_transpose)
{
    map m = open_map(linear[_i].layers, &linear[_i].in, 1);
    whole_numbers(x, m.in[0]);
    whole_numbers(y2, m.out);
    apply(&m, x, NULL, y);
    transpose(&m, x, NULL, y2, 0, x2);
    double left = product(y, y2, m.out), right = product(x, x2, m.in[0]);
    ck_assert_msg(left == right && left != 0, "%s: %g and %g", linear[_i].layers, left, right);
    close_map(&m);
}
END_TEST

/* ---- pairs --------------------------------------------------------------------------------- */

/* `there` and `back` are each other's transpose: <there(x), y> == <x, back(y)>, and each is the
 * other's backward. */
static void check_pair(const char *there, const char *back, nm_shape in)
{
    map a = open_map(there, &in, 1);
    map b = open_map(back, &a.shape, 1);
    ck_assert_uint_eq(b.out, a.in[0]);
    whole_numbers(x, a.in[0]);
    whole_numbers(y2, a.out);
    apply(&a, x, NULL, y);
    apply(&b, y2, NULL, x2);
    ck_assert_double_eq(product(y, y2, a.out), product(x, x2, a.in[0]));
    transpose(&a, x, NULL, y2, 0, z);
    ck_same(there, x2, z, a.in[0]);
    transpose(&b, y2, NULL, x, 0, z);
    ck_same(back, y, z, a.out);
    close_map(&a);
    close_map(&b);
}

START_TEST(pad_and_crop)
{
    check_pair("- pad: {pad: [1, 2, 0, 3]}\n", "- crop: {crop: [1, 2, 0, 3]}\n", (nm_shape){4, 5, 3});
}
END_TEST

/* Convolution and deconvolution by the same kernels, HWIO with I and O exchanged. */
START_TEST(conv_and_deconv)
{
    static const char *const options[] = {"kernel: 3, stride: 2, pad: 1", "kernel: 2, stride: 2",
                                          "kernel: 3, dilation: 2", "kernel: [1, 4], stride: [1, 3]",
                                          "kernel: 5, pad: 2"};
    for (int k = 0; k < 5; k++) {
        const nm_shape in = {9, 10 - (k == 0), 3}; /* each pixel is reached */
        map conv = open_map(text("- conv: {filters: 4, bias: false, algorithm: im2col, %s}\n", options[k]), &in, 1);
        map deconv = open_map(text("- deconv: {filters: 3, bias: false, %s}\n", options[k]), &conv.shape, 1);
        const nm_param *w = &conv.net->param[0];
        for (int tap = 0; tap < w->dims[0] * w->dims[1]; tap++)
            for (int i = 0; i < 12; i++)
                deconv.net->weights[tap * 12 + i % 4 * 3 + i / 4] = conv.net->weights[tap * 12 + i];
        whole_numbers(x, conv.in[0]);
        whole_numbers(y2, conv.out);
        apply(&conv, x, NULL, y);
        apply(&deconv, y2, NULL, x2);
        transpose(&conv, x, NULL, y2, 0, z);
        double right = 0;
        for (int n = 0; n < N; n++)
            for (int h = 0; h < deconv.shape.h; h++) /* what no kernel reaches is not in the deconv's output */
                for (int v = 0; v < deconv.shape.w; v++)
                    for (int c = 0; c < 3; c++) {
                        real found = x2[at(deconv.shape, n, h, v, c)];
                        right += (double)found * (double)x[at(in, n, h, v, c)];
                        ck_assert_msg(found == z[at(in, n, h, v, c)], "%s: deconv is not conv's backward", options[k]);
                    }
        ck_assert_double_eq(product(y, y2, conv.out), right);
        close_map(&conv);
        close_map(&deconv);
    }
}
END_TEST

START_TEST(sumpool_and_upsample)
{
    check_pair("- sumpool: {size: 2}\n", "- upsample: {scale: 2}\n", (nm_shape){6, 4, 5});
}
END_TEST

START_TEST(concat_and_slice)
{
    const nm_shape in[] = {{4, 3, 2}, {4, 3, 5}};
    map whole = open_map("- {name: j, concat: {}, from: [x0, x1]}\n", in, 2);
    map first = open_map("- slice: {first: 0, count: 2}\n", &whole.shape, 1);
    map second = open_map("- slice: {first: 2, count: 5}\n", &whole.shape, 1);
    whole_numbers(x, whole.in[0]);
    whole_numbers(x2, whole.in[1]);
    whole_numbers(y2, whole.out);
    apply(&whole, x, x2, y);
    double left = product(y, y2, whole.out);
    apply(&first, y2, NULL, z);
    apply(&second, y2, NULL, sum);
    ck_assert_double_eq(left, product(x, z, first.out) + product(x2, sum, second.out));
    real dx[256];
    transpose(&whole, x, x2, y2, 0, dx);
    ck_same("concat's gradient by its first input", dx, z, first.out);
    transpose(&whole, x, x2, y2, 1, dx);
    ck_same("concat's gradient by its second input", dx, sum, second.out);
    apply(&first, y, NULL, z);
    ck_same("the first slice of a concat", z, x, first.out);
    close_map(&whole);
    close_map(&first);
    close_map(&second);
}
END_TEST

/* A max pool picks: y = S x. Unpool with its places is S', and so is the pool's backward. */
START_TEST(pool_and_unpool)
{
    static const char *const pools[] = {"size: 2", "size: 3, stride: 2", "size: 3, stride: 1, pad: 1",
                                        "size: 2, ceil: true"};
    for (int k = 0; k < 4; k++) {
        nm_shape in[] = {{7, 6, 5}, {0}};
        map pool = open_map(text("- maxpool: {%s}\n", pools[k]), in, 1);
        in[1] = pool.shape;
        map unpool = open_map(
            text("- {name: p, maxpool: {%s}, from: x0}\n- {name: u, unpool: {pool: p}, from: x1}\n", pools[k]), in, 2);
        for (size_t i = 0; i < pool.in[0]; i++)
            x[i] = (real)(i * 37 % 1009); /* no two alike in a window */
        whole_numbers(y2, pool.out);
        apply(&pool, x, NULL, y);
        transpose(&pool, x, NULL, y2, 0, z);
        apply(&unpool, x, y2, x2);
        ck_same(pools[k], x2, z, pool.in[0]);
        ck_assert_double_eq(product(y, y2, pool.out), product(x, x2, pool.in[0]));
        transpose(&unpool, x, y2, x, 1, z);
        ck_same("unpool's gradient", z, y, pool.out);
        close_map(&pool);
        close_map(&unpool);
    }
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, linear_layers_are_linear, 0, LINEAR);
    tcase_add_loop_test(tcase, backward_is_the_transpose, 0, LINEAR);
}

SUITE_WITH("exact", set_up, conv_and_deconv, pad_and_crop, sumpool_and_upsample, concat_and_slice, pool_and_unpool)
