/* Running a plan: one loop over its operations. Nothing here can fail. */
#include "plan.h"

#include "clock.h"
#include "threads.h"

#include <string.h>

enum { CHUNK = 16384 }; /* elements a task: 64 KB of float */

/* A few samples of a batch, or all of them. */
typedef struct slice {
    int first, n;
} slice;

/* A part of the program being run. */
typedef struct run {
    nm_plan *plan;
    const nm_batch *batch;
    unsigned phases;   /* of nm_phase: operations of others are left out */
    const real *dy;    /* given in place of the losses; NULL: the losses are run */
    bool dy_is_placed; /* a loss at the output has been replaced */
    nm_result result;
} run;

static double now(const nm_plan *plan)
{
    return plan->request.timing ? nm_clock() : 0;
}

/* ---- zeros and sums, in chunks ------------------------------------------------------- */

typedef struct chunked {
    const nm_plan *plan;
    const nm_op *op; /* NM_OP_SUM */
    real *to;
    size_t count, skip; /* elements; of whole parts the first ones are skipped */
} chunked;

static void zero_task(void *arg, int task, int thread)
{
    (void)thread;
    const chunked *c = arg;
    size_t first = (size_t)task * CHUNK, last = first + CHUNK < c->count ? first + CHUNK : c->count;
    memset(c->to + first, 0, (last - first) * sizeof(real));
}

static void zero(const nm_plan *plan, real *to, size_t count)
{
    nm_parallel(plan->request.threads, (int)((count + CHUNK - 1) / CHUNK), zero_task,
                &(chunked){.to = to, .count = count});
}

/* Where the samples lie that the region has from `skip` elements on, if it is whole. */
static real *samples_of(const nm_plan *plan, int region, size_t skip)
{
    real *at = nm_plan_region(plan, region);
    return at && plan->program.region[region].whole ? at + skip : at;
}

static void sum_task(void *arg, int task, int thread)
{
    (void)thread;
    const chunked *c = arg;
    size_t first = (size_t)task * CHUNK, last = first + CHUNK < c->count ? first + CHUNK : c->count;
    real *restrict total = samples_of(c->plan, c->op->access[0].region, c->skip);
    for (int k = 1; k < c->op->accesses; k++) {
        const real *restrict part = samples_of(c->plan, c->op->access[k].region, c->skip);
        for (size_t i = first; i < last; i++)
            total[i] += part[i];
    }
}

static void run_sum(const nm_plan *plan, const nm_op *op, slice s)
{
    size_t size = nm_shape_size(plan->net->node[op->index].out), count = (size_t)s.n * size;
    chunked c = {plan, op, NULL, count, (size_t)s.first * size};
    nm_parallel(plan->request.threads, (int)((count + CHUNK - 1) / CHUNK), sum_task, &c);
}

/* ---- one layer ------------------------------------------------------------------------- */

static void run_layer(const run *r, nm_worker *worker, const nm_op *op, slice s)
{
    const nm_network *net = r->plan->net;
    const nm_node *node = &net->node[op->index];
    nm_call *call = &worker->call[op->index];
    for (int k = 0; k < node->inputs; k++)
        if (node->from[k] < net->inputs)
            call->x[k] = r->batch->x[node->from[k]] + (size_t)s.first * nm_shape_size(node->in[k]);
    call->pass.n = s.n;
    call->pass.batch = r->batch->n;
    call->pass.first_sample = (uint32_t)s.first;
    call->pass.seed = r->batch->seed;
    call->pass.step = r->batch->step;
    call->pass.statistics_rate = r->batch->statistics_rate;
    if (op->kind == NM_OP_STATISTICS)
        node->type->batch_statistics(&call->pass, node->self);
    else if (op->kind == NM_OP_FORWARD)
        node->type->forward(&call->pass, node->self);
    else
        node->type->backward(&call->pass, node->self);
}

/* ---- losses ---------------------------------------------------------------------------- */

/* The output of `node` for the samples of the slice. */
static const real *output_of(const run *r, const nm_op *op, nm_use use, int node, slice s)
{
    size_t skip = (size_t)s.first * nm_shape_size(r->plan->net->node[node].out);
    return node < r->plan->net->inputs ? r->batch->x[node] + skip : samples_of(r->plan, nm_op_region(op, use), skip);
}

