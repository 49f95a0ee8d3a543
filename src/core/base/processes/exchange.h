/* One array's way through the processes, as sum_tree.h describes it: the roots' segments to their
 * owners, the rest of the tree there, the sums to all. */
#ifndef NM_EXCHANGE_H
#define NM_EXCHANGE_H

#include "messages.h"
#include "subtrees.h"

typedef struct nm_exchange {
    nm_processes *p;
    int shards, threads;
    enum { NM_EXCHANGE_SUMS, NM_EXCHANGE_RESULTS, NM_EXCHANGE_DONE } phase;
    real *out;
    size_t count;
    int tag;
    int roots;
    nm_subtree *root; /* [shards]: those of all processes, from left to right; the sums of this one's segment */
    int messages;
    nm_message *message;
    size_t at, size; /* elements: its place in the tree's memory for exchanges */
} nm_exchange;

/* Memory for an exchange's lists, once; nm_exchange_free frees it, also after a failure. */
nm_status nm_exchange_init(nm_context *ctx, nm_exchange *x, nm_processes *p, int shards, int threads) NM_MUST_USE;
void nm_exchange_free(nm_exchange *x);

/* Elements of memory that the exchange of an array needs; most of any number of shards present. */
size_t nm_exchange_memory(const nm_processes *p, int shards, int present, size_t count);
size_t nm_exchange_most_memory(const nm_processes *p, int shards, size_t largest);

/* own: the roots of this process, the first of which lies in `out`; the others are copied. memory:
 * as above, until the exchange is done. count >= 1, present >= 1. */
nm_status nm_exchange_start(nm_exchange *x, real *out, size_t count, int present, const nm_subtree_stack *own,
                            real *memory) NM_MUST_USE;
/* Without waiting. */
nm_status nm_exchange_advance(nm_exchange *x) NM_MUST_USE;

#endif
