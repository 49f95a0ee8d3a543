/* Running a plan: one loop over its operations. Nothing here can fail. */
#include "turn.h"

#include "clock.h"
#include "threads.h"

#include <string.h>

enum { CHUNK = 16384 }; /* elements a task: 64 KB of float */

static double now(const nm_plan *plan)
{
    return plan->request.timing ? nm_clock() : 0;
}

/* ---- zeros and sums, in chunks ------------------------------------------------------- */

typedef struct chunked {
    const nm_turn *turn;
    const nm_op *op; /* NM_OP_SUM */
    real *to;
    size_t size, count; /* elements: of a sample, in all */
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

static void sum_task(void *arg, int task, int thread)
{
    (void)thread;
    const chunked *c = arg;
    size_t first = (size_t)task * CHUNK, last = first + CHUNK < c->count ? first + CHUNK : c->count;
    real *restrict total = nm_samples_of(c->turn, c->op->access[0].region, c->size);
    for (int k = 1; k < c->op->accesses; k++) {
        const real *restrict part = nm_samples_of(c->turn, c->op->access[k].region, c->size);
        for (size_t i = first; i < last; i++)
            total[i] += part[i];
    }
}

static void run_sum(const nm_turn *t, const nm_op *op)
{
    const nm_plan *plan = t->run->plan;
    size_t size = nm_shape_size(plan->net->node[op->index].out), count = (size_t)t->s.n * size;
    chunked c = {t, op, NULL, size, count};
    nm_parallel(plan->request.threads, (int)((count + CHUNK - 1) / CHUNK), sum_task, &c);
}

/* ---- losses ---------------------------------------------------------------------------- */

/* The output of `node` for the samples of the slice. */
static const real *output_of(const nm_turn *t, int node)
{
    const nm_plan *plan = t->run->plan;
    size_t size = nm_shape_size(plan->net->node[node].out);
    return node < plan->net->inputs ? t->run->batch->x[node] + (size_t)t->s.first * size
                                    : nm_samples_of(t, plan->node[node].value, size);
}

/* Adds what an objective makes of some samples. */
static void run_loss(nm_run *r, const nm_turn *t, const nm_op *op, real *dx)
{
    nm_slice s = t->s;
    const nm_plan *plan = r->plan;
    nm_network *net = plan->net;
    nm_objective *o = &net->objective[op->index];
    nm_shape shape = net->node[o->from].out;
    size_t first = (size_t)s.first;
    bool counts = op->index == nm_counted_objective(net) && o->type->classifies;
    nm_loss_pass p = {.n = s.n,
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
    for (int k = 0; k < s.n; k++) {
        r->result.loss_sum += o->weight * plan->sample_loss[k];
        if (!counts)
            continue;
        r->result.correct += (double)plan->correct[k];
        r->result.counted += (double)plan->counted[k];
    }
}

/* The gradient that the caller gives stands at the output once; zeros at every other loss. */
static void place_gradient(nm_run *r, int from, real *dx, nm_slice s)
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

static void run_objective(nm_run *r, const nm_turn *t, const nm_op *op)
{
    const nm_network *net = r->plan->net;
    int from = net->objectives ? net->objective[op->index].from : net->output;
    real *dx = nm_samples_of(t, nm_op_region(op, NM_AS_DX), nm_shape_size(net->node[from].out));
    if (r->dy)
        place_gradient(r, from, dx, t->s);
    else if (net->objectives)
        run_loss(r, t, op, dx);
}

/* ---- the program ------------------------------------------------------------------------- */

static void run_op(nm_run *r, const nm_turn *t, const nm_op *op)
{
    switch (op->kind) {
    case NM_OP_ZERO:
        zero(r->plan, r->plan->gradients, r->plan->net->weight_count);
        return;
    case NM_OP_STATISTICS:
    case NM_OP_FORWARD:
    case NM_OP_BACKWARD:
        nm_run_layer(t, op);
        return;
    case NM_OP_LOSS:
        run_objective(r, t, op);
        return;
    case NM_OP_SUM:
        run_sum(t, op);
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

static void run_loop(nm_run *r, int loop);

/* Operations `first` to `last` - 1 on some samples. */
static void run_ops(nm_run *r, int worker, int first, int last, nm_slice s)
{
    const nm_program *program = &r->plan->program;
    const nm_turn t = {r, worker, s};
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
        run_op(r, &t, op);
        if (r->plan->seconds)
            r->plan->seconds[worker * program->ops + i] += now(r->plan) - start;
        if (op->deaths)
            poison_dead(r->plan, op, worker > 0 ? worker - 1 : 0);
    }
}

/* The samples from `first` on, at most `most`. */
static nm_slice slice_at(const nm_run *r, int first, int most)
{
    int left = r->batch->n - first;
    return (nm_slice){first, left < most ? left : most};
}

typedef struct loop_run {
    nm_run *run;
    int loop, slice; /* the operation; samples at once */
} loop_run;

static void slice_task(void *arg, int task, int thread)
{
    const loop_run *l = arg;
    nm_plan *plan = l->run->plan;
    nm_slice s = slice_at(l->run, task * l->slice, l->slice);
    run_ops(l->run, 1 + thread, l->loop + 1, plan->program.op[l->loop].end, s);
}

static void run_loop(nm_run *r, int loop)
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
        run_ops(r, 0, loop + 1, op->end, slice_at(r, first, size));
}

static void run_program(void *arg)
{
    nm_run *r = arg;
    run_ops(r, 0, 0, r->plan->program.ops, (nm_slice){0, r->batch->n});
}

static nm_result run_phases(nm_run r)
{
    nm_with_team(run_program, &r);
    r.result.loss = r.result.loss_sum / r.batch->n;
    return r.result;
}

void nm_plan_forward(nm_plan *plan, const nm_batch *batch)
{
    run_phases((nm_run){plan, batch, NM_PHASE_FORWARD});
}

nm_result nm_plan_loss(nm_plan *plan, const nm_batch *batch)
{
    return run_phases((nm_run){plan, batch, NM_PHASE_LOSS});
}

void nm_plan_backward(nm_plan *plan, const nm_batch *batch)
{
    run_phases((nm_run){plan, batch, NM_PHASE_BACKWARD});
}

nm_result nm_plan_step(nm_plan *plan, const nm_batch *batch)
{
    return run_phases((nm_run){plan, batch, NM_PHASE_FORWARD | NM_PHASE_LOSS | NM_PHASE_BACKWARD});
}

void nm_plan_backward_from(nm_plan *plan, const nm_batch *batch, const real *dy)
{
    run_phases((nm_run){plan, batch, NM_PHASE_LOSS | NM_PHASE_BACKWARD, .dy = dy});
}
