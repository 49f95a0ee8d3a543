/* The tree of sums: against the recursion that defines it, for short batches, any number of shards
 * and any cut of them into processes. What is sent between processes: tests/mpi. */
#include "sum_tree.h"

#include "run_suite.h"
#include "subtrees.h"
#include "with_context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers whose sums depend on the order of the additions. */
static real number(int shard, size_t i)
{
    uint64_t z = (uint64_t)shard * 1000003 + i * 0x9e3779b97f4a7c15u + 1;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (real)ldexp((double)(int32_t)(uint32_t)(z >> 20), -31 + (int)(z >> 8 & 7));
}

/* The definition; false: there is no shard in it. */
static bool sum_of(int first, int size, int present, size_t i, real *sum)
{
    real left, right;
    if (first >= present)
        return false;
    if (size == 1) {
        *sum = number(first, i);
        return true;
    }
    bool is_left = sum_of(first, size / 2, present, i, &left);
    bool is_right = sum_of(first + size / 2, size / 2, present, i, &right);
    *sum = is_left && is_right ? left + right : left;
    return is_left;
}

static real expected(int shards, int present, size_t i)
{
    int size = 1;
    while (size < shards)
        size *= 2;
    real sum;
    return sum_of(0, size, present, i, &sum) ? sum : 0;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void sum_array(nm_sum_tree *tree, real *out, size_t count, int present)
{
    nm_sum_tree_begin(tree, out, count, present);
    ck_assert_int_eq(nm_sum_tree_first(tree, present), 0);
    ck_assert_int_eq(nm_sum_tree_end(tree, present), present);
    for (int shard = 0; shard < present; shard++) {
        real *leaf = nm_sum_tree_leaf(tree);
        for (size_t i = 0; i < count; i++)
            leaf[i] += number(shard, i);
        nm_sum_tree_push(tree);
    }
    ck_assert(nm_sum_tree_finish(tree) == NM_OK);
    ck_assert(nm_sum_tree_progress(tree) == NM_OK);
    ck_assert(nm_sum_tree_wait(tree) == NM_OK);
}

static void check_sum(nm_sum_tree *tree, int shards, size_t count, int present)
{
    const real guard = 12345;
    real *out = malloc((count + 1) * sizeof *out);
    for (size_t i = 0; i <= count; i++)
        out[i] = guard; /* what was there before is not added */
    sum_array(tree, out, count, present);
    for (size_t i = 0; i < count; i++)
        if (out[i] != expected(shards, present, i))
            ck_abort_msg("%d of %d shards, element %zu of %zu: %.9g, expected %.9g", present, shards, i, count,
                         (double)out[i], (double)expected(shards, present, i));
    ck_assert(out[count] == guard);
    free(out);
}

START_TEST(one_process_sums_the_tree)
{
    enum { LARGEST = 33001 };
    static const size_t counts[] = {0, 1, 15, 1025, LARGEST};
    for (int shards = 1; shards <= 64; shards = shards < 12 ? shards + 1 : 64 + (shards == 64)) {
        nm_sum_tree *tree;
        ck_assert(nm_sum_tree_new(ctx, NULL, shards, LARGEST, 1 + shards % 3, &tree) == NM_OK);
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
            for (int present = shards; present >= 0; present -= shards == 64 && present > 31 ? 31 : 1)
                if (counts[k] < LARGEST || present >= shards - 1)
                    check_sum(tree, shards, counts[k], present);
        nm_sum_tree_free(tree);
    }
}
END_TEST

/* Memory grows with the logarithm of the shards. */
START_TEST(memory)
{
    ck_assert_uint_eq(nm_sum_tree_bytes(NULL, 1, 1000), 0);
    ck_assert_uint_eq(nm_sum_tree_bytes(NULL, 2, 1000), 1000 * sizeof(real));
    ck_assert_uint_eq(nm_sum_tree_bytes(NULL, 8, 1000), 3000 * sizeof(real));
    ck_assert_uint_eq(nm_sum_tree_bytes(NULL, 64, 1000), 6000 * sizeof(real));
}
END_TEST

START_TEST(shards_there_may_be)
{
    nm_sum_tree *tree;
    ck_assert(nm_sum_tree_new(ctx, NULL, 0, 1, 1, &tree) == NM_INVALID && !tree);
    ck_assert(nm_sum_tree_new(ctx, NULL, NM_MOST_SHARDS + 1, 1, 1, &tree) == NM_INVALID && !tree);
    ck_assert_int_eq(nm_error_count(ctx), 2);
}
END_TEST

/* ---- any number of processes --------------------------------------------------------------- */

/* Each process adds up its shards; its roots, one process's behind the other's, give the sum. */
static real cut_sum(int shards, int present, int processes, size_t element)
{
    real value[64];
    nm_subtree_stack all = {0};
    for (int r = 0; r < processes; r++) {
        int first = (int)nm_share_first((size_t)shards, r, processes);
        int end = (int)nm_share_first((size_t)shards, r + 1, processes), depth = 0;
        end = end < present ? end : present;
        nm_subtree_stack own = {0};
        nm_subtree root[NM_MOST_SUBTREES];
        for (int shard = first; shard < end; shard++) {
            depth = own.depth + 1 > depth ? own.depth + 1 : depth;
            value[shard] = number(shard, element);
            nm_subtree_push(&own, (nm_subtree){shard, 1, &value[shard]}, 1, 1);
        }
        ck_assert_int_eq(depth, nm_subtree_depth(first, end));
        ck_assert_int_eq(own.depth, nm_subtree_roots(first, end, root));
        for (int k = 0; k < own.depth; k++) {
            ck_assert(own.at[k].first == root[k].first && own.at[k].size == root[k].size);
            nm_subtree_push(&all, own.at[k], 1, 1);
        }
    }
    const real *sum = nm_subtree_finish(&all, 1, 1);
    return sum ? *sum : 0;
}

START_TEST(any_cut_gives_the_same)
{
    static const int all_shards[] = {1, 2, 3, 5, 8, 12, 31, 64};
    for (size_t k = 0; k < sizeof all_shards / sizeof *all_shards; k++)
        for (int shards = all_shards[k], present = 0; present <= shards; present++)
            for (int processes = 1; processes <= shards; processes++)
                for (size_t element = 0; element < 3; element++)
                    ck_assert(cut_sum(shards, present, processes, element) == expected(shards, present, element));
}
END_TEST

SUITE_WITH("sum_tree", with_context, one_process_sums_the_tree, memory, shards_there_may_be, any_cut_gives_the_same)
