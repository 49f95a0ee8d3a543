/* Shards of a batch: what they take, and how operations are run for them.
 *
 * An operation is run for one shard after the other, each as if it were alone. What it sums over
 * samples is summed over the shards in the order that their number alone gives: gradients of
 * parameters in a tree (sum_tree.h), what a layer has to know of the whole batch by the layer
 * itself (nm_batch_sums), losses one shard after the other. So the bits depend on the number of
 * shards, and neither on threads nor on how many processes share them. */
#include "running.h"

#include "alloc.h"

#include <string.h>

enum { RESULTS = 3 }; /* numbers of a shard's nm_result that are summed */

/* The part of the gradient slab that the operation's layer adds to: *count numbers from the result
 * on; 0 where it trains nothing. */
static size_t gradient_of(const nm_plan *plan, int node, size_t *count)
{
    const nm_node *n = &plan->net->node[node];
    size_t first = SIZE_MAX, end = 0;
    for (const nm_param *p = plan->net->param + n->first_param; p < plan->net->param + n->first_param + n->params; p++)
        if (p->kind != NM_STATE && !p->frozen) {
            first = p->offset < first ? p->offset : first;
            end = p->offset + p->count > end ? p->offset + p->count : end;
        }
    *count = end ? end - first : 0;
    return end ? first : 0;
}

/* Of the largest layer: gradients, and numbers of a shard that are joined. */
static size_t largest_gradient(const nm_plan *plan, size_t *sums)
{
    size_t largest = 1;
    *sums = RESULTS;
    for (int i = plan->net->inputs; i < plan->net->nodes; i++) {
        const nm_node *node = &plan->net->node[i];
        const nm_batch_sums *by = node->type->batch_sums;
        size_t count, own = by ? (size_t)(by->per_channel * node->in[0].c) : 0;
        gradient_of(plan, i, &count);
        largest = count > largest ? count : largest;
        *sums = own > *sums ? own : *sums;
    }
    return largest;
}

/* ---- planning ---------------------------------------------------------------------------- */

/* Of a layer that has to know more than one sample: whether it can, and where it looks. */
static nm_status check_statistics(const nm_plan *plan, int index)
{
    const nm_node *node = &plan->net->node[index];
    const nm_batch_sums *by = node->type->batch_sums;
    const nm_sharding *s = &plan->sharding;
    if (!node->type->batch_statistics)
        return NM_OK;
    if (!by)
        return nm_fail(plan->net->ctx, NM_INVALID, "%s: a %s is not trained in shards", node->who, node->type->name);
    int group = by->group ? by->group(node->self) : 0;
    if (group > 0 && s->samples % group)
        return nm_fail(plan->net->ctx, NM_INVALID,
                       "%s: ghost batches of %d samples do not fill shards of %d (a batch of %d in %d): choose "
                       "train.batch and train.shards such that a shard is a multiple of a ghost batch",
                       node->who, group, s->samples, s->batch, s->shards);
    return NM_OK;
}

nm_status nm_find_sharding(nm_plan *plan)
{
    nm_request *q = &plan->request;
    nm_context *ctx = plan->net->ctx;
    int rank = nm_processes_rank(q->processes), count = nm_processes_count(q->processes);
    if (q->mode != NM_TRAIN || (q->shards <= 1 && count == 1))
        return NM_OK;
    int shards = q->shards > 1 ? q->shards : 1;
    if (count > shards)
        return nm_fail(ctx, NM_INVALID, "%d processes for %d shard%s: train.shards must be at least as many", count,
                       shards, shards == 1 ? "" : "s");
    if (shards > NM_MOST_SHARDS || q->batch % shards)
        return nm_fail(ctx, NM_INVALID, "train.shards %d: expected a divisor of the batch (%d), at most %d", shards,
                       q->batch, NM_MOST_SHARDS);
    if (plan->split)
        return nm_fail(
            ctx, NM_INVALID,
            "train.shards goes with neither train.micro_batch nor train.recompute: it cuts the batch itself");
    plan->sharding = (nm_sharding){.shards = shards,
                                   .samples = q->batch / shards,
                                   .batch = q->batch,
                                   .first = (int)nm_share_first((size_t)shards, rank, count),
                                   .end = (int)nm_share_first((size_t)shards, rank + 1, count)};
    q->micro = q->batch = (plan->sharding.end - plan->sharding.first) * plan->sharding.samples;
    for (int i = plan->net->inputs; i < plan->net->nodes; i++)
        NM_TRY(check_statistics(plan, i));
    size_t sums, largest = largest_gradient(plan, &sums);
    plan->memory.sums = nm_sum_tree_bytes(q->processes, shards, largest) + (size_t)shards * sums * sizeof(double);
    return NM_OK;
}

