/* Convolution: every algorithm against straight loops, numerical derivatives, PyTorch's values and
 * whole numbers. */
#include "alloc.h"
#include "conv_check.h"
#include "layer_cases.h"
#include "run_suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Any kernel, stride (also beyond the kernel), dilation, padding and groups; the algorithm that
 * planning chooses, blocked im2col and the reference. */
START_TEST(random_shapes)
{
    static const char *const algorithms[] = {"auto", "im2col", "reference"};
    for (int i = 0; i < 45; i++) {
        int groups = i % 3 == 2 ? pick(1, 3) : 1, channels = groups * pick(1, 4);
        now = (setting){groups * pick(1, 4),
                        {pick(1, 4), pick(1, 4)},
                        {pick(1, 5), pick(1, 3)},
                        {pick(1, 2), pick(1, 3)},
                        groups,
                        pick(0, 2),
                        pick(0, 3),
                        pick(0, 1)};
        if (i % 5 == 4) /* depthwise */
            now.groups = channels = now.filters = pick(2, 6);
        nm_shape in = {reach(0) + pick(0, 5), reach(1) + pick(0, 5), channels};
        check_layer(&(layer_case){layer_text(algorithms[i % 3]), {in}, .n = pick(1, 4), .linear = true}, reference);
    }
}
END_TEST

/* Taps that all lie in the padding, for some outputs or for all: dilation as large as the map, or
 * larger (the middle tap alone reads the input then), and kernels that reach over the whole of it.
 */
START_TEST(dilation_over_the_input)
{
    static const char *const algorithms[] = {"auto", "im2col", "reference", "depthwise"};
    for (int i = 0; i < 80; i++) {
        int by = i % 4, groups = i % 3 == 2 ? pick(1, 3) : 1, channels = groups * pick(1, 4);
        nm_shape in = {pick(1, 8), pick(1, 8), channels};
        now = (setting){groups * pick(1, 20),
                        {pick(1, 4), pick(1, 4)},
                        {pick(1, 3), pick(1, 3)},
                        {pick(1, 14), pick(1, 14)},
                        groups,
                        0,
                        0,
                        pick(0, 1)};
        if (by == 3)
            now.groups = now.filters = in.c = i % 2 ? pick(1, 5) : pick(16, 40);
        now.top = (reach(0) > in.h ? (reach(0) - in.h + 1) / 2 : 0) + pick(0, 6);
        now.left = (reach(1) > in.w ? (reach(1) - in.w + 1) / 2 : 0) + pick(0, 6);
        check_layer(&(layer_case){layer_text(algorithms[by]), {in}, .n = pick(1, 5), .linear = true}, reference);
    }
    now = (setting){3, {3, 3}, {1, 1}, {12, 12}, 1, 12, 12, false};
    check_layer(
        &(layer_case){"conv: {filters: 3, dilation: 12, pad: same, bias: false}", {{8, 8, 2}}, .n = 2, .linear = true},
        reference);
}
END_TEST

/* Maps smaller than the kernel. */
START_TEST(kernel_over_the_input)
{
    static const char *const algorithms[] = {"direct", "winograd_1d", "winograd_2x2", "winograd_4x4"};
    for (int i = 0; i < 40; i++) {
        nm_shape in = {pick(1, 3), pick(1, 3), pick(1, 3)};
        int stride = i % 4 ? 1 : pick(1, 3);
        now = (setting){16 * pick(1, 2), {3, 3}, {stride, stride}, {1, 1}, 1, pick(2, 6), pick(3, 6), pick(0, 1)};
        check_layer(
            &(layer_case){
                layer_text(algorithms[i % 4]), {in}, .n = pick(1, 5), .linear = true, .float_tolerance = 3e-5},
            reference);
    }
}
END_TEST

START_TEST(winograd_shapes)
{
    for (int i = 0; i < 30; i++) {
        now = (setting){pick(1, 35), {3, 3}, {1, 1}, {1, 1}, 1, pick(0, 2), pick(0, 3), pick(0, 1)};
        nm_shape in = {pick(5, 14), pick(5, 14), pick(1, 35)};
        check_layer(
            &(layer_case){layer_text("winograd_4x4"), {in}, .n = pick(1, 9), .linear = true, .float_tolerance = 3e-5},
            reference);
    }
}
END_TEST

static const char *along_the_width(int width)
{
    return width == 3 ? "winograd_1d" : text("winograd_1d_%d", width);
}

