/* The gradients by weights and bias, summed in partial sums: what algorithms that cut them by
 * samples share. A layout (in shared scratch) gives their number and place; nm_conv_sum_partials
 * runs the algorithm's task for each, which asks nm_conv_partial_of what is its, and adds them. */
#ifndef NM_CONV_PARTIALS_H
#define NM_CONV_PARTIALS_H

#include "conv.h"

/* The gradients by weights and bias are summed in partial sums, cut by shape alone: any thread
 * takes any of them, and they are added in their order. There are as many as units of work, at most
 * MOST, or one for each two, three, ... units; of more than FEWEST all together are no larger than
 * three quarters of what backward reads, so that memory has little more to move. */
enum { NM_CONV_FEWEST_PARTIALS = 8, NM_CONV_MOST_PARTIALS = 64 };

typedef struct nm_conv_partials {
    int count;
    int parts; /* of the rows of each: tasks beside each other */
    long units;
    real *dw; /* [count][weights]; NULL: none */
    real *db; /* [count][filters] */
} nm_conv_partials;

/* What a task computes of them, from the units first .. last - 1 of work. */
typedef struct nm_conv_partial {
    real *dw, *db; /* db is all zero; NULL: another part computes it */
    int part;
    long first, last;
} nm_conv_partial;

/* No more of them than this, which grows with n and with the units of work. */
static inline int nm_conv_partials_bound(const nm_conv_geometry *g, int n, long units)
{
    size_t read = (size_t)n * (nm_shape_size(g->in) + nm_shape_size(g->out));
    size_t most = read / 4 * 3 / nm_conv_weight_count(g);
    most = most < NM_CONV_FEWEST_PARTIALS ? NM_CONV_FEWEST_PARTIALS : most;
    most = most > NM_CONV_MOST_PARTIALS ? NM_CONV_MOST_PARTIALS : most;
    return units < (long)most ? (int)units : (int)most;
}

/* Of `units` in all, of n samples. Their place is in shared scratch: fewer samples may make more
 * partial sums, but take no more memory. */
static inline nm_conv_partials nm_conv_partials_layout(nm_scratch *s, const nm_conv_geometry *g, int n, long units)
{
    int bound = nm_conv_partials_bound(g, n, units);
    long each = (units + bound - 1) / bound;
    return (nm_conv_partials){.count = (int)((units + each - 1) / each),
                              .parts = 1,
                              .units = units,
                              .dw = nm_scratch_reals(s, (size_t)bound * nm_conv_weight_count(g)),
                              .db = nm_scratch_reals(s, (size_t)bound * (size_t)g->out.c)};
}

/* Of task `task`: number task / parts of the sums. */
nm_conv_partial NM_ISA(nm_conv_partial_of)(const nm_conv_partials *p, const nm_conv_geometry *g, int task);

/* Runs `task` for each part of each partial sum, and adds these in order to the call's dw and db,
 * those that are wanted. */
void NM_ISA(nm_conv_sum_partials)(const nm_conv_call *call, const nm_conv_partials *p, nm_task *task, void *arg);
/* The second half of that. */
void NM_ISA(nm_conv_add_partials)(const nm_conv_call *call, const nm_conv_partials *p);

#endif
