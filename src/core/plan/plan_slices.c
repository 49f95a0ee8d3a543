/* Planning evaluation: where a network goes forward a few samples at a time, so that what one layer
 * writes is still in cache when the next reads it. The bits stay the same, since in evaluation a
 * sample's do not depend on the others.
 *
 * The network is cut into stages, each with its own number of samples. A cut is made only where one
 * value crosses. Layers with large outputs gain from few samples, layers with many weights lose,
 * since every call brings in its weights again: the cheapest way through all layers is found by
 * dynamic programming over the layers and a few numbers of samples. Costs are in multiply-adds at
 * the matrix product's full speed, on all threads together. */
#include "plan_draft.h"

#include "algorithm_choice.h"
#include "alloc.h"

#include <math.h>

/* Measured on two cores of a Zen 4, at 50 * 10^9 multiply-adds a second each. */
#define FAR 12.0                   /* a number written to memory or read from it instead of the caches */
#define CALL 1e5                   /* starting a layer's work on a thread */
#define NEAR_BYTES (0.7 * 1048576) /* of values alive: all is in a core's second-level cache; */
#define FAR_BYTES (12.0 * 1048576) /* little is */

enum { SIZES = 12 };

typedef struct way {
    double cost; /* of the cheapest way to here that takes this number of samples here */
    int from;    /* the number that it takes in the layer before: an index */
} way;

typedef struct slicing {
    nm_draft *d;
    int sizes,
        size[SIZES]; /* numbers of samples to choose from; the first is the whole batch, for all threads together */
    int heads;
    int *head; /* [heads]: the nodes that work, in their order */
    int *last; /* [nodes]: index of the head that reads the output last */
    way *way;  /* [heads][sizes] */
} slicing;

/* Numbers of samples that give each thread as many slices. */
static void find_sizes(slicing *s)
{
    int batch = s->d->plan->request.batch;
    s->size[s->sizes++] = batch;
    for (int pieces = s->d->plan->request.threads; s->sizes < SIZES && s->size[s->sizes - 1] > 1; pieces *= 2)
        if (nm_pieces(batch, pieces) < s->size[s->sizes - 1])
            s->size[s->sizes++] = nm_pieces(batch, pieces);
}

static void find_heads(slicing *s)
{
    const nm_draft *d = s->d;
    const nm_network *net = d->net;
    for (int i = net->inputs; i < net->nodes; i++) {
        if (d->head[i] != i)
            continue;
        s->head[s->heads] = i;
        s->last[d->tail[i]] = s->heads++;
    }
    for (int at = 0; at < s->heads; at++)
        for (int user = s->head[at]; user <= d->tail[s->head[at]]; user++)
            for (int k = 0; d->head[user] == s->head[at] && k < net->node[user].inputs; k++)
                s->last[net->node[user].from[k]] = at;
}

static double elements(const slicing *s, int node)
{
    return (double)nm_shape_size(s->d->net->node[node].out);
}

/* The values that are written before head number `at` and read by it or behind it: how many, and
 * their numbers a sample. */
static int crossing(const slicing *s, int at, double *count)
{
    int values = 0;
    *count = 0;
    for (int before = 0; before < at; before++) {
        int tail = s->d->tail[s->head[before]];
        if (s->last[tail] >= at) {
            values++;
            *count += elements(s, tail);
        }
    }
    return values;
}

/* The share of numbers that are not in cache any more, where each thread has so many alive. */
static double share_afar(double alive)
{
    double bytes = alive * sizeof(real);
    return fmin(1, fmax(0, (bytes - NEAR_BYTES) / (FAR_BYTES - NEAR_BYTES)));
}

/* Multiply-adds' worth of time that a call takes beside its samples, on a thread. */
static double overhead_of(const nm_draft *d, int node, int samples)
{
    const nm_node *n = &d->net->node[node];
    double weights = 0;
    for (int i = 0; i < n->params; i++)
        weights += (double)d->net->param[n->first_param + i].count;
    return CALL + (n->type->algorithms ? n->type->algorithms->overhead(n->self, &d->rules, samples)
                                       : NM_WEIGHT_TIME * weights);
}