nm_status nm_allocate_sharding(nm_plan *plan)
{
    nm_sharding *s = &plan->sharding;
    nm_context *ctx = plan->net->ctx;
    size_t sums, largest = largest_gradient(plan, &sums);
    if (!s->shards)
        return NM_OK;
    s->sums = nm_alloc(ctx, (size_t)s->shards * sums, sizeof *s->sums);
    s->results = nm_alloc(ctx, (size_t)s->shards, sizeof *s->results);
    if (!s->sums || !s->results)
        return NM_FAILED;
    return nm_sum_tree_new(ctx, plan->request.processes, s->shards, largest, plan->request.threads, &s->tree);
}

void nm_free_sharding(nm_plan *plan)
{
    nm_sum_tree_free(plan->sharding.tree);
    nm_free(plan->sharding.sums);
    nm_free(plan->sharding.results);
}

int nm_plan_own_samples(const nm_plan *plan, int n, int *first)
{
    const nm_sharding *s = &plan->sharding;
    *first = s->first * s->samples;
    if (!s->shards)
        return n;
    int end = s->end * s->samples < n ? s->end * s->samples : n;
    return end > *first ? end - *first : 0;
}

/* ---- running ----------------------------------------------------------------------------- */

/* Shards of the batch: the last one of an epoch may have fewer. */
static int present(const nm_run *r)
{
    return nm_ceil_div(r->batch->n, r->plan->sharding.samples);
}

static int samples_of(const nm_run *r, int shard)
{
    int left = r->batch->n - shard * r->plan->sharding.samples;
    return left < 0 ? 0 : left < r->plan->sharding.samples ? left : r->plan->sharding.samples;
}

static nm_run run_of(const nm_run *r, int shard)
{
    const nm_sharding *s = &r->plan->sharding;
    nm_run one = *r;
    one.first = (shard - s->first) * s->samples;
    one.n = samples_of(r, shard);
    one.result = &s->results[shard];
    return one;
}

static void check_exchange(const nm_run *r, nm_status status)
{
    if (status != NM_OK)
        r->plan->sharding.failed = true;
}

/* Every process's shards' numbers to all: `count` a shard, in sharding.sums. */
static void gather_sums(const nm_run *r, size_t count)
{
    const nm_sharding *s = &r->plan->sharding;
    nm_processes *processes = r->plan->request.processes;
    size_t offset[NM_MOST_SHARDS + 1];
    int all = nm_processes_count(processes);
    for (int rank = 0; rank <= all; rank++)
        offset[rank] = nm_share_first((size_t)s->shards, rank, all) * count * sizeof *s->sums;
    check_exchange(r, nm_processes_gather(processes, s->sums, offset));
}

/* ---- layers that have to know the whole batch --------------------------------------------- */

typedef struct joining {
    bool gradients; /* of backward */
    double *sums;   /* of one shard */
    nm_shard_sums all;
} joining;

static void find_sums(const nm_pass *p, const nm_node *node, void *arg)
{
    const joining *j = arg;
    const nm_batch_sums *by = node->type->batch_sums;
    (j->gradients ? by->find_gradients : by->find_statistics)(p, node->self, j->sums);
}

static void join_sums(const nm_pass *p, const nm_node *node, void *arg)
{
    const joining *j = arg;
    const nm_batch_sums *by = node->type->batch_sums;
    (j->gradients ? by->join_gradients : by->join_statistics)(p, node->self, &j->all);
}

static void find_input_gradient(const nm_pass *p, const nm_node *node, void *arg)
{
    (void)arg;
    if (p->dx[0])
        node->type->batch_sums->input_gradient(p, node->self);
}

