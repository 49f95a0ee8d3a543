/* Planning: where a plan is cut. For training with a split batch see plan.h. Evaluation goes
 * through the network a few samples at a time, so that what one layer writes is still in cache when
 * the next reads it. The bits stay the same: there, a sample's do not depend on the others.
 *
 * Each segment has its own number of samples. A cut is made only where one value crosses. Layers
 * with large outputs gain from few samples, layers with many weights lose, since every call brings
 * in its weights again: the cheapest way through all layers is found by dynamic programming over
 * the layers and a few numbers of samples. Costs are in multiply-adds at the matrix product's full
 * speed, on all threads together. */
#include "plan.h"

#include "algorithm_choice.h"
#include "alloc.h"

#include <math.h>

static void find_who_waits(nm_plan *plan, int index)
{
    const nm_node *node = &plan->net->node[index];
    nm_plan_node *planned = &plan->node[index];
    const nm_batch_sums *by = node->type->batch_sums;
    planned->groups_in_shards = plan->sharding.shards && by && by->group && by->group(node->self) > 0;
    planned->takes_whole_batch =
        (plan->split || (plan->sharding.shards && !planned->groups_in_shards)) && node->type->batch_statistics;
}

void nm_find_segments(nm_plan *plan)
{
    const nm_network *net = plan->net;
    for (int i = net->inputs; i < net->nodes; i++)
        find_who_waits(plan, i);
    if (!plan->split)
        return;
    for (const nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++) {
        nm_plan_node *user = &plan->node[e->user];
        int segment = plan->node[e->from].segment + user->takes_whole_batch;
        user->segment = segment > user->segment ? segment : user->segment;
        plan->segments = user->segment >= plan->segments ? user->segment + 1 : plan->segments;
    }
}

/* ---- evaluation ---------------------------------------------------------------------- */

/* Measured on two cores of a Zen 4, at 50 * 10^9 multiply-adds a second each. */
#define FAR 12.0                   /* a number written to memory or read from it instead of the caches */
#define CALL 1e5                   /* starting a layer's work on a thread */
#define NEAR_BYTES (0.7 * 1048576) /* of values alive: all is in a core's second-level cache; */
#define FAR_BYTES (12.0 * 1048576) /* little is */

enum { MOST_SIZES = 12 };

typedef struct way {
    double cost; /* of the cheapest way to here that takes this number of samples here */
    int from;    /* the number that it takes in the node before: an index */
} way;

typedef struct slicing {
    nm_plan *plan;
    int sizes;
    int size[MOST_SIZES]; /* numbers of samples to choose from; the first is the whole batch, for all threads */
    way *way;             /* [nodes][sizes] */
} slicing;

/* Numbers of samples that give each thread as many slices. */
static void find_sizes(slicing *s)
{
    int batch = s->plan->request.batch;
    s->size[s->sizes++] = batch;
    for (int pieces = s->plan->request.threads; s->sizes < MOST_SIZES && s->size[s->sizes - 1] > 1; pieces *= 2)
        if (nm_ceil_div(batch, pieces) < s->size[s->sizes - 1])
            s->size[s->sizes++] = nm_ceil_div(batch, pieces);
}

static double elements(const slicing *s, int node)
{
    return (double)nm_shape_size(s->plan->net->node[node].out);
}

/* The values that are written before head `at` and read by it or behind it: how many, and their
 * numbers a sample. */
static int crossing(const slicing *s, int at, double *count)
{
    int values = 0;
    *count = 0;
    for (int head = s->plan->net->inputs; head < at; head++) {
        const nm_plan_node *node = &s->plan->node[head];
        if (node->head == head && s->plan->node[node->last].last_reader >= at) {
            values++;
            *count += elements(s, node->last);
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
static double overhead_of(const nm_plan *plan, int node, int samples)
{
    const nm_node *n = &plan->net->node[node];
    double weights = 0;
    for (int i = 0; i < n->params; i++)
        weights += (double)plan->net->param[n->first_param + i].count;
    return CALL + (n->type->algorithms ? n->type->algorithms->overhead(n->self, &plan->rules, samples)
                                       : NM_WEIGHT_TIME * weights);
}

/* Of a head with the size of that number, for the batch; `alive`: numbers a sample crossing it. */
static double cost_of(const slicing *s, int head, int size, double alive)
{
    const nm_plan *plan = s->plan;
    const nm_node *node = &plan->net->node[head];
    int batch = plan->request.batch, threads = plan->request.threads;
    int calls = size ? nm_ceil_div(batch, s->size[size]) : threads,
        samples = size ? s->size[size] : nm_ceil_div(batch, threads);
    double read = 0, written = elements(s, plan->node[head].last);
    for (int k = 0; k < node->inputs; k++)
        read += elements(s, node->from[k]);
    return overhead_of(plan, head, samples) * calls +
           FAR * (read + written) * batch * share_afar((alive + written) * samples);
}

/* Sets the ways to a node. One that another does the work of goes with what comes before it. */
static void find_ways(slicing *s, int node)
{
    const nm_request *q = &s->plan->request;
    way *here = s->way + node * s->sizes, *before = here - s->sizes;
    bool first = node == s->plan->net->inputs, head = s->plan->node[node].head == node;
    double count;
    bool may_cut = crossing(s, node, &count) <= 1 && head && !first;
    double cut = 2 * FAR * count * q->batch * share_afar(count * q->batch / q->threads);
    for (int k = 0; k < s->sizes; k++) {
        here[k] = (way){first ? 0 : before[k].cost, k};
        for (int from = 0; may_cut && from < s->sizes; from++)
            if (before[from].cost + cut < here[k].cost)
                here[k] = (way){before[from].cost + cut, from};
        here[k].cost += head ? cost_of(s, node, k, count) : 0;
    }
}

/* Follows the cheapest way back from the last node, then numbers its segments. */
static void cut_segments(slicing *s)
{
    nm_plan *plan = s->plan;
    int first = plan->net->inputs, best = 0, size = NM_NONE;
    const way *end = s->way + (plan->net->nodes - 1) * s->sizes;
    for (int k = 1; k < s->sizes; k++)
        if (end[k].cost < end[best].cost)
            best = k;
    for (int i = plan->net->nodes - 1; i >= first; i--) { /* for now, the segment is the size's index */
        plan->node[i].segment = best;
        best = s->way[i * s->sizes + best].from;
    }
    plan->segments = 0;
    for (int i = first; i < plan->net->nodes; i++) {
        if (plan->node[i].segment != size) {
            size = plan->node[i].segment;
            plan->segment[plan->segments++] = (nm_segment){.slice = s->size[size], .by_thread = size > 0};
            plan->split |= size > 0;
        }
        plan->node[i].segment = plan->segments - 1;
    }
    for (int i = first; i < plan->net->nodes; i++)
        plan->node[i].segment = plan->node[plan->node[i].head].segment;
    plan->workers = plan->split ? 1 + plan->request.threads : 1;
}

nm_status nm_find_slices(nm_plan *plan)
{
    const nm_network *net = plan->net;
    slicing s = {.plan = plan};
    if (plan->request.mode != NM_EVAL || plan->backward || plan->request.keep_all || net->nodes == net->inputs)
        return NM_OK;
    find_sizes(&s);
    s.way = nm_alloc(net->ctx, (size_t)(net->nodes * s.sizes), sizeof *s.way);
    if (!s.way)
        return NM_FAILED;
    for (int i = net->inputs; i < net->nodes; i++)
        find_ways(&s, i);
    cut_segments(&s);
    nm_free(s.way);
    return NM_OK;
}
