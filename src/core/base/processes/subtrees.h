/* The arithmetic of sum_tree.h's tree: which partial sums are added to which. A subtree is named by
 * its first leaf and its size, a power of two that divides the first leaf's number; leaves that are
 * not there count as nothing. */
#ifndef NM_SUBTREES_H
#define NM_SUBTREES_H

#include "real.h"

#include <stddef.h>

typedef struct nm_subtree {
    int first, size;
    real *sum; /* [count], of the leaves in it */
} nm_subtree;

/* Most subtrees that a range of leaves is cut into: two of each size. */
enum { NM_MOST_SUBTREES = 64 };

/* Sums that are not yet added to another, from left to right: the state of a binary counter. */
typedef struct nm_subtree_stack {
    int depth;
    nm_subtree at[NM_MOST_SUBTREES];
} nm_subtree_stack;

/* Puts the next subtree to the right of the others, and adds up, into the left one's memory, what
 * are the halves of a larger one. */
void nm_subtree_push(nm_subtree_stack *stack, nm_subtree next, size_t count, int threads);

/* No further leaf is there: adds up the rest. The sum of all of them; NULL: there was none. */
real *nm_subtree_finish(nm_subtree_stack *stack, size_t count, int threads);

/* The largest subtrees whose leaves are the range [first, end), from left to right, without their
 * sums. Returns how many; root may be NULL. */
int nm_subtree_roots(int first, int end, nm_subtree *root);

/* The greatest depth of a stack to which the leaves of the range are pushed, before it adds up. */
int nm_subtree_depth(int first, int end);

#endif
