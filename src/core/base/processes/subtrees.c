#include "subtrees.h"

#include "arrays.h"

#include <stdbool.h>

/* Whether they are the halves of one subtree. */
static bool are_halves(const nm_subtree *left, const nm_subtree *right)
{
    return left->size == right->size && left->first % (2 * left->size) == 0 && left->first + left->size == right->first;
}

/* left + right, into the left one's memory. */
static void add_last(nm_subtree_stack *stack, size_t count, int threads)
{
    nm_subtree *right = &stack->at[--stack->depth], *left = right - 1;
    nm_add_array(threads, left->sum, right->sum, count);
    left->size *= 2;
}

void nm_subtree_push(nm_subtree_stack *stack, nm_subtree next, size_t count, int threads)
{
    stack->at[stack->depth++] = next;
    while (stack->depth > 1 && are_halves(&stack->at[stack->depth - 2], &stack->at[stack->depth - 1]))
        add_last(stack, count, threads);
}

real *nm_subtree_finish(nm_subtree_stack *stack, size_t count, int threads)
{
    while (stack->depth > 1) /* the right half of each is all that is there of it */
        add_last(stack, count, threads);
    return stack->depth ? stack->at[0].sum : NULL;
}

int nm_subtree_roots(int first, int end, nm_subtree *root)
{
    int roots = 0;
    for (int size; first < end; first += size) {
        for (size = 1; first % (2 * size) == 0 && first + 2 * size <= end;)
            size *= 2;
        if (root)
            root[roots] = (nm_subtree){first, size, NULL};
        roots++;
    }
    return roots;
}

int nm_subtree_depth(int first, int end)
{
    int most = 0;
    for (int leaf = first; leaf < end; leaf++) {
        int depth = nm_subtree_roots(first, leaf, NULL) + 1; /* what the leaves before it have been added up to */
        most = depth > most ? depth : most;
    }
    return most;
}
