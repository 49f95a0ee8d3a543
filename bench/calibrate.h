/* What the files of bench/calibrate share: the distinct pieces of work that convolutions of
 * networks are, and how long each algorithm takes for them. Order: collect_works, then time_works;
 * then chosen_of, for any costs. */
#ifndef CALIBRATE_H
#define CALIBRATE_H

#include "context.h"
#include "conv.h"

enum { MOST_CANDIDATES = 8, NAME = 128 };

/* An algorithm that can do a piece of work. */
typedef struct candidate {
    const nm_conv_algorithm *by;
    double seconds; /* of all samples: the median, or what it took once where that was far too long */
} candidate;

/* One pass of a convolution. */
typedef struct work {
    char name[NAME];
    nm_conv_geometry g; /* turned round for the gradient by x, where that goes through forward */
    nm_conv_kind kind;
    bool evaluation; /* forward by_sample, a few samples at once */
    int n;           /* samples */
    candidate of[MOST_CANDIDATES];
    int candidates;
} work;

typedef struct works {
    work *list;
    int count, capacity;
} works;

/* The algorithms and costs of the instruction set in use. */
const nm_conv_algorithm *const *algorithms_here(void);
const nm_conv_costs *costs_here(void);

/* Adds the passes of the convolutions in a model file for which there are two algorithms or more,
 * and that are not yet there; free(list) afterwards. */
nm_status collect_works(nm_context *ctx, const char *model, works *all) NM_MUST_USE;

/* Times all on one thread, some `seconds` of each. file, or NULL: what it knows is taken from
 * there, what is measured is added to it. */
nm_status time_works(nm_context *ctx, works *all, double seconds, const char *file) NM_MUST_USE;

/* The candidate that planning takes with such costs, and the fastest. */
int chosen_of(const work *w, const nm_conv_costs *costs);
int fastest_of(const work *w);
/* How many times as long as the fastest the chosen one takes. */
double regret_of(const work *w, const nm_conv_costs *costs);

/* Improves the costs until no change of one of them makes choices better. */
void fit_costs(const works *all, nm_conv_costs *costs);
/* Prints them as they stand in src/layers/conv/conv_costs.c. */
void print_costs(const nm_conv_costs *costs);

#endif