START_TEST(winograd_1d_shapes)
{
    for (int i = 0; i < 48; i++) {
        int rows = pick(1, 7), width = 3 + 2 * (i % 3), pad = pick(0, width);
        now = (setting){pick(1, 35), {rows, width}, {1, 1}, {1, 1}, 1, pick(0, 2), pad, pick(0, 1)};
        nm_shape in = {rows + pick(0, 12), width + pick(2, 16), pick(1, 35)};
        check_layer(&(layer_case){layer_text(along_the_width(width)), {in}, .n = pick(1, 9), .linear = true},
                    reference);
    }
    for (int i = 0; i < 9; i++) { /* several samples in a product */
        int width = 3 + 2 * (i % 3);
        now = (setting){16 * pick(1, 3), {3, width}, {1, 1}, {1, 1}, 1, 1, width / 2, true};
        nm_shape in = {8, 8, 16 * pick(1, 3)};
        check_layer(&(layer_case){layer_text(along_the_width(width)), {in}, .n = pick(4, 9), .linear = true},
                    reference);
    }
}
END_TEST

/* Each filter's weights with mean 0 and variance 1. */
static void standardised_reference(const layer_run *r, double *y)
{
    layer_run standard = *r;
    double w[4096];
    size_t filters = (size_t)now.filters, count = (size_t)(now.kernel[0] * now.kernel[1] * r->in[0].c / now.groups);
    ck_assert_uint_le(filters * count, 4096);
    for (size_t o = 0; o < filters; o++) {
        double mean = 0, var = 0;
        for (size_t i = 0; i < count; i++)
            mean += r->param[0][i * filters + o] / (double)count;
        for (size_t i = 0; i < count; i++)
            var += pow(r->param[0][i * filters + o] - mean, 2) / (double)count;
        for (size_t i = 0; i < count; i++)
            w[i * filters + o] = (r->param[0][i * filters + o] - mean) / sqrt(var + 1e-5);
    }
    standard.param[0] = w;
    reference(&standard, y);
}

START_TEST(weight_standardisation)
{
    for (int i = 0; i < 30; i++) {
        int groups = pick(1, 2), channels = groups * pick(1, 4);
        now = (setting){groups * pick(1, 4),
                        {pick(2, 3), pick(2, 3)},
                        {pick(1, 2), pick(1, 2)},
                        {1, 1},
                        groups,
                        pick(0, 2),
                        pick(0, 2),
                        pick(0, 1)};
        nm_shape in = {reach(0) + pick(0, 5), reach(1) + pick(0, 5), channels};
        check_layer(
            &(layer_case){text("%.*s, standardise: true}", (int)strlen(layer_text("auto")) - 1, layer_text("auto")),
                          {in},
                          .n = pick(1, 3)},
            standardised_reference);
    }
}
END_TEST

START_TEST(depthwise_shapes)
{
    for (int i = 0; i < 30; i++) {
        int channels = pick(1, 70);
        now = (setting){channels,
                        {pick(1, 5), pick(1, 5)},
                        {pick(1, 3), pick(1, 3)},
                        {pick(1, 2), pick(1, 3)},
                        channels,
                        pick(0, 3),
                        pick(0, 3),
                        pick(0, 1)};
        nm_shape in = {reach(0) + pick(0, 6), reach(1) + pick(0, 6), channels};
        check_layer(&(layer_case){layer_text("depthwise"), {in}, .n = pick(1, 11), .linear = true}, reference);
    }
}
END_TEST

/* 3x3 has code of its own: tiles of 2x4 outputs inside and at edges, what is left of rows and
 * columns, groups of channels and vectors that reach back, both remainders of the padding. */
START_TEST(depthwise_3x3)
{
    for (int i = 0; i < 40; i++) {
        int channels = i % 4 == 3 ? pick(120, 300) : pick(2, 70), stride = 1 + i / 4 % 2, pad = pick(0, 3);
        now = (setting){channels,  {3, 3}, {stride, stride}, {1, 1}, channels, pad, i % 5 == 4 ? pick(0, 3) : pad,
                        pick(0, 1)};
        nm_shape in = {pick(3, 11), pick(3, 19), channels};
        check_layer(&(layer_case){layer_text("depthwise"), {in}, .n = pick(1, 11), .linear = true}, reference);
    }
    for (int i = 0; i < 8; i++) { /* inputs that are smaller than the kernel */
        now = (setting){32, {3, 3}, {1 + i % 2, 1 + i % 2}, {1, 1}, 32, 1, 1, true};
        nm_shape in = {pick(1, 2), pick(1, 2), 32};
        check_layer(&(layer_case){layer_text("depthwise"), {in}, .n = 2, .linear = true}, reference);
    }
}
END_TEST

START_TEST(few_input_channels)
{
    for (int i = 0; i < 20; i++) {
        now = (setting){
            16 * pick(1, 5), {pick(1, 4), pick(1, 4)}, {pick(1, 3), pick(1, 3)}, {1, 1}, 1, pick(0, 3), pick(0, 3),
            pick(0, 1)};
        nm_shape in = {reach(0) + pick(0, 6), reach(1) + pick(0, 9), pick(1, 3)};
        check_layer(&(layer_case){layer_text("direct"), {in}, .n = pick(1, 4), .linear = true}, reference);
    }
}
END_TEST