/* Of head number `at` with the size of that number, for the batch. */
static double cost_of(const slicing *s, int at, int size)
{
    const nm_draft *d = s->d;
    int node = s->head[at], tail = d->tail[node], batch = d->plan->request.batch, threads = d->plan->request.threads;
    int calls = size ? nm_pieces(batch, s->size[size]) : threads,
        samples = size ? s->size[size] : nm_pieces(batch, threads);
    double read = 0, alive;
    crossing(s, at, &alive);
    for (int k = 0; k < d->net->node[node].inputs; k++)
        read += elements(s, d->net->node[node].from[k]);
    double passed = (read + elements(s, tail)) * batch;
    return overhead_of(d, node, samples) * calls + FAR * passed * share_afar((alive + elements(s, tail)) * samples);
}

/* Sets the ways to head number `at`. */
static void go_on(slicing *s, int at)
{
    way *here = s->way + at * s->sizes, *before = here - s->sizes;
    double count;
    bool may_cut = at > 0 && crossing(s, at, &count) <= 1;
    const nm_request *q = &s->d->plan->request;
    double cut = at > 0 ? 2 * FAR * count * q->batch * share_afar(count * q->batch / q->threads) : 0;
    for (int k = 0; k < s->sizes; k++) {
        here[k] = (way){at > 0 ? before[k].cost : 0, k};
        for (int from = 0; may_cut && from < s->sizes; from++)
            if (before[from].cost + cut < here[k].cost)
                here[k] = (way){before[from].cost + cut, from};
        here[k].cost += cost_of(s, at, k);
    }
}

/* Follows the cheapest way back from the last layer, then numbers its stages. */
static void cut_stages(slicing *s)
{
    nm_draft *d = s->d;
    nm_plan *plan = d->plan;
    int best = 0;
    const way *end = s->way + (s->heads - 1) * s->sizes;
    for (int k = 1; k < s->sizes; k++)
        if (end[k].cost < end[best].cost)
            best = k;
    for (int at = s->heads - 1; at >= 0; at--) { /* for now, the stage is the size's index */
        d->stage[s->head[at]] = best;
        best = s->way[at * s->sizes + best].from;
    }
    plan->stages = 0;
    for (int at = 0, before = NM_NONE; at < s->heads; at++) {
        int size = d->stage[s->head[at]];
        if (size != before)
            plan->stage[plan->stages++] = (nm_stage){s->size[size], size > 0};
        before = size;
        d->stage[s->head[at]] = plan->stages - 1;
    }
    for (int k = 0; k < plan->stages; k++)
        if (plan->stage[k].apart)
            plan->lanes = 1 + plan->request.threads;
    for (int i = d->net->inputs; i < d->net->nodes; i++)
        d->stage[i] = d->stage[d->head[i]];
    for (int i = 0; i < nm_objective_count(d->net); i++)
        plan->objective_stage[i] = plan->stages - 1;
    plan->staged = plan->lanes > 1;
}

nm_status nm_draft_slices(nm_draft *d)
{
    const nm_request *q = &d->plan->request;
    slicing s = {.d = d};
    if (q->mode != NM_EVAL || d->plan->backward || q->keep_all || d->net->nodes == d->net->inputs)
        return NM_OK;
    find_sizes(&s);
    s.head = nm_alloc(d->ctx, (size_t)d->net->nodes, sizeof *s.head);
    s.last = nm_alloc(d->ctx, (size_t)d->net->nodes, sizeof *s.last);
    s.way = nm_alloc(d->ctx, (size_t)(d->net->nodes * s.sizes), sizeof *s.way);
    nm_status status = s.head && s.last && s.way ? NM_OK : NM_FAILED;
    if (status == NM_OK) {
        find_heads(&s);
        for (int at = 0; at < s.heads; at++)
            go_on(&s, at);
        cut_stages(&s);
    }
    nm_free(s.head);
    nm_free(s.last);
    nm_free(s.way);
    return status;
}
