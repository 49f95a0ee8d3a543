/* Gaps in receptive fields against sets of pixels that are followed one by one. */
#include "network.h"
#include "network_support.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEP = 6, WIDE = 4096, ORIGIN = 2048 };

typedef struct layer {
    int kernel[2], stride[2], dilation[2];
    bool transposed;
} layer;

static int pick(int least, int most)
{
    return least + rand() % (most - least + 1);
}

static layer random_layer(bool strides, bool transposing)
{
    layer l = {.transposed = transposing && pick(0, 3) == 0};
    for (int axis = 0; axis < 2; axis++) {
        l.kernel[axis] = pick(pick(1, 3), 4);
        l.dilation[axis] = pick(1, pick(1, 5));
        l.stride[axis] = strides || l.transposed ? pick(1, pick(1, 3)) : 1;
    }
    return l;
}

static void write_layer(char *text, size_t size, const layer *l, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used,
             "- {%s: {filters: 1, kernel: [%d, %d], stride: [%d, %d], dilation: [%d, %d]}%s}\n",
             l->transposed ? "deconv" : "conv", l->kernel[0], l->kernel[1], l->stride[0], l->stride[1], l->dilation[0],
             l->dilation[1], more);
}

/* Marks what unit u reads along an axis through layers 0..count-1, which have no padding; pixel 0
 * is at ORIGIN. */
static void mark(const layer *layers, int count, int axis, int u, bool *read)
{
    if (count == 0) {
        ck_assert(u > -ORIGIN && u < WIDE - ORIGIN);
        read[u + ORIGIN] = true;
        return;
    }
    const layer *l = &layers[count - 1];
    for (int k = 0; k < l->kernel[axis]; k++)
        if (!l->transposed)
            mark(layers, count - 1, axis, u * l->stride[axis] + k * l->dilation[axis], read);
        else if ((u - k * l->dilation[axis]) % l->stride[axis] == 0)
            mark(layers, count - 1, axis, (u - k * l->dilation[axis]) / l->stride[axis], read);
}

/* First and last of the marked, -1 for none; whether some between are not. */
static bool span_of(const bool *read, int *first, int *last)
{
    int marked = 0;
    *first = *last = -1;
    for (int i = 0; i < WIDE; i++)
        if (read[i]) {
            *first = *first < 0 ? i : *first;
            *last = i;
            marked++;
        }
    return marked > 0 && marked < *last - *first + 1;
}

/* `reads`: whether any unit reads something; units of rows and of columns meet in every
 * combination. */
static bool stack_has_gaps(const layer *layers, int count, int axis, bool *reads)
{
    int period = 1, first, last;
    bool gaps = false, read[WIDE];
    *reads = false;
    for (int i = 0; i < count; i++)
        period *= layers[i].transposed ? layers[i].stride[axis] : 1;
    for (int u = 0; u < period; u++) {
        memset(read, 0, sizeof read);
        mark(layers, count, axis, u, read);
        gaps = span_of(read, &first, &last) || gaps;
        *reads = *reads || first >= 0;
    }
    return gaps;
}

/* Random stacks of kernel, stride and dilation, some with transposed convolutions, whose units read
 * by turns. */
START_TEST(gaps_of_random_stacks)
{
    int with_gaps = 0, filled = 0;
    srand(3);
    for (int round = 0; round < 1500; round++) {
        static char model[4096];
        layer layers[DEEP];
        int count = pick(1, DEEP);
        bool reads[2], gaps[2], before = false;
        strcpy(model, "input: {height: 65000, width: 65000, channels: 1}\nlayers:\n");
        for (int i = 0; i < count; i++) {
            layers[i] = random_layer(i < 2, round % 2);
            write_layer(model, sizeof model, &layers[i], "");
        }
        nm_network *net = network_from(ctx, model, NULL);
        nm_receptive r[DEEP + 1];
        ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
        for (int axis = 0; axis < 2; axis++)
            gaps[axis] = stack_has_gaps(layers, count, axis, &reads[axis]);
        for (int i = 0; i < count; i++)
            before = before || r[i].gaps;
        bool expected = (gaps[0] && reads[1]) || (gaps[1] && reads[0]);
        ck_assert_msg(r[count].gaps == expected, "gaps: %d, expected %d of\n%s", r[count].gaps, expected, model);
        with_gaps += r[count].gaps;
        filled += before && !r[count].gaps;
        nm_network_free(net);
    }
    ck_assert_msg(with_gaps > 200 && filled > 50, "%d with gaps, %d filled: the stacks are too tame", with_gaps,
                  filled);
}
END_TEST

