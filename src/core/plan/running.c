/* Running a plan: what each kind of operation does, and the loop over them. Nothing can fail. */
#include "running.h"

#include "arrays.h"
#include "clock.h"
#include "threads.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where the turn's samples lie in a region; NULL: it is none. */
static real *memory_of(const nm_run *r, const nm_region *region)
{
    if (!region)
        return NULL;
    size_t arena = region->segment && r->worker ? (size_t)(r->worker - 1) * region->segment->arena_bytes : 0;
    size_t first = region->whole ? (size_t)r->first * region->sample_size : 0;
    size_t shard = region->shard_size ? (size_t)(r->first / r->plan->sharding.samples) * region->shard_size : 0;
    return (real *)(void *)(r->plan->slab + region->offset + arena + first + shard);
}

/* The output of `node` for the turn's samples, as the operation finds it. */
static real *output_of(const nm_run *r, const nm_op *op, int node)
{
    const nm_network *net = r->plan->net;
    if (node >= net->inputs)
        return memory_of(r, r->plan->node[node].value[nm_in_backward(op)]);
    return (real *)(uintptr_t)r->batch->x[node] + (size_t)r->first * nm_shape_size(net->node[node].out);
}

/* ---- zeros and sums ------------------------------------------------------------------ */

static void run_zero(const nm_run *r, const nm_op *op)
{
    (void)op;
    nm_zero_array(r->plan->request.threads, r->plan->gradients, r->plan->net->weight_count);
}

static void run_sum(const nm_run *r, const nm_op *op)
{
    real *total = memory_of(r, op->access[0].region);
    size_t count = (size_t)r->n * op->access[0].region->sample_size / sizeof(real);
    for (int k = 1; k < op->accesses; k++)
        nm_add_array(r->plan->request.threads, total, memory_of(r, op->access[k].region), count);
}

/* ---- losses ---------------------------------------------------------------------------- */

/* Adds what an objective makes of some samples to the result. */
static void add_loss(const nm_run *r, const nm_op *op, real *dx)
{
    const nm_plan *plan = r->plan;
    const nm_objective *o = &plan->net->objective[op->index];
    nm_shape shape = plan->net->node[o->from].out;
    size_t first = (size_t)r->first;
    bool counts = op->index == nm_counted_objective(plan->net) && o->type->classifies;
    nm_loss_pass p = {.n = r->n,
                      .xs = shape,
                      .x = output_of(r, op, o->from),
                      .targets = r->batch->targets,
                      .dx = dx,
                      .scale = o->weight / r->batch->n,
                      .threads = plan->request.threads,
                      .sample_loss = plan->sample_loss,
                      .correct = counts ? plan->correct : NULL,
                      .counted = counts ? plan->counted : NULL};
    if (p.targets.labels)
        p.targets.labels += first * (size_t)(shape.h * shape.w);
    if (p.targets.values)
        p.targets.values += first * nm_shape_size(shape);
    if (o->target >= 0)
        p.targets = (nm_targets){.values = output_of(r, op, o->target)};
    o->type->run(&p, o->self);
    for (int k = 0; k < r->n; k++) {
        r->result->loss_sum += o->weight * plan->sample_loss[k];
        if (r->batch->sample_loss)
            r->batch->sample_loss[first + (size_t)k] += o->weight * plan->sample_loss[k];
        r->result->correct += counts ? (double)plan->correct[k] : 0;
        r->result->counted += counts ? (double)plan->counted[k] : 0;
    }
}

/* A gradient that the caller gives stands at the output once, at its first loss; zeros at every
 * other. */
static void run_loss(const nm_run *r, const nm_op *op)
{
    const nm_plan *plan = r->plan;
    const nm_access *written = &op->access[op->accesses - 1]; /* reading the output or the targets comes first */
    const nm_region *region = op->accesses && written->use == NM_AS_DX ? written->region : NULL;
    real *dx = memory_of(r, region);
    if (!r->batch->dy && plan->net->objectives)
        add_loss(r, op, dx);
    if (!r->batch->dy || !dx)
        return;
    size_t count = (size_t)r->n * region->sample_size / sizeof(real);
    int first = 0;
    while (plan->objective[first].from != plan->net->output && first < op->index)
        first++;
    nm_zero_array(plan->request.threads, dx, count);
    if (first == op->index && plan->objective[first].from == plan->net->output)
        memcpy(dx, r->batch->dy, count * sizeof(real));
}

