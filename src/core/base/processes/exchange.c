#include "exchange.h"

#include "alloc.h"
#include "group.h"
#include "sum_tree.h"

#include <string.h>

/* ---- who has what ------------------------------------------------------------------------ */

typedef struct segment {
    size_t first, count;
} segment;

/* Short arrays go to all as a whole. */
static bool is_whole(size_t count)
{
    return count <= NM_SUM_WHOLE;
}

/* Of the array, what a process sums. */
static segment segment_of(const nm_processes *p, size_t count, int rank)
{
    if (is_whole(count))
        return (segment){0, count};
    size_t first = nm_share_first(count, rank, p->count);
    return (segment){first, nm_share_first(count, rank + 1, p->count) - first};
}

/* The roots of a process's shards, as far as these are there. */
static int roots_of(const nm_processes *p, int shards, int present, int rank, nm_subtree *root)
{
    int first = (int)nm_share_first((size_t)shards, rank, p->count);
    int end = (int)nm_share_first((size_t)shards, rank + 1, p->count);
    return nm_subtree_roots(first, end < present ? end : present, root);
}

/* ---- memory ------------------------------------------------------------------------------ */

/* Roots of its own but for the first, and the other processes' roots. */
static void count_roots(const nm_processes *p, int shards, int present, size_t *copied, size_t *received)
{
    *received = 0;
    for (int r = 0; r < p->count; r++)
        *received += r == p->rank ? 0 : (size_t)roots_of(p, shards, present, r, NULL);
    int own = roots_of(p, shards, present, p->rank, NULL);
    *copied = own > 1 ? (size_t)own - 1 : 0;
}

size_t nm_exchange_memory(const nm_processes *p, int shards, int present, size_t count)
{
    size_t copied, received;
    count_roots(p, shards, present, &copied, &received);
    return copied * count + received * segment_of(p, count, p->rank).count;
}

size_t nm_exchange_most_memory(const nm_processes *p, int shards, size_t largest)
{
    size_t most = 1, whole = largest < NM_SUM_WHOLE ? largest : NM_SUM_WHOLE;
    size_t longest = largest / (size_t)p->count + 1; /* segment */
    for (int present = 1; present <= shards; present++) {
        size_t copied, received;
        count_roots(p, shards, present, &copied, &received);
        size_t long_array = copied * largest + received * longest, short_array = (copied + received) * whole;
        most = long_array > most ? long_array : most;
        most = short_array > most ? short_array : most;
    }
    return most;
}

nm_status nm_exchange_init(nm_context *ctx, nm_exchange *x, nm_processes *p, int shards, int threads)
{
    size_t messages = (size_t)(NM_MOST_SUBTREES * (p->count - 1) + shards);
    *x = (nm_exchange){.p = p, .shards = shards, .threads = threads, .phase = NM_EXCHANGE_DONE};
    x->root = nm_alloc(ctx, (size_t)shards, sizeof *x->root);
    x->message = nm_alloc(ctx, messages, sizeof *x->message);
    return x->root && x->message ? NM_OK : NM_FAILED;
}

void nm_exchange_free(nm_exchange *x)
{
    nm_free(x->root);
    nm_free(x->message);
}

/* ---- the roots to the owners of the segments ----------------------------------------------- */

/* Of a root of this process the memory, which stays until it is sent. */
static real *keep_root(nm_exchange *x, const nm_subtree_stack *own, int k, real **memory)
{
    real *sum = own->at[k].sum;
    if (k == 0)
        return sum;
    real *copy = *memory;
    *memory += x->count;
    memcpy(copy, sum, x->count * sizeof *copy);
    return copy;
}