/* Adds what an objective makes of some samples. */
static void run_loss(run *r, const nm_op *op, slice s, real *dx)
{
    const nm_plan *plan = r->plan;
    nm_network *net = plan->net;
    nm_objective *o = &net->objective[op->index];
    nm_shape shape = net->node[o->from].out;
    size_t first = (size_t)s.first;
    bool counts = op->index == nm_counted_objective(net) && o->type->classifies;
    nm_loss_pass p = {.n = s.n,
                      .xs = shape,
                      .x = output_of(r, op, NM_AS_X, o->from, s),
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
        p.targets = (nm_targets){.values = output_of(r, op, NM_AS_TARGET, o->target, s)};
    o->type->run(&p, o->self);
    for (int k = 0; k < s.n; k++) {
        r->result.loss_sum += o->weight * plan->sample_loss[k];
        if (!counts)
            continue;
        r->result.correct += (double)plan->correct[k];
        r->result.counted += (double)plan->counted[k];
    }
}

/* The gradient that the caller gives stands at the output once; zeros at every other loss. */
static void place_gradient(run *r, int from, real *dx, slice s)
{
    size_t count = (size_t)s.n * nm_shape_size(r->plan->net->node[from].out);
    if (!dx)
        return;
    if (from == r->plan->net->output && !r->dy_is_placed) {
        memcpy(dx, r->dy, count * sizeof(real));
        r->dy_is_placed = true;
    } else {
        zero(r->plan, dx, count);
    }
}

static void run_objective(run *r, const nm_op *op, slice s)
{
    const nm_network *net = r->plan->net;
    int from = net->objectives ? net->objective[op->index].from : net->output;
    real *dx = samples_of(r->plan, nm_op_region(op, NM_AS_DX), (size_t)s.first * nm_shape_size(net->node[from].out));
    if (r->dy)
        place_gradient(r, from, dx, s);
    else if (net->objectives)
        run_loss(r, op, s, dx);
}

/* ---- the program ------------------------------------------------------------------------- */

static void run_op(run *r, nm_worker *worker, const nm_op *op, slice s)
{
    switch (op->kind) {
    case NM_OP_ZERO:
        zero(r->plan, r->plan->gradients, r->plan->net->weight_count);
        return;
    case NM_OP_STATISTICS:
    case NM_OP_FORWARD:
    case NM_OP_BACKWARD:
        run_layer(r, worker, op, s);
        return;
    case NM_OP_LOSS:
        run_objective(r, op, s);
        return;
    case NM_OP_SUM:
        run_sum(r->plan, op, s);
        return;
    case NM_OP_LOOP:
    case NM_OP_LOOP_END:
    case NM_OP_RESULTS:
        return;
    }
}

/* Fills the regions that die with an operation with NaN: who reads them all the same shows it. */
static void poison_dead(const nm_plan *plan, const nm_op *op, int thread)
{
    for (int i = 0; i < op->deaths; i++) {
        const nm_region *region = &plan->program.region[op->dead[i]];
        memset(plan->slab + region->offset + (size_t)thread * region->arena_bytes, 0xff, region->size);
    }
}

static void run_loop(run *r, int loop);

/* Operations `first` to `last` - 1 on some samples. */
static void run_ops(run *r, int worker, int first, int last, slice s)
{
    const nm_program *program = &r->plan->program;
    nm_worker *by = &r->plan->worker[worker];
    for (int i = first; i < last; i++) {
        const nm_op *op = &program->op[i];
        if (op->kind == NM_OP_LOOP) {
            if (op->phase & r->phases)
                run_loop(r, i);
            i = op->end;
            op = &program->op[i];
        }
        if (!(op->phase & r->phases))
            continue;
        double start = now(r->plan);
        run_op(r, by, op, s);
        if (by->seconds)
            by->seconds[i] += now(r->plan) - start;
        if (op->deaths)
            poison_dead(r->plan, op, worker > 0 ? worker - 1 : 0);
    }
}

/* The samples from `first` on, at most `most`; the worker's pointers into whole regions move there.
 */
static slice slice_at(const run *r, nm_worker *worker, int first, int most)
{
    for (int k = 0; k < worker->rebases; k++) {
        real *at = worker->rebased[k].base + (size_t)first * worker->rebased[k].sample;
        memcpy(worker->rebased[k].pointer, &at, sizeof at);
    }
    int left = r->batch->n - first;
    return (slice){first, left < most ? left : most};
}

typedef struct loop_run {
    run *run;
    int loop, slice; /* the operation; samples at once */
} loop_run;

static void slice_task(void *arg, int task, int thread)
{
    const loop_run *l = arg;
    nm_plan *plan = l->run->plan;
    slice s = slice_at(l->run, &plan->worker[1 + thread], task * l->slice, l->slice);
    run_ops(l->run, 1 + thread, l->loop + 1, plan->program.op[l->loop].end, s);
}

static void run_loop(run *r, int loop)
{
    nm_plan *plan = r->plan;
    const nm_op *op = &plan->program.op[loop];
    const nm_segment *segment = &plan->segment[op->index];
    int n = r->batch->n, size = segment->slice, share = nm_pieces(n, plan->request.threads);
    if (segment->by_thread) {
        size = size < share ? size : share;
        nm_parallel(plan->request.threads, nm_pieces(n, size), slice_task, &(loop_run){r, loop, size});
        return;
    }
    for (int first = 0; first < n; first += size)
        run_ops(r, 0, loop + 1, op->end, slice_at(r, plan->worker, first, size));
    slice_at(r, plan->worker, 0, n);
}

static void run_program(void *arg)
{
    run *r = arg;
    run_ops(r, 0, 0, r->plan->program.ops, (slice){0, r->batch->n});
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
