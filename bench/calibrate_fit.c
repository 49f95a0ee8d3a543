/* Finds the costs that choose best among measured times. */
#include "calibrate.h"
#include "gemm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {
    "thin",          "thin_tiles",        "patch",      "patch_row", "direct_sum", "direct_pixel", "depthwise_3x3",
    "depthwise_any", "depthwise_strided", "tile_4x4",   "tile_2x2",  "row_3_in",   "row_3_out",    "row_8_in",
    "row_8_out",     "weights_1d",        "weights_2d",
};
enum { COSTS = sizeof names / sizeof *names };
_Static_assert(sizeof(nm_conv_costs) == COSTS * sizeof(double), "a name for each of the costs, in their order");

typedef union costs {
    nm_conv_costs of;
    double number[COSTS];
} costs;

/* Time lost beyond that of the fastest, as a share of it. A choice by a hair is half a choice of
 * the other: a candidate whose cost is higher by `HAIR` counts 1/e times as much as the one chosen.
 */
static double time_lost(const work *w, const nm_conv_costs *c)
{
    const double HAIR = 0.05;
    double cost[MOST_CANDIDATES], least = INFINITY, weights = 0, lost = 0, fastest = w->of[fastest_of(w)].seconds;
    for (int i = 0; i < w->candidates; i++) {
        cost[i] = w->of[i].by->cost(&w->g, w->kind, w->evaluation, c);
        least = cost[i] < least ? cost[i] : least;
    }
    for (int i = 0; i < w->candidates; i++) {
        double weight = exp(-log(cost[i] / least) / HAIR);
        weights += weight;
        lost += weight * (w->of[i].seconds / fastest - 1);
    }
    return lost / weights;
}

/* How far the costs' ratios are from those of the times, among the candidates that may come into
 * question: the mean square of their logarithms' differences. */
static double wrong_ratios(const work *w, const nm_conv_costs *c)
{
    const double FAR = 2;
    const candidate *fastest = &w->of[fastest_of(w)];
    double sum = 0;
    for (int i = 0; i < w->candidates; i++) {
        double costs_more =
            w->of[i].by->cost(&w->g, w->kind, w->evaluation, c) / fastest->by->cost(&w->g, w->kind, w->evaluation, c);
        double off = log(costs_more / (w->of[i].seconds / fastest->seconds));
        sum += w->of[i].seconds < FAR * fastest->seconds ? off * off : 0;
    }
    return sum / w->candidates;
}

/* A cost that hardly anything depends on stays near what it was. */
static double badness(const works *all, const costs *c, const costs *start)
{
    const double ANCHOR = 0.1, WRONG = 0.1;
    double sum = 0;
    for (int k = 0; k < all->count; k++)
        sum += time_lost(&all->list[k], &c->of) + WRONG * wrong_ratios(&all->list[k], &c->of);
    for (int i = 0; i < COSTS; i++) {
        double moved = log(c->number[i] / start->number[i]);
        sum += ANCHOR * moved * moved;
    }
    return sum;
}

/* To two digits, as the table is printed. */
static double rounded(double number)
{
    char text[32];
    snprintf(text, sizeof text, "%.2g", number);
    return strtod(text, NULL);
}

/* Tries other values of one cost; whether there was a better one. */
static bool improve(const works *all, costs *c, int index, const costs *start, double *least)
{
    enum { STEPS = 16 };
    const double REACH = 2; /* times as much, at most, or as little */
    bool better = false;
    double from = c->number[index];
    for (int step = -STEPS; step <= STEPS; step++) {
        costs tried = *c;
        tried.number[index] = rounded(from * pow(REACH, (double)step / STEPS));
        double bad = badness(all, &tried, start);
        if (bad < *least - 1e-6) {
            *c = tried;
            *least = bad;
            better = true;
        }
    }
    return better;
}

void fit_costs(const works *all, nm_conv_costs *of)
{
    const costs start = {.of = *of};
    costs c = start;
    double least = badness(all, &c, &start);
    for (bool better = true; better;) {
        better = false;
        for (int i = 0; i < COSTS; i++)
            better |= improve(all, &c, i, &start, &least);
    }
    *of = c.of;
}

void print_costs(const nm_conv_costs *of)
{
    const costs c = {.of = *of};
    printf("/* %s, OpenBLAS's kernel for %s */\nstatic const nm_conv_costs costs = {\n", nm_isa_name(nm_isa_level()),
           nm_gemm_core());
    for (int i = 0; i < COSTS; i++)
        printf("    .%s = %.6g,\n", names[i], c.number[i]);
    printf("};\n");
}