START_TEST(pointwise_shapes)
{
    for (int i = 0; i < 10; i++) {
        now = (setting){pick(1, 40), {1, 1}, {1, 1}, {1, 1}, 1, 0, 0, pick(0, 1)};
        check_layer(
            &(layer_case){
                layer_text("auto"), {{pick(1, 9), pick(1, 9), pick(1, 40)}}, .n = pick(1, 70), .linear = true},
            reference);
    }
}
END_TEST

/* `same`: the odd zero lies below and to the right. */
START_TEST(same_padding)
{
    now = (setting){2, {4, 2}, {2, 1}, {1, 1}, 1, 1, 0, true};
    check_layer(
        &(layer_case){
            "conv: {filters: 2, kernel: [4, 2], stride: [2, 1], pad: same}", {{8, 5, 3}}, .n = 2, .linear = true},
        reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("conv");
}
END_TEST

/* The error against a double sum that docs/decisions.md promises, on channels as networks have
 * them. */
START_TEST(error_of_each_algorithm)
{
    static const struct {
        const char *name;
        int kernel;
        double error;
    } algorithms[] = {{"im2col", 3, 1e-6},
                      {"winograd_1d", 3, 5e-6},
                      {"winograd_1d_5", 5, 5e-6},
                      {"winograd_1d_7", 7, 5e-6},
                      {"winograd_4x4", 3, 3e-5}};
    static const int channels[] = {16, 64, 256};
    for (int k = 0; k < 5; k++)
        for (int i = 0; i < 3; i++) {
            int size = algorithms[k].kernel;
            now = (setting){channels[i], {size, size}, {1, 1}, {1, 1}, 1, size / 2, size / 2, false};
            layer_case c = {
                layer_text(algorithms[k].name), {{8, 8, channels[i]}}, .n = 2, .float_tolerance = algorithms[k].error};
            check_layer_forward(&c, reference);
            if (strncmp(algorithms[k].name, "winograd_1d", 11) == 0)
                check_layer_like(&c, layer_text("reference"), algorithms[k].error);
        }
}
END_TEST

/* The number after a key of the layer's text, or `otherwise`. */
static int number_of(const char *layer, const char *key, int otherwise)
{
    const char *at = strstr(layer, key);
    return at ? atoi(at + strlen(key)) : otherwise;
}

/* Layers as networks have them, at their sizes: what bench/layers times. */
START_TEST(sizes_of_networks)
{
    for (int i = 0; i < SIZED_LAYERS && sizeof(real) == sizeof(float); i++) {
        const sized_layer *l = &sized_layers[i];
        if (strncmp(l->layer, "conv", 4) != 0)
            continue;
        int kernel = number_of(l->layer, "kernel: ", 3), stride = number_of(l->layer, "stride: ", 1);
        int pad = strstr(l->layer, "pad: same") ? (kernel - 1) / 2 : number_of(l->layer, "pad: ", 0);
        now = (setting){number_of(l->layer, "filters: ", 0),
                        {kernel, kernel},
                        {stride, stride},
                        {1, 1},
                        number_of(l->layer, "groups: ", 1),
                        pad,
                        pad,
                        false};
        bool one_dimension = kernel > 3 && stride == 1; /* or none */
        check_layer_forward(&(layer_case){l->layer, {l->in}, .n = 1, .float_tolerance = one_dimension ? 5e-6 : 3e-5},
                            reference);
    }
}
END_TEST

START_TEST(refused)
{
    nm_shape s = {6, 6, 4};
    check_refused(&(layer_case){"conv: {filters: 3, kernel: 7}", {s}}, "the kernel reaches over 7 pixels in height");
    check_refused(&(layer_case){"conv: {filters: 3, kernel: 3, dilation: 3}", {s}}, "reaches over 7 pixels");
    check_refused(&(layer_case){"conv: {filters: 3, kernel: 3, dilation: 12, pad: 9}", {s}},
                  "the kernel reaches over 25 pixels in height, but the input has 6 and 18 of padding");
    check_refused(&(layer_case){"conv: {filters: 3, kernel: 1, groups: 3}", {s}}, "groups must divide the channels");
    check_refused(&(layer_case){"conv: {filters: 3, kernel: 1, pad: -1}", {s}}, "option 'pad' must be");
    check_refused(&(layer_case){"conv: {filters: 3, kernel: 2, algorithm: winograd_4x4}", {s}}, "needs a 3x3 kernel");
    check_refused(&(layer_case){"conv: {filters: 4, algorithm: depthwise}", {s}}, "needs as many groups");
    check_refused(&(layer_case){"conv: {filters: 3, kernel: 2, algorithm: quick}", {s}}, "unknown algorithm 'quick'");
}
END_TEST

SUITE("conv", random_shapes, dilation_over_the_input, kernel_over_the_input, winograd_shapes, winograd_1d_shapes,
      depthwise_shapes, depthwise_3x3, few_input_channels, weight_standardisation, pointwise_shapes, same_padding,
      golden_values, error_of_each_algorithm, sizes_of_networks, refused)