/* ---- layers ---------------------------------------------------------------------------- */

/* What the tail finds in its layer `index`: the parameters of a normalisation, the input of a sum
 * that does not come from the head. */
static void set_tail(const nm_run *r, const nm_op *op, int index, nm_tail *tail)
{
    const nm_plan *plan = r->plan;
    const nm_node *node = &plan->net->node[index];
    if (node->params) {
        tail->w = plan->w + node->first_param;
        tail->dw = plan->dw + node->first_param;
    }
    for (const nm_edge *e = plan->node[index].edge; e < plan->node[index].edge + node->inputs; e++)
        if (e->reader != NM_NONE) {
            tail->other = output_of(r, op, e->from);
            tail->other_dx = memory_of(r, e->gradient);
        }
}

/* The arguments of a layer's functions. x: space for the pointers to the node's inputs, then to
 * their gradients. A thread that works alone has in its scratch what layers have for all threads,
 * too. */
static void set_pass(const nm_run *r, const nm_op *op, int index, real **x, nm_pass *pass, nm_tail *tail)
{
    const nm_plan *plan = r->plan;
    const nm_batch *batch = r->batch;
    const nm_node *node = &plan->net->node[index];
    const nm_plan_node *planned = &plan->node[index], *last = &plan->node[planned->last];
    bool alone = r->worker > 0;
    char *own = plan->thread_scratch + (alone ? (size_t)(r->worker - 1) * plan->memory.thread_scratch : 0);
    *tail = planned->tail;
    *pass = (nm_pass){.mode = plan->request.mode,
                      .backward = planned->backward,
                      .n = r->n,
                      .batch = planned->groups_in_shards ? r->n : batch->n,
                      .inputs = node->inputs,
                      .xs = node->in,
                      .ys = node->out,
                      .x = (const real *const *)x,
                      .bf16 = planned->bf16,
                      .y = memory_of(r, last->value[nm_in_backward(op)]),
                      .dy = memory_of(r, last->gradient),
                      .dx = x + plan->most_inputs,
                      .w = plan->w + node->first_param,
                      .dw = plan->dw + node->first_param,
                      .saved = memory_of(r, planned->saved[nm_in_backward(op)]),
                      .scratch = alone ? own : plan->scratch,
                      .thread_scratch_base = alone ? own + planned->scratch : own,
                      .thread_scratch_size = plan->memory.thread_scratch,
                      .plan = planned->choice,
                      .threads = alone ? 1 : plan->request.threads,
                      .statistics_rate = batch->statistics_rate,
                      .seed = batch->seed,
                      .step = batch->step,
                      .first_sample = (uint32_t)(r->first + nm_first_own_sample(plan)),
                      .name = node->name,
                      .tail = tail};
    if (planned->tail.layers) /* then nobody else looks at dy */
        pass->dy_scratch = memory_of(r, last->gradient);
    for (int k = 0; k < node->inputs; k++) {
        x[k] = output_of(r, op, node->from[k]);
        x[plan->most_inputs + k] = memory_of(r, planned->edge[k].gradient);
    }
    for (int next = index + 1; next <= planned->last; next++)
        if (plan->node[next].head == index)
            set_tail(r, op, next, tail);
}

void nm_call_layer(const nm_run *r, const nm_op *op, nm_layer_call *call, void *arg)
{
    const nm_plan *plan = r->plan;
    const nm_node *node = &plan->net->node[op->index];
    real **x = plan->pointers + (ptrdiff_t)4 * r->worker * plan->most_inputs;
    nm_pass pass, before;
    nm_tail tail, tail_before;
    nm_lazy_normalisation lazy;
    set_pass(r, op, op->index, x, &pass, &tail);
    int head = plan->node[node->from[0]].head;
    if (plan->node[head].leaves_normalisation) {
        const nm_node *by = &plan->net->node[head];
        set_pass(r, op, head, x + (ptrdiff_t)2 * plan->most_inputs, &before, &tail_before);
        by->type->fusion->lazy_normalisation(&before, by->self, &lazy);
        pass.lazy_normalisation = &lazy;
        pass.bf16 |= lazy.bf16 ? NM_BF16_X : 0;
        x[0] = (real *)(uintptr_t)lazy.x;
    }
    call(&pass, node, arg);
}