/* Branches of one grid, added, and layers behind them: a star only where no branch reads some of
 * the largest field. The union of two fields is no field of rows and columns: 3x3 fills what 3x3 of
 * dilation 2 leaves out in no corner. */
enum { BRANCHES = 3, EXTENT = 64 };

/* What the unit whose field's centre lies in the middle reads, along each axis, through one branch
 * after another. */
typedef struct branches {
    bool all[EXTENT][EXTENT]; /* read by any */
    int box[4];               /* first and last row and column of the largest field, */
    bool has_gaps;            /* and whether it has gaps of its own */
    int area, ties;           /* its area, and how many others have the same */
} branches;

static void add_branch(branches *s, const layer path[2])
{
    bool read[2][WIDE] = {{false}, {false}}, gaps = false;
    int box[4];
    for (int axis = 0; axis < 2; axis++) {
        int reach = 0;
        for (int i = 0; i < 2; i++)
            reach += (path[i].kernel[axis] - 1) * path[i].dilation[axis];
        mark(path, 2, axis, EXTENT / 2 - reach / 2, read[axis]);
        gaps = span_of(read[axis], &box[2 * axis], &box[2 * axis + 1]) || gaps;
    }
    for (int h = 0; h < EXTENT; h++)
        for (int w = 0; w < EXTENT; w++)
            s->all[h][w] = s->all[h][w] || (read[0][ORIGIN + h] && read[1][ORIGIN + w]);
    int area = (box[1] - box[0] + 1) * (box[3] - box[2] + 1);
    s->ties = area > s->area ? 0 : s->ties + (area == s->area);
    if (area <= s->area)
        return;
    s->area = area;
    s->has_gaps = gaps;
    memcpy(s->box, box, sizeof box);
}

static bool gaps_in_largest(const branches *s)
{
    for (int h = s->box[0]; h <= s->box[1]; h++)
        for (int w = s->box[2]; w <= s->box[3]; w++)
            if (!s->all[h - ORIGIN][w - ORIGIN])
                return true;
    return false;
}

static bool model_has_gaps(const char *model)
{
    nm_receptive r[8];
    nm_network *net = network_from(ctx, model, NULL);
    ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
    bool gaps = r[net->output].gaps;
    nm_network_free(net);
    return gaps;
}

/* A layer without stride, of an odd kernel. */
static layer odd_layer(void)
{
    layer l = random_layer(false, false);
    for (int axis = 0; axis < 2; axis++)
        l.kernel[axis] = 2 * pick(0, 1) + 1;
    return l;
}

START_TEST(gaps_that_other_branches_fill)
{
    int filled = 0, left = 0;
    srand(5);
    for (int round = 0; round < 400; round++) {
        static char model[4096];
        static branches s;
        s = (branches){0};
        layer path[2];
        path[1] = odd_layer();
        path[1].dilation[0] = path[1].dilation[1] = 1;
        strcpy(model, "input: {height: 32, width: 32, channels: 1}\ndefaults: {conv: {pad: same}}\nlayers:\n");
        for (int b = 0; b < BRANCHES; b++) {
            char more[64];
            path[0] = odd_layer();
            snprintf(more, sizeof more, ", name: b%d, from: input", b);
            write_layer(model, sizeof model, &path[0], more);
            add_branch(&s, path);
        }
        strcat(model, "- {name: sum, add: {}, from: [b0, b1, b2]}\n");
        write_layer(model, sizeof model, &path[1], "");
        bool gaps = gaps_in_largest(&s);
        bool found = model_has_gaps(model);
        ck_assert_msg(s.ties || found == gaps, "gaps: %d, expected %d of\n%s", found, gaps, model);
        filled += !s.ties && s.has_gaps && !gaps;
        left += !s.ties && gaps;
    }
    ck_assert(filled > 10 && left > 50);
}
END_TEST

