/* The gradients by weights and bias, summed in partial sums: what algorithms that cut them by
 * samples share. A layout (in shared scratch) gives their number and place; nm_conv_sum_partials
 * runs the algorithm's task for each, which asks nm_conv_partial_of what is its, and adds them. */
#ifndef NM_CONV_PARTIALS_H
#define NM_CONV_PARTIALS_H

#include "conv.h"

/* The gradients by weights and bias are summed in partial sums, cut by shape alone: any thread
 * takes any of them, and they are added in their order. There are at most MOST; of more than FEWEST
 * all together are no larger than three quarters of what backward reads, so that memory has little
 * more to move. */
enum { NM_CONV_FEWEST_PARTIALS = 8, NM_CONV_MOST_PARTIALS = 144 };

typedef struct nm_conv_partials {
    int count;
    int parts; /* of the rows of each: tasks beside each other */
    long units;
    int whole;        /* sums at the beginning, which share the first `whole_units` evenly; */
    long whole_units; /* the others share what is left: about half as many units each */
    real *dw;         /* [count][weights]; NULL: none */
    real *db;         /* [count][filters] */
} nm_conv_partials;

/* What a task computes of them, from the units first .. last - 1 of work. */
typedef struct nm_conv_partial {
    real *dw, *db; /* db is all zero; NULL: another part computes it */
    int part;
    long first, last;
} nm_conv_partial;

/* Of `units` in all, of n samples. Their place is in shared scratch: fewer samples may make more
 * partial sums, but take no more memory. */
nm_conv_partials NM_ISA(nm_conv_partials_layout)(nm_scratch *s, const nm_conv_geometry *g, int n, long units);

/* Of task `task`: number task / parts of the sums. */
nm_conv_partial NM_ISA(nm_conv_partial_of)(const nm_conv_partials *p, const nm_conv_geometry *g, int task);

/* Runs `task` for each part of each partial sum, and adds these in order to the call's dw and db,
 * those that are wanted. */
void NM_ISA(nm_conv_sum_partials)(const nm_conv_call *call, const nm_conv_partials *p, nm_task *task, void *arg);
/* The second half of that. */
void NM_ISA(nm_conv_add_partials)(const nm_conv_call *call, const nm_conv_partials *p);

#endif