/* The roots of process `rank`: where the own segments of them lie, or will lie once received. */
static nm_status add_roots(nm_exchange *x, int rank, int present, const nm_subtree_stack *own, real **memory)
{
    segment mine = segment_of(x->p, x->count, x->p->rank);
    nm_subtree *root = &x->root[x->roots];
    int roots = roots_of(x->p, x->shards, present, rank, root);
    x->roots += roots;
    for (int k = 0; k < roots; k++) {
        if (rank == x->p->rank) {
            root[k].sum = keep_root(x, own, k, memory) + mine.first;
            continue;
        }
        root[k].sum = *memory;
        *memory += mine.count;
        NM_TRY(
            nm_message_receive(x->p, root[k].sum, mine.count * sizeof(real), rank, x->tag, &x->message[x->messages++]));
    }
    return NM_OK;
}

/* Of each own root a segment to its owner. */
static nm_status send_roots(nm_exchange *x, const nm_subtree *own, int roots)
{
    segment mine = segment_of(x->p, x->count, x->p->rank);
    for (int d = 1; d < x->p->count; d++) {
        int to = (x->p->rank + d) % x->p->count;
        segment theirs = segment_of(x->p, x->count, to);
        for (int k = 0; k < roots; k++)
            NM_TRY(nm_message_send(x->p, own[k].sum - mine.first + theirs.first, theirs.count * sizeof(real), to,
                                   x->tag, &x->message[x->messages++]));
    }
    return NM_OK;
}

nm_status nm_exchange_start(nm_exchange *x, real *out, size_t count, int present, const nm_subtree_stack *own,
                            real *memory)
{
    int first_own = 0;
    x->phase = NM_EXCHANGE_SUMS;
    x->out = out;
    x->count = count;
    x->roots = x->messages = 0;
    x->tag = NM_TAG_EXCHANGE + 2 * (int)(x->p->exchanges++ % ((NM_TAG_END - NM_TAG_EXCHANGE) / 2));
    for (int r = 0; r < x->p->count; r++) {
        first_own = r == x->p->rank ? x->roots : first_own;
        NM_TRY(add_roots(x, r, present, own, &memory));
    }
    return send_roots(x, &x->root[first_own], own->depth);
}

/* ---- the sums to all ------------------------------------------------------------------------ */

static void sum_roots(nm_exchange *x)
{
    segment mine = segment_of(x->p, x->count, x->p->rank);
    nm_subtree_stack stack = {0};
    for (int k = 0; k < x->roots; k++)
        nm_subtree_push(&stack, x->root[k], mine.count, x->threads);
    const real *sum = nm_subtree_finish(&stack, mine.count, x->threads);
    if (sum != x->out + mine.first)
        memcpy(x->out + mine.first, sum, mine.count * sizeof *sum);
}

static nm_status send_results(nm_exchange *x)
{
    segment mine = segment_of(x->p, x->count, x->p->rank);
    x->messages = 0;
    for (int d = 1; d < x->p->count; d++) {
        int from = (x->p->rank + x->p->count - d) % x->p->count;
        segment theirs = segment_of(x->p, x->count, from);
        NM_TRY(nm_message_receive(x->p, x->out + theirs.first, theirs.count * sizeof(real), from, x->tag + 1,
                                  &x->message[x->messages++]));
    }
    for (int d = 1; d < x->p->count; d++)
        NM_TRY(nm_message_send(x->p, x->out + mine.first, mine.count * sizeof(real), (x->p->rank + d) % x->p->count,
                               x->tag + 1, &x->message[x->messages++]));
    return NM_OK;
}

/* The own root in `out` is not written before all of it is sent: the sums come into the same
 * memory. */
nm_status nm_exchange_advance(nm_exchange *x)
{
    bool done;
    if (x->phase == NM_EXCHANGE_DONE)
        return NM_OK;
    NM_TRY(nm_messages_test(x->p, x->message, x->messages, &done));
    if (!done)
        return NM_OK;
    if (x->phase == NM_EXCHANGE_RESULTS) {
        x->phase = NM_EXCHANGE_DONE;
        return NM_OK;
    }
    sum_roots(x);
    x->phase = is_whole(x->count) ? NM_EXCHANGE_DONE : NM_EXCHANGE_RESULTS;
    return x->phase == NM_EXCHANGE_DONE ? NM_OK : send_results(x);
}
