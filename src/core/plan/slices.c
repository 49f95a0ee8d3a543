/* Planning evaluation: where a network goes forward a few samples at a time, so that what one layer
 * writes is still in cache when the next reads it. The bits stay the same, since in evaluation a
 * sample's do not depend on the others.
 *
 * The network is cut into segments, each with its own number of samples. A cut is made only where
 * one value crosses. Layers with large outputs gain from few samples, layers with many weights
 * lose, since every call brings in its weights again: the cheapest way through all layers is found
 * by dynamic programming over the layers and a few numbers of samples. Costs are in multiply-adds
 * at the matrix product's full speed, on all threads together. */
#include "builder.h"

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
    nm_builder *b;
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
    int batch = s->b->plan->request.batch;
    s->size[s->sizes++] = batch;
    for (int pieces = s->b->plan->request.threads; s->sizes < SIZES && s->size[s->sizes - 1] > 1; pieces *= 2)
        if (nm_pieces(batch, pieces) < s->size[s->sizes - 1])
            s->size[s->sizes++] = nm_pieces(batch, pieces);
}

static void find_heads(slicing *s)
{
    const nm_builder *b = s->b;
    const nm_network *net = b->net;
    for (int i = net->inputs; i < net->nodes; i++) {
        if (b->head[i] != i)
            continue;
        s->head[s->heads] = i;
        s->last[b->tail[i]] = s->heads++;
    }
    for (int at = 0; at < s->heads; at++)
        for (int user = s->head[at]; user <= b->tail[s->head[at]]; user++)
            for (int k = 0; b->head[user] == s->head[at] && k < net->node[user].inputs; k++)
                s->last[net->node[user].from[k]] = at;
}

static double elements(const slicing *s, int node)
{
    return (double)nm_shape_size(s->b->net->node[node].out);
}

/* The values that are written before head number `at` and read by it or behind it: how many, and
 * their numbers a sample. */
static int crossing(const slicing *s, int at, double *count)
{
    int values = 0;
    *count = 0;
    for (int before = 0; before < at; before++) {
        int tail = s->b->tail[s->head[before]];
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
static double overhead_of(const nm_builder *b, int node, int samples)
{
    const nm_node *n = &b->net->node[node];
    double weights = 0;
    for (int i = 0; i < n->params; i++)
        weights += (double)b->net->param[n->first_param + i].count;
    return CALL + (n->type->algorithms ? n->type->algorithms->overhead(n->self, &b->rules, samples)
                                       : NM_WEIGHT_TIME * weights);
}

/* Of head number `at` with the size of that number, for the batch. */
static double cost_of(const slicing *s, int at, int size)
{
    const nm_builder *b = s->b;
    int node = s->head[at], tail = b->tail[node], batch = b->plan->request.batch, threads = b->plan->request.threads;
    int calls = size ? nm_pieces(batch, s->size[size]) : threads,
        samples = size ? s->size[size] : nm_pieces(batch, threads);
    double read = 0, alive;
    crossing(s, at, &alive);
    for (int k = 0; k < b->net->node[node].inputs; k++)
        read += elements(s, b->net->node[node].from[k]);
    double passed = (read + elements(s, tail)) * batch;
    return overhead_of(b, node, samples) * calls + FAR * passed * share_afar((alive + elements(s, tail)) * samples);
}

/* Sets the ways to head number `at`. */
static void find_ways(slicing *s, int at)
{
    way *here = s->way + at * s->sizes, *before = here - s->sizes;
    double count;
    bool may_cut = at > 0 && crossing(s, at, &count) <= 1;
    const nm_request *q = &s->b->plan->request;
    double cut = at > 0 ? 2 * FAR * count * q->batch * share_afar(count * q->batch / q->threads) : 0;
    for (int k = 0; k < s->sizes; k++) {
        here[k] = (way){at > 0 ? before[k].cost : 0, k};
        for (int from = 0; may_cut && from < s->sizes; from++)
            if (before[from].cost + cut < here[k].cost)
                here[k] = (way){before[from].cost + cut, from};
        here[k].cost += cost_of(s, at, k);
    }
}

/* Follows the cheapest way back from the last layer, then numbers its segments. */
static void cut_segments(slicing *s)
{
    nm_builder *b = s->b;
    nm_plan *plan = b->plan;
    int best = 0;
    const way *end = s->way + (s->heads - 1) * s->sizes;
    for (int k = 1; k < s->sizes; k++)
        if (end[k].cost < end[best].cost)
            best = k;
    for (int at = s->heads - 1; at >= 0; at--) { /* for now, the segment is the size's index */
        b->segment[s->head[at]] = best;
        best = s->way[at * s->sizes + best].from;
    }
    plan->segments = 0;
    for (int at = 0, before = NM_NONE; at < s->heads; at++) {
        int size = b->segment[s->head[at]];
        if (size != before)
            plan->segment[plan->segments++] = (nm_segment){s->size[size], size > 0};
        before = size;
        b->segment[s->head[at]] = plan->segments - 1;
    }
    for (int k = 0; k < plan->segments; k++)
        if (plan->segment[k].by_thread)
            plan->workers = 1 + plan->request.threads;
    for (int i = b->net->inputs; i < b->net->nodes; i++)
        b->segment[i] = b->segment[b->head[i]];
    for (int i = 0; i < nm_objective_count(b->net); i++)
        b->objective_segment[i] = plan->segments - 1;
    plan->split = plan->workers > 1;
}

nm_status nm_find_slices(nm_builder *b)
{
    const nm_request *q = &b->plan->request;
    slicing s = {.b = b};
    if (q->mode != NM_EVAL || b->plan->backward || q->keep_all || b->net->nodes == b->net->inputs)
        return NM_OK;
    find_sizes(&s);
    s.head = nm_alloc(b->ctx, (size_t)b->net->nodes, sizeof *s.head);
    s.last = nm_alloc(b->ctx, (size_t)b->net->nodes, sizeof *s.last);
    s.way = nm_alloc(b->ctx, (size_t)(b->net->nodes * s.sizes), sizeof *s.way);
    nm_status status = s.head && s.last && s.way ? NM_OK : NM_FAILED;
    if (status == NM_OK) {
        find_heads(&s);
        for (int at = 0; at < s.heads; at++)
            find_ways(&s, at);
        cut_segments(&s);
    }
    nm_free(s.head);
    nm_free(s.last);
    nm_free(s.way);
    return status;
}