static void run_joint(const nm_run *r, const nm_op *op)
{
    const nm_sharding *s = &r->plan->sharding;
    const nm_node *node = &r->plan->net->node[op->index];
    size_t count = (size_t)(node->type->batch_sums->per_channel * node->in[0].c);
    int samples[NM_MOST_SHARDS], end = nm_sum_tree_end(s->tree, present(r));
    joining j = {.gradients = op->kind == NM_OP_BACKWARD, .all = {s->shards, samples, s->sums}};
    for (int shard = nm_sum_tree_first(s->tree, present(r)); shard < end; shard++) {
        nm_run one = run_of(r, shard);
        j.sums = s->sums + (size_t)shard * count;
        nm_call_layer(&one, op, find_sums, &j);
    }
    gather_sums(r, count);
    for (int shard = 0; shard < s->shards; shard++)
        samples[shard] = samples_of(r, shard);
    nm_run all = *r;
    all.n = s->samples; /* what its scratch is for; this process may have none */
    if (!s->failed)
        nm_call_layer(&all, op, join_sums, &j);
    for (int shard = nm_sum_tree_first(s->tree, present(r)); shard < end && j.gradients && !s->failed; shard++) {
        nm_run one = run_of(r, shard);
        nm_call_layer(&one, op, find_input_gradient, NULL);
    }
}

/* ---- operations --------------------------------------------------------------------------- */

/* Backward of a layer with parameters: each shard's gradients go into a leaf of the tree. */
static void run_trained(const nm_run *r, const nm_op *op, size_t from, size_t count)
{
    nm_plan *plan = r->plan;
    nm_sum_tree *tree = plan->sharding.tree;
    const nm_node *node = &plan->net->node[op->index];
    const nm_param *param = &plan->net->param[node->first_param];
    int end = nm_sum_tree_end(tree, present(r));
    real **dw = plan->dw + node->first_param;
    nm_sum_tree_begin(tree, plan->gradients + from, count, present(r));
    for (int shard = nm_sum_tree_first(tree, present(r)); shard < end; shard++) {
        real *leaf = nm_sum_tree_leaf(tree);
        nm_run one = run_of(r, shard);
        for (int i = 0; i < node->params; i++)
            dw[i] = dw[i] ? leaf + (param[i].offset - from) : NULL;
        nm_run_kind(&one, op);
        nm_sum_tree_push(tree);
    }
    for (int i = 0; i < node->params; i++)
        dw[i] = dw[i] ? plan->gradients + param[i].offset : NULL;
    check_exchange(r, nm_sum_tree_finish(tree));
}

void nm_run_shards(const nm_run *r, const nm_op *op)
{
    nm_plan *plan = r->plan;
    nm_sharding *s = &plan->sharding;
    bool joint =
        op->kind == NM_OP_STATISTICS || (op->kind == NM_OP_BACKWARD && plan->node[op->index].takes_whole_batch);
    size_t count = 0, from = op->kind == NM_OP_BACKWARD ? gradient_of(plan, op->index, &count) : 0;
    if (s->failed)
        return;
    check_exchange(r, nm_sum_tree_progress(s->tree));
    if (op->kind == NM_OP_ZERO)
        nm_run_kind(r, op);
    else if (joint)
        run_joint(r, op);
    else if (count)
        run_trained(r, op, from, count);
    else
        for (int shard = nm_sum_tree_first(s->tree, present(r)); shard < nm_sum_tree_end(s->tree, present(r));
             shard++) {
            nm_run one = run_of(r, shard);
            nm_run_kind(&one, op);
        }
}

void nm_join_shards(const nm_run *r)
{
    nm_sharding *s = &r->plan->sharding;
    if (!s->failed)
        check_exchange(r, nm_sum_tree_wait(s->tree));
    for (int shard = s->first; shard < s->end; shard++) {
        const nm_result *one = &s->results[shard];
        const double numbers[RESULTS] = {one->loss_sum, one->correct, one->counted};
        memcpy(s->sums + (size_t)shard * RESULTS, numbers, sizeof numbers);
    }
    if (!s->failed)
        gather_sums(r, RESULTS);
    for (int shard = 0; shard < s->shards; shard++) {
        const double *one = s->sums + (size_t)shard * RESULTS;
        r->result->loss_sum += one[0];
        r->result->correct += one[1];
        r->result->counted += one[2];
    }
    r->result->failed = s->failed;
}
