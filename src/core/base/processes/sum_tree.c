#include "sum_tree.h"

#include "alloc.h"
#include "arrays.h"
#include "exchange.h"

#include <assert.h>
#include <limits.h>

struct nm_sum_tree {
    nm_processes *p; /* NULL: alone */
    int shards, threads;
    size_t largest;
    /* The array that is begun. Its sums lie in `out` and, from the second on, in the buffers. */
    real *out;
    size_t count;
    int present, next; /* shards; the next one of this process */
    nm_subtree_stack sums;
    real *buffer[NM_MOST_SUBTREES];
    /* Exchanges under way, in their order: a ring, and a ring of memory. */
    int oldest, under_way;
    nm_exchange exchange[NM_SUM_EXCHANGES];
    real *memory;
    size_t memory_size; /* elements */
    nm_wait_hook hook;
};

/* ---- making --------------------------------------------------------------------------------- */

static int share_first(const nm_processes *p, int shards, int rank)
{
    return (int)nm_share_first((size_t)shards, rank, nm_processes_count(p));
}

/* Buffers beside `out`. */
static int buffers_of(const nm_processes *p, int shards)
{
    int rank = nm_processes_rank(p);
    int depth = nm_subtree_depth(share_first(p, shards, rank), share_first(p, shards, rank + 1));
    return depth > 1 ? depth - 1 : 0;
}

static size_t exchange_memory(const nm_processes *p, int shards, size_t largest)
{
    return p ? 2 * nm_exchange_most_memory(p, shards, largest) : 0;
}

size_t nm_sum_tree_bytes(const nm_processes *processes, int shards, size_t largest)
{
    return sizeof(real) *
           ((size_t)buffers_of(processes, shards) * largest + exchange_memory(processes, shards, largest));
}

static nm_status check(nm_context *ctx, const nm_processes *p, int shards, size_t largest)
{
    int count = nm_processes_count(p);
    if (shards < 1 || shards > NM_MOST_SHARDS)
        return nm_fail(ctx, NM_INVALID, "%d shards: there may be 1 to %d", shards, NM_MOST_SHARDS);
    if (count > shards)
        return nm_fail(ctx, NM_INVALID,
                       "%d processes share %d shards of a batch: a process would have none. Start fewer", count,
                       shards);
    if (largest / (size_t)count >= INT_MAX / sizeof(real))
        return nm_fail(ctx, NM_INVALID, "%zu numbers in one array are too many for %d processes", largest, count);
    return NM_OK;
}

/* Called by every wait: what fails here, it finds. */
static void advance(void *arg)
{
    nm_status status = nm_sum_tree_progress(arg);
    (void)status;
}

static nm_status allocate(nm_context *ctx, nm_sum_tree *tree)
{
    int buffers = buffers_of(tree->p, tree->shards);
    for (int k = 0; k < buffers; k++)
        if (!(tree->buffer[k] = nm_alloc(ctx, tree->largest, sizeof(real))))
            return NM_FAILED;
    if (!tree->p)
        return NM_OK;
    tree->memory_size = exchange_memory(tree->p, tree->shards, tree->largest);
    tree->memory = nm_alloc(ctx, tree->memory_size, sizeof(real));
    if (!tree->memory)
        return NM_FAILED;
    for (int k = 0; k < NM_SUM_EXCHANGES; k++)
        NM_TRY(nm_exchange_init(ctx, &tree->exchange[k], tree->p, tree->shards, tree->threads));
    return NM_OK;
}

nm_status nm_sum_tree_new(nm_context *ctx, nm_processes *processes, int shards, size_t largest, int threads,
                          nm_sum_tree **out)
{
    *out = NULL;
    NM_TRY(check(ctx, processes, shards, largest));
    nm_sum_tree *tree = nm_alloc(ctx, 1, sizeof *tree);
    if (!tree)
        return NM_FAILED;
    tree->p = processes;
    tree->shards = shards;
    tree->largest = largest;
    tree->threads = threads;
    tree->hook = (nm_wait_hook){.advance = advance, .arg = tree};
    nm_status status = allocate(ctx, tree);
    if (status != NM_OK) {
        nm_sum_tree_free(tree);
        return status;
    }
    if (processes)
        nm_wait_hook_add(processes, &tree->hook);
    *out = tree;
    return NM_OK;
}

void nm_sum_tree_free(nm_sum_tree *tree)
{
    if (!tree)
        return;
    if (tree->p)
        nm_wait_hook_remove(tree->p, &tree->hook);
    for (int k = 0; k < NM_SUM_EXCHANGES; k++)
        nm_exchange_free(&tree->exchange[k]);
    for (int k = 0; k < NM_MOST_SUBTREES; k++)
        nm_free(tree->buffer[k]);
    nm_free(tree->memory);
    nm_free(tree);
}

