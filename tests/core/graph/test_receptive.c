/* Receptive fields, of chains and of every path through branches. */
#include "alloc.h"
#include "network.h"
#include "network_support.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>

START_TEST(one_after_another)
{
    nm_network *net =
        network_from(ctx,
                     "input: {height: 32, width: 32, channels: 1}\n"
                     "defaults: {conv: {filters: 1, kernel: 3}}\n"
                     "layers:\n- {name: a, conv: {pad: 1}}\n- {name: b, conv: {pad: 1}}\n"
                     "- {name: p, maxpool: {size: 2}}\n- {name: c, conv: {dilation: 2}}\n- {name: g, gap: {}}\n",
                     NULL);
    nm_receptive r[6];
    ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
    ck_assert_double_eq(r[2].size[0], 5); /* two 3x3 see what one 5x5 sees */
    ck_assert_double_eq(r[2].start[0], 0);
    ck_assert_double_eq(r[3].size[1], 6);
    ck_assert_double_eq(r[3].jump[1], 2);
    ck_assert_double_eq(r[3].start[1], 0.5);
    ck_assert_double_eq(r[4].size[0], 14);
    ck_assert_double_eq(r[4].start[0], 4.5);
    ck_assert(!r[4].gaps && !r[4].whole && r[5].whole);
    nm_network_free(net);
}
END_TEST

/* What sees the whole input: from the first unit's field to the last one's, of other extents in
 * height and width. */
START_TEST(whole_input)
{
    nm_network *net = network_from(ctx,
                                   "input: {height: 12, width: 20, channels: 1}\nlayers:\n"
                                   "- conv: {filters: 1, kernel: 3, pad: 1, stride: 2}\n- gap: {}\n",
                                   NULL);
    nm_receptive r[3];
    ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
    ck_assert(r[2].whole && !r[1].whole);
    ck_assert_double_eq(r[2].size[0], 3 + 5 * 2);
    ck_assert_double_eq(r[2].size[1], 3 + 9 * 2);
    ck_assert_double_eq(r[2].start[0], r[1].start[0] + 5);
    ck_assert_double_eq(r[2].start[1], r[1].start[1] + 9);
    ck_assert_double_eq(r[2].jump[0], 2 * 6);
    ck_assert_double_eq(r[2].jump[1], 2 * 10);
    nm_network_free(net);
}
END_TEST

