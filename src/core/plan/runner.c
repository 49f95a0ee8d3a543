/* Running a plan: one loop over its operations. Nothing here can fail. */
#include "plan.h"

#include "clock.h"
#include "threads.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A part of the program being run. */
typedef struct run {
    nm_plan *plan;
    const nm_batch *batch;
    unsigned phases;   /* of nm_phase: operations of others are left out */
    const real *dy;    /* given in place of the losses; NULL: the losses are run */
    bool dy_is_placed; /* a loss at the output has been replaced */
    nm_result result;
    const nm_op *loop; /* the one that is run, */
    int slice;         /* and how many samples it takes at once */
} run;

/* Who runs an operation, for which samples. */
typedef struct turn {
    run *run;
    int worker;   /* 0: the team; else thread number worker - 1, alone */
    int first, n; /* samples */
} turn;

/* Where the turn's samples lie in a region; NULL: it is none. */
static real *memory_of(const turn *t, const nm_region *region)
{
    if (!region)
        return NULL;
    size_t arena = region->segment && t->worker ? (size_t)(t->worker - 1) * region->segment->arena_bytes : 0;
    size_t first = region->whole ? (size_t)t->first * region->sample_size : 0;
    return (real *)(void *)(t->run->plan->slab + region->offset + arena + first);
}

/* The output of `node` for the turn's samples. */
static real *output_of(const turn *t, int node)
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

static void run_zero(const turn *t, const nm_op *op)
{
    (void)op;
    run_chunks(t->run->plan, t->run->plan->gradients, NULL, t->run->plan->net->weight_count);
}

static void run_sum(const turn *t, const nm_op *op)
{
    real *total = memory_of(t, op->access[0].region);
    size_t count = (size_t)t->n * op->access[0].region->sample_size / sizeof(real);
    for (int k = 1; k < op->accesses; k++)
        run_chunks(t->run->plan, total, memory_of(t, op->access[k].region), count);
}

/* ---- losses ---------------------------------------------------------------------------- */

/* Adds what an objective makes of some samples to the result. */
static void add_loss(const turn *t, int index, real *dx)
{
    run *r = t->run;
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
        r->result.correct += counts ? (double)plan->correct[k] : 0;
        r->result.counted += counts ? (double)plan->counted[k] : 0;
    }
}

