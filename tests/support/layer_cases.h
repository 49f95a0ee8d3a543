/* Layers as the networks of models/ have them, at their sizes. The tests compare each with the
 * reference, bench/layers times them. To add a case: its name, the layer as in a model file, the
 * shape of a sample. */
#ifndef LAYER_CASES_H
#define LAYER_CASES_H

#include "shape.h"

typedef struct sized_layer {
    const char *name, *layer;
    nm_shape in;
} sized_layer;

#define CONV3(filters) "conv: {filters: " #filters ", kernel: 3, pad: same, bias: false}"
#define CONV3_BY_2(filters) "conv: {filters: " #filters ", kernel: 3, stride: 2, pad: 1, bias: false}"
#define CONV1(filters) "conv: {filters: " #filters ", kernel: 1, bias: false}"
#define CONV1_BY_2(filters) "conv: {filters: " #filters ", kernel: 1, stride: 2, bias: false}"
#define CONV5(filters) "conv: {filters: " #filters ", kernel: 5, pad: same, bias: false}"
#define CONV7(filters) "conv: {filters: " #filters ", kernel: 7, pad: same, bias: false}"
#define DEPTHWISE(channels) "conv: {filters: " #channels ", kernel: 3, pad: 1, groups: " #channels ", bias: false}"
#define DEPTHWISE_BY_2(channels)                                                                                       \
    "conv: {filters: " #channels ", kernel: 3, stride: 2, pad: 1, groups: " #channels ", bias: false}"

static const sized_layer sized_layers[] = {
    {"3x3 1-32 at 28", CONV3(32), {28, 28, 1}},
    {"3x3 32-64 at 14", CONV3(64), {14, 14, 32}},
    {"3x3 3-64 at 32", CONV3(64), {32, 32, 3}},
    {"3x3 16-16 at 32", CONV3(16), {32, 32, 16}},
    {"3x3 32-32 at 16", CONV3(32), {16, 16, 32}},
    {"3x3 64-64 at 8", CONV3(64), {8, 8, 64}},
    {"3x3 64-64 at 32", CONV3(64), {32, 32, 64}},
    {"3x3 128-128 at 16", CONV3(128), {16, 16, 128}},
    {"3x3 256-256 at 8", CONV3(256), {8, 8, 256}},
    {"3x3 512-512 at 4", CONV3(512), {4, 4, 512}},
    {"3x3 512-512 at 2", CONV3(512), {2, 2, 512}},
    {"3x3/2 16-32 at 32", CONV3_BY_2(32), {32, 32, 16}},
    {"3x3/2 32-64 at 16", CONV3_BY_2(64), {16, 16, 32}},
    {"3x3/2 128-256 at 16", CONV3_BY_2(256), {16, 16, 128}},
    {"1x1/2 16-32 at 32", CONV1_BY_2(32), {32, 32, 16}},
    {"1x1 32-64 at 32", CONV1(64), {32, 32, 32}},
    {"1x1 64-48 at 16", CONV1(48), {16, 16, 64}},
    {"1x1 128-128 at 16", CONV1(128), {16, 16, 128}},
    {"1x1 256-256 at 8", CONV1(256), {8, 8, 256}},
    {"1x1 512-512 at 4", CONV1(512), {4, 4, 512}},
    {"5x5 3-64 at 32", CONV5(64), {32, 32, 3}},
    {"5x5 8-16 at 16", CONV5(16), {16, 16, 8}},
    {"5x5 12-24 at 16", CONV5(24), {16, 16, 12}},
    {"5x5 16-32 at 8", CONV5(32), {8, 8, 16}},
    {"5x5 20-40 at 8", CONV5(40), {8, 8, 20}},
    {"5x5 32-32 at 16", CONV5(32), {16, 16, 32}},
    {"5x5 48-128 at 7", CONV5(128), {7, 7, 48}},
    {"5x5 64-128 at 15", CONV5(128), {15, 15, 64}},
    {"5x5 64-192 at 27", CONV5(192), {27, 27, 64}},
    {"7x7 16-16 at 32", CONV7(16), {32, 32, 16}},
    {"7x7 32-32 at 16", CONV7(32), {16, 16, 32}},
    {"7x7 64-64 at 14", CONV7(64), {14, 14, 64}},
    {"7x7/2 3-64 at 64", "conv: {filters: 64, kernel: 7, stride: 2, pad: 3, bias: false}", {64, 64, 3}},
    {"11x11/4 3-64 at 63", "conv: {filters: 64, kernel: 11, stride: 4, bias: false}", {63, 63, 3}},
    {"depthwise 32 at 32", DEPTHWISE(32), {32, 32, 32}},
    {"depthwise 128 at 16", DEPTHWISE(128), {16, 16, 128}},
    {"depthwise/2 128 at 16", DEPTHWISE_BY_2(128), {16, 16, 128}},
    {"depthwise 512 at 4", DEPTHWISE(512), {4, 4, 512}},
    {"depthwise 5x5 64 at 16", "conv: {filters: 64, kernel: 5, pad: 2, groups: 64, bias: false}", {16, 16, 64}},
    {"dense 3136-128", "dense: {units: 128}", {7, 7, 64}},
};
enum { SIZED_LAYERS = sizeof sized_layers / sizeof *sized_layers };

#endif
