/* Sums of arrays over the shards of a batch, with the same bits for any number of processes and
 * threads. Shard k's array is leaf k of a binary tree that depends on the number of shards alone:
 *
 *     sum(first, size) = sum(first, size / 2) + sum(first + size / 2, size / 2)
 *
 * from sum(0, the smallest power of two >= shards) on; of two halves one of which has no shard, the
 * other is the sum. Process r of P has the shards [shards r / P, shards (r + 1) / P). For each
 * array, on every process, in the same order:
 *
 *     nm_sum_tree_begin(tree, out, count, present);
 *     for each shard of this process, in order, below `present`:
 *         add the shard's numbers to nm_sum_tree_leaf(tree), which holds zeros
 *         nm_sum_tree_push(tree)
 *     NM_TRY(nm_sum_tree_finish(tree));     the exchange goes on while other work is done
 *     …                                     NM_TRY(nm_sum_tree_progress(tree)) now and then
 *     NM_TRY(nm_sum_tree_wait(tree));       every `out` begun before holds its sum
 *
 * What is sent. A process adds up its own shards as far as the tree allows: to R arrays, the roots
 * of whole subtrees; R = 1 where the shards and P are powers of two, else at most 2 log2(shards).
 * Of each root it sends segment q, elements [count q / P, count (q + 1) / P), to process q, which
 * finishes the tree for its segment and sends the sum to all. A process whose segment has s
 * elements sends, for an array of n elements of w bytes,
 *
 *     R (n - s) w + (P - 1) s w bytes in (R + 1)(P - 1) messages:
 *
 * about (R + 1) n w (P - 1) / P bytes, 2 n w (P - 1) / P where R = 1. Arrays of at most
 * NM_SUM_WHOLE elements are sent whole to all instead, and each finishes the tree by itself: one
 * wait for two, R (P - 1) n w bytes in R (P - 1) messages. One process sends nothing. */
#ifndef NM_SUM_TREE_H
#define NM_SUM_TREE_H

#include "layer.h"
#include "processes.h"

enum { NM_SUM_WHOLE = 1024 };

typedef struct nm_sum_tree nm_sum_tree;

/* largest: elements of the longest array. NM_INVALID: more processes than shards, or too many of
 * something. `processes` (NULL: this one is alone) must live longer than the tree. */
nm_status nm_sum_tree_new(nm_context *ctx, nm_processes *processes, int shards, size_t largest, int threads,
                          nm_sum_tree **out) NM_MUST_USE;
/* Bytes that nm_sum_tree_new takes: alone log2(shards) arrays of the largest size (`out` is one
 * more); with others about two more for the exchanges under way, whatever the number of shards. */
size_t nm_sum_tree_bytes(const nm_processes *processes, int shards, size_t largest);
/* Not while exchanges are under way, but after a failure. NULL is allowed. */
void nm_sum_tree_free(nm_sum_tree *tree);

/* The shards of this process: [first, end), cut at `present`. */
int nm_sum_tree_first(const nm_sum_tree *tree, int present);
int nm_sum_tree_end(const nm_sum_tree *tree, int present);

/* out: [count], where the sum will be; used for partial sums from here on, and the caller's again
 * after nm_sum_tree_wait. present: shards that there are, 0 to `shards`: the last batch of an epoch
 * may be short. No shards: zeros. count <= largest. */
void nm_sum_tree_begin(nm_sum_tree *tree, nm_real *out, size_t count, int present);
/* [count] zeros for the next shard of this process; the same until nm_sum_tree_push. */
nm_real *nm_sum_tree_leaf(nm_sum_tree *tree);
void nm_sum_tree_push(nm_sum_tree *tree);
/* Starts the exchange. Waits for the oldest ones where there are NM_SUM_EXCHANGES, or where their
 * memory, that of two of the largest arrays, is used up. */
enum { NM_SUM_EXCHANGES = 8 };
nm_status nm_sum_tree_finish(nm_sum_tree *tree) NM_MUST_USE;
/* Moves on what is under way, without waiting: a few calls of MPI. Every wait for other processes
 * does the same. */
nm_status nm_sum_tree_progress(nm_sum_tree *tree) NM_MUST_USE;
nm_status nm_sum_tree_wait(nm_sum_tree *tree) NM_MUST_USE;

#endif