/* Bins that are alike are windows; of others the largest counts. */
START_TEST(adaptive_pools)
{
    static const struct {
        int in, out;
        double size, jump;
    } cases[] = {{14, 7, 2, 2}, {9, 9, 1, 1}, {7, 3, 3, 2}, {10, 4, 3, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char model[256];
        snprintf(model, sizeof model,
                 "input: {height: 20, width: %d, channels: 1}\nlayers:\n- adaptive_avgpool: {size: [5, %d]}\n",
                 cases[i].in, cases[i].out);
        nm_network *net = network_from(ctx, model, NULL);
        nm_receptive r[2];
        ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
        ck_assert_double_eq(r[1].size[0], 4);
        ck_assert_double_eq(r[1].size[1], cases[i].size);
        ck_assert_double_eq(r[1].jump[1], cases[i].jump);
        ck_assert(!r[1].gaps);
        nm_network_free(net);
    }
}
END_TEST

/* What a unit of a transposed convolution meets depends on stride and dilation together. */
START_TEST(transposed)
{
    static const struct {
        const char *options;
        double size, jump;
        bool gaps;
    } cases[] = {{"kernel: 4, stride: 2, pad: 1", 2, 0.5, false},
                 {"kernel: 3, dilation: 5", 11, 1, true},
                 {"kernel: 3, stride: 3, dilation: 2", 1, 1.0 / 3, false},
                 {"kernel: 3, stride: 2, dilation: 2", 3, 0.5, false},
                 {"kernel: 4, stride: 2, dilation: 3", 4, 0.5, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char model[256];
        snprintf(model, sizeof model,
                 "input: {height: 9, width: 9, channels: 1}\nlayers:\n- deconv: {filters: 1, %s}\n", cases[i].options);
        nm_network *net = network_from(ctx, model, NULL);
        nm_receptive r[2];
        ck_assert_int_eq(nm_network_receptive(net, r), NM_OK);
        ck_assert_double_eq(r[1].size[0], cases[i].size);
        ck_assert_double_eq(r[1].jump[1], cases[i].jump);
        ck_assert_int_eq(r[1].gaps, cases[i].gaps);
        nm_network_free(net);
    }
}
END_TEST

/* Two joins, one within the other, and one that takes the outer twice; then a pool and a dilation
 * that leaves gaps in the small fields; last a gate that has seen the whole input, as its units
 * fill the gaps of each other. */
static const char nested[] = "input: {height: 32, width: 32, channels: 1}\n"
                             "defaults: {conv: {filters: 1, kernel: 3, pad: same}}\n"
                             "layers:\n"
                             "- {name: a, conv: {}}\n"
                             "- {name: b, conv: {}, from: a}\n"
                             "- {name: c, conv: {kernel: 5}, from: a}\n"
                             "- {name: inner, add: {}, from: [a, b, c]}\n"
                             "- {name: d, conv: {}}\n"
                             "- {name: outer, add: {}, from: [d, inner, a]}\n"
                             "- {name: twice, concat: {}, from: [outer, outer]}\n"
                             "- {name: p, maxpool: {size: 2}}\n"
                             "- {name: e, conv: {dilation: 4, pad: 4}}\n"
                             "- {name: g, gap: {}}\n"
                             "- {name: gated, multiply: {}, from: [e, g]}\n"
                             "- {name: behind, conv: {}}\n";

/* "5 x2, 3" as the list of fields; a star for gaps, "whole" for a field without a size. */
static void check_paths(const nm_paths *paths, const char *expected)
{
    char found[256] = "";
    size_t used = 0;
    for (int i = 0; i < paths->count; i++) {
        const nm_path_field *f = &paths->field[i];
        used += (size_t)snprintf(found + used, sizeof found - used, "%s", i ? ", " : "");
        used += f->field.whole ? (size_t)snprintf(found + used, sizeof found - used, "whole")
                               : (size_t)snprintf(found + used, sizeof found - used, "%g", f->field.size[1]);
        used += (size_t)snprintf(found + used, sizeof found - used, "%s x%g", f->field.gaps ? "*" : "", f->paths);
    }
    ck_assert_str_eq(found, expected);
}

START_TEST(every_path_by_hand)
{
    static const struct {
        const char *node;
        int input; /* -1: by any */
        const char *fields;
    } cases[] = {{"input", -1, "1 x1"},
                 {"inner", 0, "3 x1"},
                 {"inner", 1, "5 x1"},
                 {"inner", 2, "7 x1"},
                 {"inner", -1, "7 x1, 5 x1, 3 x1"},
                 {"d", -1, "9 x1, 7 x1, 5 x1"},
                 {"outer", 0, "9 x1, 7 x1, 5 x1"},
                 {"outer", 1, "7 x1, 5 x1, 3 x1"},
                 {"outer", 2, "3 x1"},
                 {"outer", -1, "9 x1, 7 x2, 5 x2, 3 x2"},
                 {"twice", 1, "9 x1, 7 x2, 5 x2, 3 x2"},
                 {"twice", -1, "9 x2, 7 x4, 5 x4, 3 x4"},
                 {"p", -1, "10 x2, 8 x4, 6 x4, 4 x4"},
                 {"e", -1, "26 x2, 24 x4, 22* x4, 20* x4"}, /* taps 8 pixels apart */
                 {"g", -1, "whole x14"},
                 {"gated", -1, "whole x14, 26 x2, 24 x4, 22* x4, 20* x4"},
                 {"behind", -1, "whole x14, 30 x2, 28 x4, 26 x4, 24 x4"}};
    nm_network *net = network_from(ctx, nested, NULL);
    nm_node_paths *paths;
    nm_receptive largest[16];
    ck_assert_int_eq(nm_network_paths(net, &paths), NM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int at = nm_network_find(net, cases[i].node);
        ck_assert_int_ge(at, 0);
        check_paths(cases[i].input < 0 ? &paths[at].all : &paths[at].by[cases[i].input], cases[i].fields);
    }
    ck_assert_ptr_null(paths[nm_network_find(net, "d")].by);
    nm_paths_free(net, paths);
    ck_assert_int_eq(nm_network_receptive(net, largest), NM_OK);
    ck_assert_double_eq(largest[nm_network_find(net, "outer")].size[0], 9);
    ck_assert(largest[nm_network_find(net, "gated")].whole && largest[nm_network_find(net, "behind")].whole);
    nm_network_free(net);
}
END_TEST

/* Of one size, but on another grid or of another shape: different fields. The largest has the
 * largest area at the end of its path, not at the join: 3x3 grows to 7x7 = 49, 1x8 to 5x12 = 60. */
START_TEST(fields_differ_in_grid_and_shape)
{
    nm_network *net =
        network_from(ctx,
                     "input: {height: 32, width: 32, channels: 1}\n"
                     "defaults: {conv: {filters: 1, kernel: 3, pad: same}}\n"
                     "layers:\n"
                     "- {name: square, conv: {}, from: input}\n- {name: high, conv: {kernel: [1, 8]}, from: input}\n"
                     "- {name: shapes, add: {}, from: [square, high]}\n- {name: grown, conv: {kernel: 5}}\n"
                     "- {name: even, conv: {stride: 2, pad: 1}, from: input}\n"
                     "- {name: odd, conv: {stride: 2, pad: [0, 1, 0, 1]}, from: input}\n"
                     "- {name: grids, add: {}, from: [even, odd]}\noutput: grids\n",
                     NULL);
    nm_node_paths *paths;
    ck_assert_int_eq(nm_network_paths(net, &paths), NM_OK);
    int grown = nm_network_find(net, "grown"), grids = nm_network_find(net, "grids");
    ck_assert_int_eq(paths[grown].all.count, 2);
    ck_assert_double_eq(paths[grown].all.field[0].field.size[0], 5);
    ck_assert_double_eq(paths[grown].all.field[0].field.size[1], 12);
    ck_assert_double_eq(paths[grown].all.field[1].field.size[0], 7);
    ck_assert_int_eq(paths[grids].all.count, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_double_eq(paths[grids].all.field[i].field.size[0], 3);
        ck_assert_double_eq(paths[grids].all.field[i].field.start[1], 1 - i);
    }
    nm_paths_free(net, paths);
    nm_network_free(net);
}
END_TEST

/* 2^60 paths have 61 fields. */
START_TEST(many_paths)
{
    static char model[8192] = "input: {height: 9, width: 9, channels: 1}\nlayers:\n- {name: s0, relu: {}}\n";
    nm_node_paths *paths;
    for (int i = 1; i <= 60; i++)
        snprintf(model + strlen(model), sizeof model - strlen(model),
                 "- {name: c%d, conv: {filters: 1, kernel: 3, pad: same}}\n- {name: s%d, add: {}, from: [c%d, s%d]}\n",
                 i, i, i, i - 1);
    nm_network *net = network_from(ctx, model, NULL);
    ck_assert_int_eq(nm_network_paths(net, &paths), NM_OK);
    const nm_paths *last = &paths[net->output].all;
    double sum = 0;
    ck_assert_int_eq(last->count, 61);
    for (int i = 0; i < last->count; i++)
        sum += last->field[i].paths;
    ck_assert_double_eq(sum, 1152921504606846976.0);
    ck_assert_double_eq(last->field[0].field.size[0], 121);
    ck_assert_double_eq(last->field[59].paths, 60);
    nm_paths_free(net, paths);
    nm_network_free(net);
}
END_TEST

START_TEST(without_memory)
{
    nm_network *net = network_from(ctx, nested, NULL);
    nm_node_paths *paths = NULL;
    long allocations;
    nm_alloc_fail_at(0);
    ck_assert_int_eq(nm_network_paths(net, &paths), NM_OK);
    allocations = nm_alloc_count();
    nm_paths_free(net, paths);
    ck_assert_int_gt(allocations, net->nodes);
    for (long k = 1; k <= allocations; k++) {
        nm_alloc_fail_at(k);
        ck_assert_int_eq(nm_network_paths(net, &paths), NM_FAILED);
    }
    nm_alloc_fail_at(0);
    nm_network_free(net);
}
END_TEST

/* A stack of residual blocks, every eighth with a stride, some dilated. */
static nm_network *residual_stack(int blocks, int strides)
{
    size_t size = 256 * (size_t)blocks + 1024, used;
    char *text = malloc(size);
    used = (size_t)snprintf(text, size,
                            "input: {height: 4000, width: 4000, channels: 1}\nlayers:\n- {name: s0, relu: {}}\n");
    for (int i = 1; i <= blocks; i++) {
        int stride = strides && i % 8 == 0 ? 2 : 1;
        used += (size_t)snprintf(text + used, size - used,
                                 "- {name: c%d, conv: {filters: 1, kernel: 3, pad: same, stride: %d, dilation: %d}, "
                                 "from: s%d}\n- {name: p%d, maxpool: {size: 1, stride: %d}, from: s%d}\n"
                                 "- {name: s%d, add: {}, from: [c%d, p%d]}\n",
                                 i, stride, 1 + i % 3, i - 1, i, stride, i - 1, i, i, i);
    }
    nm_network *net = network_from(ctx, text, NULL);
    free(text);
    return net;
}

static long allocations_for_fields(int blocks)
{
    nm_network *net = residual_stack(blocks, 0);
    nm_receptive *fields = malloc((size_t)net->nodes * sizeof *fields);
    nm_alloc_fail_at(0);
    ck_assert_int_eq(nm_network_receptive(net, fields), NM_OK);
    long count = nm_alloc_count();
    free(fields);
    nm_network_free(net);
    return count;
}

/* The largest field without all paths is that of all paths; and takes a time by the depth, where
 * the paths grow by its square. */
START_TEST(deep_stacks)
{
    nm_node_paths *paths;
    nm_network *net = residual_stack(40, 1);
    nm_receptive *fields = malloc((size_t)net->nodes * sizeof *fields);
    ck_assert_int_eq(nm_network_receptive(net, fields), NM_OK);
    ck_assert_int_eq(nm_network_paths(net, &paths), NM_OK);
    ck_assert_int_gt(paths[net->output].all.count, 40);
    for (int i = 0; i < net->nodes; i++) {
        const nm_receptive *a = &fields[i], *b = &paths[i].all.largest;
        ck_assert_msg(memcmp(a->size, b->size, sizeof a->size) == 0 && memcmp(a->jump, b->jump, sizeof a->jump) == 0 &&
                          memcmp(a->start, b->start, sizeof a->start) == 0 && a->gaps == b->gaps &&
                          a->whole == b->whole,
                      "%s", net->node[i].name);
    }
    nm_paths_free(net, paths);
    nm_network_free(net);
    free(fields);
    long one = allocations_for_fields(100), two = allocations_for_fields(200);
    ck_assert_msg(2 * two < 5 * one, "%ld allocations for 100 blocks, %ld for 200", one, two);
}
END_TEST

SUITE_WITH("receptive", with_context, one_after_another, whole_input, adaptive_pools, transposed, every_path_by_hand,
           fields_differ_in_grid_and_shape, many_paths, without_memory, deep_stacks)
