/* What each kind of operation does. Nothing here can fail. */
#include "plan.h"

#include "clock.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where the turn's samples lie in a region; NULL: it is none. */
static real *memory_of(const nm_turn *t, const nm_region *region)
{
    if (!region)
        return NULL;
    size_t arena = region->segment && t->worker ? (size_t)(t->worker - 1) * region->segment->arena_bytes : 0;
    size_t first = region->whole ? (size_t)t->first * region->sample_size : 0;
    return (real *)(void *)(t->run->plan->slab + region->offset + arena + first);
}

/* The output of `node` for the turn's samples. */
static real *output_of(const nm_turn *t, int node)
{
    const nm_network *net = t->run->plan->net;
    if (node >= net->inputs)
        return memory_of(t, t->run->plan->node[node].value);
    return (real *)(uintptr_t)t->run->batch->x[node] + (size_t)t->first * nm_shape_size(net->node[node].out);
}

/* ---- zeros and sums, in chunks ------------------------------------------------------- */

enum { CHUNK = 16384 }; /* elements a task: 64 KB of float */

typedef struct chunks {
    real *to;
    const real *from; /* NULL: zeros */
    size_t count;     /* elements */
} chunks;

static void chunk_task(void *arg, int task, int thread)
{
    (void)thread;
    const chunks *c = arg;
    size_t first = (size_t)task * CHUNK, last = first + CHUNK < c->count ? first + CHUNK : c->count;
    real *restrict to = c->to;
    const real *restrict from = c->from;
    if (!from)
        memset(to + first, 0, (last - first) * sizeof(real));
    for (size_t i = first; from && i < last; i++)
        to[i] += from[i];
}

/* Adds `from` to `to`; without it sets zeros. */
static void run_chunks(const nm_plan *plan, real *to, const real *from, size_t count)
{
    nm_parallel(plan->request.threads, (int)((count + CHUNK - 1) / CHUNK), chunk_task, &(chunks){to, from, count});
}

static void run_zero(const nm_turn *t, const nm_op *op)
{
    (void)op;
    run_chunks(t->run->plan, t->run->plan->gradients, NULL, t->run->plan->net->weight_count);
}

static void run_sum(const nm_turn *t, const nm_op *op)
{
    real *total = memory_of(t, op->access[0].region);
    size_t count = (size_t)t->n * op->access[0].region->sample_size / sizeof(real);
    for (int k = 1; k < op->accesses; k++)
        run_chunks(t->run->plan, total, memory_of(t, op->access[k].region), count);
}

/* ---- losses ---------------------------------------------------------------------------- */