/* A gradient that the caller gives stands at the output once; zeros at every other loss. */
static void run_loss(const turn *t, const nm_op *op)
{
    run *r = t->run;
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

/* The arguments of a layer's functions. */
typedef struct call {
    nm_pass pass;
    nm_tail tail; /* pass.tail */
} call;

/* What the tail finds in its layer `index`: the parameters of a normalisation, the input of a sum
 * that does not come from the head. */
static void set_tail(const turn *t, int index, nm_tail *tail)
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

/* In a segment that goes by thread, a thread's memory begins with what the layer has for all
 * threads. */
static void set_scratch(const turn *t, nm_pass *pass)
{
    const nm_plan *plan = t->run->plan;
    char *own = plan->thread_scratch + (t->worker ? (size_t)(t->worker - 1) * plan->memory.thread_scratch : 0);
    pass->scratch = t->worker ? own : plan->scratch;
    pass->thread_scratch_base = t->worker ? own + plan->worker_scratch : own;
    pass->thread_scratch_size = plan->memory.thread_scratch;
    pass->threads = t->worker ? 1 : plan->request.threads;
}

/* x: space for the pointers to the node's inputs, then to their gradients. */
static void set_call(const turn *t, int index, real **x, call *c)
{
    const nm_plan *plan = t->run->plan;
    const nm_batch *batch = t->run->batch;
    const nm_node *node = &plan->net->node[index];
    const nm_plan_node *planned = &plan->node[index], *last = &plan->node[planned->last];
    real **dx = x + plan->most_inputs, *dy = memory_of(t, last->gradient);
    for (int k = 0; k < node->inputs; k++) {
        x[k] = output_of(t, node->from[k]);
        dx[k] = memory_of(t, planned->edge[k].gradient);
    }
    c->tail = planned->tail;
    c->pass = (nm_pass){.mode = plan->request.mode,
                        .backward = planned->backward,
                        .n = t->n,
                        .batch = batch->n,
                        .inputs = node->inputs,
                        .xs = node->in,
                        .ys = node->out,
                        .x = (const real *const *)x,
                        .y = memory_of(t, last->value),
                        .dy = dy,
                        .dy_scratch = planned->tail.layers ? dy : NULL, /* then nobody else looks at it */
                        .dx = dx,
                        .w = plan->w + node->first_param,
                        .dw = plan->dw + node->first_param,
                        .saved = memory_of(t, planned->saved),
                        .plan = planned->choice,
                        .statistics_rate = batch->statistics_rate,
                        .seed = batch->seed,
                        .step = batch->step,
                        .first_sample = (uint32_t)t->first,
                        .name = node->name,
                        .tail = &c->tail};
    set_scratch(t, &c->pass);
    for (int next = index + 1; next <= planned->last; next++)
        if (plan->node[next].head == index)
            set_tail(t, next, &c->tail);
}

static void run_layer(const turn *t, const nm_op *op)
{
    const nm_plan *plan = t->run->plan;
    const nm_node *node = &plan->net->node[op->index];
    real **pointers = plan->pointers + (ptrdiff_t)4 * t->worker * plan->most_inputs;
    void (*const passes[])(const nm_pass *, const void *) = {[NM_OP_STATISTICS] = node->type->batch_statistics,
                                                             [NM_OP_FORWARD] = node->type->forward,
                                                             [NM_OP_BACKWARD] = node->type->backward};
    call c, before;
    nm_lazy_normalisation lazy;
    set_call(t, op->index, pointers, &c);
    int head = plan->node[node->from[0]].head;
    if (plan->node[head].leaves_normalisation) {
        const nm_node *by = &plan->net->node[head];
        set_call(t, head, pointers + (ptrdiff_t)2 * plan->most_inputs, &before);
        by->type->fusion->lazy_normalisation(&before.pass, by->self, &lazy);
        c.pass.lazy_normalisation = &lazy;
        pointers[0] = (real *)(uintptr_t)lazy.x;
    }
    passes[op->kind](&c.pass, node->self);
}

/* ---- the program ------------------------------------------------------------------------- */

/* Fills the regions that die with an operation with NaN: who reads them all the same shows it. What
 * the last operation reads stays. */
static void poison_dead(const turn *t, int op)
{
    const nm_plan *plan = t->run->plan;
    for (nm_region *r = plan->region; r < plan->region + plan->regions && op < plan->ops - 1; r++)
        for (int k = 0; k < r->intervals; k++)
            if (r->live[k].last == op)
                memset(memory_of(t, r), 0xff, r->size);
}

static void run_loop(run *r, const nm_op *loop);

/* Operations `first` to `last` - 1. Those of a loop have no phase that it has not. */
static void run_ops(const turn *t, int first, int last)
{
    static void (*const runs[])(const turn *, const nm_op *) = {
        [NM_OP_ZERO] = run_zero, [NM_OP_STATISTICS] = run_layer, [NM_OP_FORWARD] = run_layer, [NM_OP_LOSS] = run_loss,
        [NM_OP_SUM] = run_sum,   [NM_OP_BACKWARD] = run_layer,   [NM_OP_RESULTS] = NULL};
    const nm_plan *plan = t->run->plan;
    for (int i = first; i < last; i++) {
        if (!(plan->op[i].phase & t->run->phases))
            continue;
        if (plan->op[i].kind == NM_OP_LOOP) {
            run_loop(t->run, &plan->op[i]);
            i = plan->op[i].end;
        }
        double start = plan->request.timing ? nm_clock() : 0;
        if (runs[plan->op[i].kind])
            runs[plan->op[i].kind](t, &plan->op[i]);
        if (plan->request.timing)
            plan->seconds[t->worker * plan->ops + i] += nm_clock() - start;
        if (plan->request.poison)
            poison_dead(t, i);
    }
}

static void run_slice(void *arg, int slice, int thread)
{
    run *r = arg;
    const nm_plan *plan = r->plan;
    int first = slice * r->slice, left = r->batch->n - first;
    int worker = plan->segment[r->loop->index].by_thread ? 1 + thread : 0;
    turn t = {r, worker, first, left < r->slice ? left : r->slice};
    run_ops(&t, (int)(r->loop - plan->op) + 1, r->loop->end);
}

static void run_loop(run *r, const nm_op *loop)
{
    const nm_segment *segment = &r->plan->segment[loop->index];
    int n = r->batch->n, threads = r->plan->request.threads, share = nm_pieces(n, threads);
    r->loop = loop;
    r->slice = segment->by_thread && share < segment->slice ? share : segment->slice;
    if (segment->by_thread)
        nm_parallel(threads, nm_pieces(n, r->slice), run_slice, r);
    for (int slice = 0; slice < nm_pieces(n, r->slice) && !segment->by_thread; slice++)
        run_slice(r, slice, 0);
}

static void run_program(void *arg)
{
    run *r = arg;
    run_ops(&(turn){r, 0, 0, r->batch->n}, 0, r->plan->ops);
}

static nm_result run_phases(run r)
{
    nm_with_team(run_program, &r);
    r.result.loss = r.result.loss_sum / r.batch->n;
    return r.result;
}

void nm_plan_forward(nm_plan *plan, const nm_batch *batch)
{
    run_phases((run){plan, batch, NM_PHASE_FORWARD});
}

nm_result nm_plan_loss(nm_plan *plan, const nm_batch *batch)
{
    return run_phases((run){plan, batch, NM_PHASE_LOSS});
}

void nm_plan_backward(nm_plan *plan, const nm_batch *batch)
{
    run_phases((run){plan, batch, NM_PHASE_BACKWARD});
}

nm_result nm_plan_step(nm_plan *plan, const nm_batch *batch)
{
    return run_phases((run){plan, batch, NM_PHASE_FORWARD | NM_PHASE_LOSS | NM_PHASE_BACKWARD});
}

void nm_plan_backward_from(nm_plan *plan, const nm_batch *batch, const real *dy)
{
    run_phases((run){plan, batch, NM_PHASE_LOSS | NM_PHASE_BACKWARD, .dy = dy});
}