static void call_pass(const nm_pass *p, const nm_node *node, void *arg)
{
    void (*const passes[])(const nm_pass *, const void *) = {[NM_OP_STATISTICS] = node->type->batch_statistics,
                                                             [NM_OP_FORWARD] = node->type->forward,
                                                             [NM_OP_BACKWARD] = node->type->backward};
    passes[((const nm_op *)arg)->kind](p, node->self);
}

static void run_layer(const nm_run *r, const nm_op *op)
{
    nm_call_layer(r, op, call_pass, (void *)(uintptr_t)op);
}

/* ---- all of them ------------------------------------------------------------------------- */

/* Fills the regions that die with an operation with NaN: who reads them all the same shows it. */
static void poison_dead(const nm_run *r, int op)
{
    const nm_plan *plan = r->plan;
    for (const nm_region *region = plan->region; region < plan->region + plan->regions; region++)
        if (region->first != NM_NONE && region->last == op)
            memset(memory_of(r, region), 0xff, region->size);
}

void nm_run_kind(const nm_run *r, const nm_op *op)
{
    static void (*const runs[])(const nm_run *, const nm_op *) = {
        [NM_OP_ZERO] = run_zero, [NM_OP_STATISTICS] = run_layer, [NM_OP_FORWARD] = run_layer, [NM_OP_LOSS] = run_loss,
        [NM_OP_SUM] = run_sum,   [NM_OP_BACKWARD] = run_layer,   [NM_OP_RESULTS] = NULL};
    if (runs[op->kind])
        runs[op->kind](r, op);
}

static void run_op(const nm_run *r, const nm_op *op)
{
    const nm_plan *plan = r->plan;
    ptrdiff_t index = op - plan->op;
    double start = plan->request.timing ? nm_clock() : 0;
    if (plan->sharding.shards)
        nm_run_shards(r, op);
    else
        nm_run_kind(r, op);
    if (plan->request.timing)
        plan->seconds[r->worker * plan->ops + index] += (nm_clock() - start) / (r->worker ? plan->workers - 1 : 1);
    if (plan->request.poison && index < plan->ops - 1) /* what the last one reads stays */
        poison_dead(r, (int)index);
}

static void run_ops(const nm_run *r, int first, int last);

static void run_slice(void *arg, int index, int thread)
{
    nm_run r = *(const nm_run *)arg;
    r.first = index * r.slice;
    r.n = r.n - r.first < r.slice ? r.n - r.first : r.slice;
    r.worker = r.plan->segment[r.plan->op[r.loop].index].by_thread ? 1 + thread : 0;
    run_ops(&r, r.loop + 1, r.plan->op[r.loop].end);
}

static void run_loop(const nm_run *r, int loop)
{
    const nm_segment *segment = &r->plan->segment[r->plan->op[loop].index];
    int threads = r->plan->request.threads, share = nm_ceil_div(r->n, threads);
    nm_run sliced = *r;
    sliced.loop = loop;
    sliced.slice = segment->by_thread && share < segment->slice ? share : segment->slice;
    int count = nm_ceil_div(r->n, sliced.slice);
    if (segment->by_thread)
        nm_parallel(threads, count, run_slice, &sliced);
    for (int i = 0; i < count && !segment->by_thread; i++)
        run_slice(&sliced, i, 0);
}

/* Operations `first` to `last` - 1. Those of a loop have no phase that it has not. */
static void run_ops(const nm_run *r, int first, int last)
{
    const nm_op *op = r->plan->op;
    for (int i = first; i < last; i++) {
        if (!(op[i].phase & r->phases))
            continue;
        if (r->plan->request.on_op && !r->worker)
            r->plan->request.on_op(r->plan->request.on_op_arg, i);
        if (op[i].kind == NM_OP_LOOP) {
            run_loop(r, i);
            i = op[i].end;
        }
        run_op(r, &op[i]);
    }
}

static void run_program(void *arg)
{
    const nm_run *r = arg;
    nm_sharding *s = &r->plan->sharding;
    if (s->shards)
        memset(s->results, 0, (size_t)s->shards * sizeof *s->results);
    run_ops(r, 0, r->plan->ops);
    if (s->shards)
        nm_join_shards(r);
}

nm_result nm_plan_run(nm_plan *plan, const nm_batch *batch, unsigned phases)
{
    nm_result result = {0};
    int first, own = nm_plan_own_samples(plan, batch->n, &first);
    nm_with_team(run_program, &(nm_run){plan, batch, phases, &result, .n = own});
    result.loss = result.loss_sum / batch->n;
    return result;
}