/* Adds what an objective makes of some samples to the result. */
static void add_loss(const nm_turn *t, int index, real *dx)
{
    nm_run *r = t->run;
    const nm_plan *plan = r->plan;
    const nm_objective *o = &plan->net->objective[index];
    nm_shape shape = plan->net->node[o->from].out;
    size_t first = (size_t)t->first;
    bool counts = index == nm_counted_objective(plan->net) && o->type->classifies;
    nm_loss_pass p = {.n = t->n,
                      .xs = shape,
                      .x = output_of(t, o->from),
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
        p.targets = (nm_targets){.values = output_of(t, o->target)};
    o->type->run(&p, o->self);
    for (int k = 0; k < t->n; k++) {
        r->result.loss_sum += o->weight * plan->sample_loss[k];
        if (r->batch->sample_loss)
            r->batch->sample_loss[first + (size_t)k] += o->weight * plan->sample_loss[k];
        r->result.correct += counts ? (double)plan->correct[k] : 0;
        r->result.counted += counts ? (double)plan->counted[k] : 0;
    }
}

/* A gradient that the caller gives stands at the output once; zeros at every other loss. */
static void run_loss(const nm_turn *t, const nm_op *op)
{
    nm_run *r = t->run;
    const nm_network *net = r->plan->net;
    const nm_region *region = nm_op_region(op, NM_AS_DX);
    real *dx = memory_of(t, region);
    if (!r->dy && net->objectives)
        add_loss(t, op->index, dx);
    if (!r->dy || !dx)
        return;
    size_t count = (size_t)t->n * region->sample_size / sizeof(real);
    bool place = nm_objective_at(net, op->index).from == net->output && !r->dy_is_placed;
    run_chunks(r->plan, dx, NULL, count);
    if (place)
        memcpy(dx, r->dy, count * sizeof(real));
    r->dy_is_placed |= place;
}

/* ---- layers ---------------------------------------------------------------------------- */

/* What the tail finds in its layer `index`: the parameters of a normalisation, the input of a sum
 * that does not come from the head. */
static void set_tail(const nm_turn *t, int index, nm_tail *tail)
{
    const nm_plan *plan = t->run->plan;
    const nm_node *node = &plan->net->node[index];
    if (node->params) {
        tail->w = plan->w + node->first_param;
        tail->dw = plan->dw + node->first_param;
    }
    for (const nm_edge *e = plan->node[index].edge; e < plan->node[index].edge + node->inputs; e++)
        if (e->reader != NM_NONE) {
            tail->other = output_of(t, e->from);
            tail->other_dx = memory_of(t, e->gradient);
        }
}

/* The arguments of a layer's functions. x: space for the pointers to the node's inputs, then to
 * their gradients. A thread that works alone has in its scratch what layers have for all threads,
 * too. */
static void set_pass(const nm_turn *t, int index, real **x, nm_pass *pass, nm_tail *tail)
{
    const nm_plan *plan = t->run->plan;
    const nm_batch *batch = t->run->batch;
    const nm_node *node = &plan->net->node[index];
    const nm_plan_node *planned = &plan->node[index], *last = &plan->node[planned->last];
    bool alone = t->worker > 0;
    char *own = plan->thread_scratch + (alone ? (size_t)(t->worker - 1) * plan->memory.thread_scratch : 0);
    *tail = planned->tail;
    *pass = (nm_pass){.mode = plan->request.mode,
                      .backward = planned->backward,
                      .n = t->n,
                      .batch = batch->n,
                      .inputs = node->inputs,
                      .xs = node->in,
                      .ys = node->out,
                      .x = (const real *const *)x,
                      .y = memory_of(t, last->value),
                      .dy = memory_of(t, last->gradient),
                      .dx = x + plan->most_inputs,
                      .w = plan->w + node->first_param,
                      .dw = plan->dw + node->first_param,
                      .saved = memory_of(t, planned->saved),
                      .scratch = alone ? own : plan->scratch,
                      .thread_scratch_base = alone ? own + planned->scratch : own,
                      .thread_scratch_size = plan->memory.thread_scratch,
                      .plan = planned->choice,
                      .threads = alone ? 1 : plan->request.threads,
                      .statistics_rate = batch->statistics_rate,
                      .seed = batch->seed,
                      .step = batch->step,
                      .first_sample = (uint32_t)t->first,
                      .name = node->name,
                      .tail = tail};
    if (planned->tail.layers) /* then nobody else looks at dy */
        pass->dy_scratch = memory_of(t, last->gradient);
    for (int k = 0; k < node->inputs; k++) {
        x[k] = output_of(t, node->from[k]);
        x[plan->most_inputs + k] = memory_of(t, planned->edge[k].gradient);
    }
    for (int next = index + 1; next <= planned->last; next++)
        if (plan->node[next].head == index)
            set_tail(t, next, tail);
}

static void run_layer(const nm_turn *t, const nm_op *op)
{
    const nm_plan *plan = t->run->plan;
    const nm_node *node = &plan->net->node[op->index];
    real **x = plan->pointers + (ptrdiff_t)4 * t->worker * plan->most_inputs;
    void (*const passes[])(const nm_pass *, const void *) = {[NM_OP_STATISTICS] = node->type->batch_statistics,
                                                             [NM_OP_FORWARD] = node->type->forward,
                                                             [NM_OP_BACKWARD] = node->type->backward};
    nm_pass pass, before;
    nm_tail tail, tail_before;
    nm_lazy_normalisation lazy;
    set_pass(t, op->index, x, &pass, &tail);
    int head = plan->node[node->from[0]].head;
    if (plan->node[head].leaves_normalisation) {
        const nm_node *by = &plan->net->node[head];
        set_pass(t, head, x + (ptrdiff_t)2 * plan->most_inputs, &before, &tail_before);
        by->type->fusion->lazy_normalisation(&before, by->self, &lazy);
        pass.lazy_normalisation = &lazy;
        x[0] = (real *)(uintptr_t)lazy.x;
    }
    passes[op->kind](&pass, node->self);
}

/* ---- all of them ------------------------------------------------------------------------- */

/* Fills the regions that die with an operation with NaN: who reads them all the same shows it. */
static void poison_dead(const nm_turn *t, int op)
{
    const nm_plan *plan = t->run->plan;
    for (nm_region *r = plan->region; r < plan->region + plan->regions; r++)
        for (int k = 0; k < r->intervals; k++)
            if (r->live[k].last == op)
                memset(memory_of(t, r), 0xff, r->size);
}

void nm_run_op(const nm_turn *t, const nm_op *op)
{
    static void (*const runs[])(const nm_turn *, const nm_op *) = {
        [NM_OP_ZERO] = run_zero, [NM_OP_STATISTICS] = run_layer, [NM_OP_FORWARD] = run_layer, [NM_OP_LOSS] = run_loss,
        [NM_OP_SUM] = run_sum,   [NM_OP_BACKWARD] = run_layer,   [NM_OP_RESULTS] = NULL};
    const nm_plan *plan = t->run->plan;
    ptrdiff_t index = op - plan->op;
    double start = plan->request.timing ? nm_clock() : 0;
    if (runs[op->kind])
        runs[op->kind](t, op);
    if (plan->request.timing)
        plan->seconds[t->worker * plan->ops + index] += nm_clock() - start;
    if (plan->request.poison && index < plan->ops - 1) /* what the last one reads stays */
        poison_dead(t, (int)index);
}