/* Fields of any size, in any number of intervals, take neither long nor much memory. */
START_TEST(large_fields)
{
    static char model[16384] =
        "input: {height: 65536, width: 65536, channels: 1}\ndefaults: {conv: {filters: 1}}\nlayers:\n"
        "- {conv: {kernel: 60, dilation: 1024}}\n- {conv: {kernel: 2, dilation: 1000, pad: 1024}}\n"
        "- {conv: {kernel: 3, stride: 1024, dilation: 7}}\n";
    for (int i = 0; i < 12; i++)
        strcat(model, "- {conv: {kernel: 1024, stride: 1024, dilation: 2, pad: 1024}}\n");
    for (int i = 0; i < 4; i++)
        strcat(model, "- {deconv: {filters: 1, kernel: 64, stride: 13}}\n");
    nm_network *net = network_from(ctx, model, NULL);
    nm_receptive r[24];
    ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
    ck_assert_double_eq(r[1].size[0], 59 * 1024 + 1);
    ck_assert(r[1].gaps);
    nm_network_free(net);
    net = network_from(
        ctx,
        "input: {height: 60000, width: 60000, channels: 1}\ndefaults: {conv: {filters: 1}, deconv: {filters: 1}}\n"
        "layers:\n"
        "- {conv: {kernel: 60, stride: 7, dilation: 100}}\n- {upsample: {scale: 5, mode: bilinear}}\n"
        "- {upsample: {scale: 7}}\n- {deconv: {kernel: 1024, stride: 3}}\n- {conv: {kernel: 1024}}\n- {gap: {}}\n",
        NULL);
    ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
    ck_assert(r[5].gaps);
    nm_network_free(net);
    net = network_from(ctx,
                       "input: {height: 4000, width: 4000, channels: 1}\nlayers:\n"
                       "- {conv: {filters: 1, kernel: 1, stride: 2}}\n- {gap: {}}\n- {dense: {units: 2}}\n",
                       NULL);
    ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
    ck_assert(r[2].whole && r[2].gaps && r[3].gaps && !r[1].gaps);
    nm_network_free(net);
}
END_TEST

/* Dilated blocks with shortcuts, twice 1, 2, 4 … 128: 2^16 paths, and more sets than fields. */
START_TEST(many_sets)
{
    static char model[8192] = "input: {height: 1, width: 999, channels: 1}\nlayers:\n- {name: s0, relu: {}}\n";
    nm_node_paths *paths;
    for (int i = 1; i <= 16; i++)
        snprintf(model + strlen(model), sizeof model - strlen(model),
                 "- {name: c%d, conv: {filters: 1, kernel: [1, 3], dilation: %d, pad: same}}\n"
                 "- {name: s%d, add: {}, from: [c%d, s%d]}\n",
                 i, 1 << (i - 1) % 8, i, i, i - 1);
    nm_network *net = network_from(ctx, model, NULL);
    ck_assert_int_eq(nm_network_paths(net, &paths), NM_OK);
    const nm_paths *last = &paths[net->output].all;
    ck_assert_int_eq(last->count, 511);
    ck_assert_double_eq(last->field[0].field.size[1], 1021);
    ck_assert(!last->field[0].field.gaps && !last->largest.gaps);
    nm_paths_free(net, paths);
    nm_network_free(net);
}
END_TEST

SUITE_WITH("receptive gaps", with_context, gaps_of_random_stacks, gaps_that_other_branches_fill, large_fields,
           many_sets)