/* ---- the shards of this process ------------------------------------------------------------ */

int nm_sum_tree_first(const nm_sum_tree *tree, int present)
{
    int first = share_first(tree->p, tree->shards, nm_processes_rank(tree->p));
    return first < present ? first : present;
}

int nm_sum_tree_end(const nm_sum_tree *tree, int present)
{
    int end = share_first(tree->p, tree->shards, nm_processes_rank(tree->p) + 1);
    return end < present ? end : present;
}

void nm_sum_tree_begin(nm_sum_tree *tree, real *out, size_t count, int present)
{
    assert(count <= tree->largest && present >= 0 && present <= tree->shards);
    tree->out = out;
    tree->count = count;
    tree->present = present;
    tree->next = nm_sum_tree_first(tree, present);
    tree->sums.depth = 0;
}

/* The sum at depth k always lies in the same memory: that of the left one stays. */
static real *memory_at(nm_sum_tree *tree, int depth)
{
    return depth ? tree->buffer[depth - 1] : tree->out;
}

real *nm_sum_tree_leaf(nm_sum_tree *tree)
{
    assert(tree->next < nm_sum_tree_end(tree, tree->present));
    real *leaf = memory_at(tree, tree->sums.depth);
    nm_zero_array(tree->threads, leaf, tree->count);
    return leaf;
}

void nm_sum_tree_push(nm_sum_tree *tree)
{
    nm_subtree leaf = {tree->next++, 1, memory_at(tree, tree->sums.depth)};
    nm_subtree_push(&tree->sums, leaf, tree->count, tree->threads);
}

/* ---- exchanges ----------------------------------------------------------------------------- */

nm_status nm_sum_tree_progress(nm_sum_tree *tree)
{
    for (int k = 0; k < tree->under_way; k++)
        NM_TRY(nm_exchange_advance(&tree->exchange[(tree->oldest + k) % NM_SUM_EXCHANGES]));
    return NM_OK;
}

static nm_status wait_for_oldest(nm_sum_tree *tree)
{
    nm_exchange *x = &tree->exchange[tree->oldest];
    nm_wait wait = {0};
    for (;;) {
        NM_TRY(nm_exchange_advance(x));
        if (x->phase == NM_EXCHANGE_DONE)
            break;
        NM_TRY(nm_wait_again(tree->p, &wait, x->message, x->messages));
    }
    nm_wait_end(tree->p, &wait);
    tree->oldest = (tree->oldest + 1) % NM_SUM_EXCHANGES;
    tree->under_way--;
    return NM_OK;
}

nm_status nm_sum_tree_wait(nm_sum_tree *tree)
{
    while (tree->under_way)
        NM_TRY(wait_for_oldest(tree));
    return NM_OK;
}

/* Whether there is room for `size` elements, at least one, behind the newest exchange's; where not
 * behind it, at the memory's head. What is in use reaches from the oldest one's to the newest
 * one's, perhaps over the memory's end. */
static bool find_memory(const nm_sum_tree *tree, size_t size, size_t *at)
{
    if (tree->under_way == NM_SUM_EXCHANGES)
        return false;
    *at = 0;
    if (tree->under_way == 0)
        return true;
    const nm_exchange *newest = &tree->exchange[(tree->oldest + tree->under_way - 1) % NM_SUM_EXCHANGES];
    size_t head = tree->exchange[tree->oldest].at, tail = newest->at + newest->size;
    bool over_end = newest->at < head;
    if (tail + size <= (over_end ? head : tree->memory_size))
        *at = tail;
    else if (over_end || size > head)
        return false;
    return true;
}

nm_status nm_sum_tree_finish(nm_sum_tree *tree)
{
    assert(tree->next == nm_sum_tree_end(tree, tree->present));
    if (tree->present == 0)
        nm_zero_array(tree->threads, tree->out, tree->count);
    if (tree->present == 0 || tree->count == 0)
        return NM_OK;
    if (!tree->p) {
        nm_subtree_finish(&tree->sums, tree->count, tree->threads);
        return NM_OK;
    }
    size_t at, size = nm_exchange_memory(tree->p, tree->shards, tree->present, tree->count);
    size = size ? size : 1;
    while (!find_memory(tree, size, &at))
        NM_TRY(wait_for_oldest(tree));
    nm_exchange *x = &tree->exchange[(tree->oldest + tree->under_way++) % NM_SUM_EXCHANGES];
    x->at = at;
    x->size = size;
    NM_TRY(nm_exchange_start(x, tree->out, tree->count, tree->present, &tree->sums, tree->memory + at));
    return nm_sum_tree_progress(tree);
}
