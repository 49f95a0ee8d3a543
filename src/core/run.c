/* Running a plan: forward, losses, backward. Nothing here can fail. */
#include "plan.h"

#include <string.h>
#include <time.h>

enum { CHUNK = 16384 }; /* elements a task: 64 KB of float */

/* A few samples of a batch: all of them where the plan is not staged. */
typedef struct slice {
    int first, n;
} slice;

static void set_pass(nm_pass *pass, const nm_batch *batch, slice s)
{
    pass->n = s.n;
    pass->batch = batch->n;
    pass->first_sample = (uint32_t)s.first;
    pass->seed = batch->seed;
    pass->step = batch->step;
    pass->statistics_rate = batch->statistics_rate;
}

static double now(const nm_plan *plan)
{
    if (!plan->request.timing)
        return 0;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- chunked sums and copies --------------------------------------------------------- */

typedef struct sum_args {
    const nm_sum *sum;
    size_t count;
} sum_args;

static void sum_task(void *arg, int task, int thread)
{
    (void)thread;
    const sum_args *a = arg;
    size_t first = (size_t)task * CHUNK, last = first + CHUNK < a->count ? first + CHUNK : a->count;
    real *restrict total = a->sum->part[0];
    for (int k = 1; k < a->sum->parts; k++) {
        const real *restrict part = a->sum->part[k];
        for (size_t i = first; i < last; i++)
            total[i] += part[i];
    }
}

static void sum_parts(const nm_plan *plan, const nm_sum *sum, size_t count)
{
    sum_args args = {sum, count};
    nm_parallel(plan->request.threads, (int)((count + CHUNK - 1) / CHUNK), sum_task, &args);
}

typedef struct fill_args {
    real *to;
    size_t count;
} fill_args;

static void zero_task(void *arg, int task, int thread)
{
    (void)thread;
    const fill_args *a = arg;
    size_t first = (size_t)task * CHUNK, last = first + CHUNK < a->count ? first + CHUNK : a->count;
    memset(a->to + first, 0, (last - first) * sizeof(real));
}

static void zero(const nm_plan *plan, real *to, size_t count)
{
    fill_args args = {to, count};
    nm_parallel(plan->request.threads, (int)((count + CHUNK - 1) / CHUNK), zero_task, &args);
}

/* ---- one layer ------------------------------------------------------------------------- */

static void point_inputs(nm_plan *plan, const nm_batch *batch, int index, slice s)
{
    const nm_network *net = plan->net;
    const nm_node *node = &net->node[index];
    for (int k = 0; k < node->inputs; k++)
        if (node->from[k] < net->inputs)
            plan->step[index].x[k] = batch->x[node->from[k]] + (size_t)s.first * nm_shape_size(node->in[k]);
}

static void gather_node(nm_plan *plan, const nm_batch *batch, int index)
{
    nm_step *step = &plan->step[index];
    const nm_node *node = &plan->net->node[index];
    if (step->head != index || !node->type->gather)
        return;
    slice all = {0, batch->n};
    point_inputs(plan, batch, index, all);
    set_pass(&step->pass, batch, all);
    double start = now(plan);
    node->type->gather(&step->pass, node->self);
    step->forward_seconds += now(plan) - start;
}

static void forward_node(nm_plan *plan, const nm_batch *batch, int index, slice s)
{
    nm_step *step = &plan->step[index];
    if (step->head != index)
        return;
    point_inputs(plan, batch, index, s);
    set_pass(&step->pass, batch, s);
    double start = now(plan);
    plan->net->node[index].type->forward(&step->pass, plan->net->node[index].self);
    step->forward_seconds += now(plan) - start;
}

static void sum_node(nm_plan *plan, int index, slice s)
{
    nm_step *step = &plan->step[index];
    double start = now(plan);
    if (step->sum.parts > 1)
        sum_parts(plan, &step->sum, (size_t)s.n * nm_shape_size(plan->net->node[index].out));
    step->backward_seconds += now(plan) - start;
}

static void backward_node(nm_plan *plan, const nm_batch *batch, int index, slice s)
{
    nm_step *step = &plan->step[index];
    if (!step->runs_backward)
        return;
    point_inputs(plan, batch, index, s);
    set_pass(&step->pass, batch, s);
    double start = now(plan);
    plan->net->node[index].type->backward(&step->pass, plan->net->node[index].self);
    step->backward_seconds += now(plan) - start;
}

/* Adds what objective i makes of some samples. */
static void judge(nm_plan *plan, const nm_batch *batch, int i, slice s, nm_result *result)
{
    nm_network *net = plan->net;
    nm_objective *o = &net->objective[i];
    nm_shape shape = net->node[o->from].out;
    size_t size = nm_shape_size(shape), first = (size_t)s.first;
    bool counts = i == 0 && o->type->classifies;
    nm_loss_pass p = {.n = s.n, .xs = shape, .x = nm_plan_output(plan, o->from), .targets = batch->targets,
                      .dx = plan->objective_dx[i], .scale = o->weight / batch->n, .threads = plan->request.threads,
                      .sample_loss = plan->sample_loss, .correct = counts ? plan->correct : NULL};
    if (o->from < net->inputs)
        p.x = batch->x[o->from] + first * size;
    if (p.targets.labels)
        p.targets.labels += first * (size_t)(shape.h * shape.w);
    if (p.targets.values)
        p.targets.values += first * size;
    if (o->target >= 0)
        p.targets = (nm_targets){.values = o->target < net->inputs ? batch->x[o->target] + first * size
                                                                    : nm_plan_output(plan, o->target)};
    o->type->run(&p, o->self);
    for (int k = 0; k < s.n; k++) {
        result->loss_sum += o->weight * plan->sample_loss[k];
        if (counts)
            result->correct += (double)plan->correct[k];
    }
}

/* ---- passes --------------------------------------------------------------------------- */

/* The samples that are run at once, from `first` on; pointers into whole regions move there. */
static slice slice_at(nm_plan *plan, const nm_batch *batch, int first)
{
    for (int k = 0; k < plan->slides; k++) {
        real *at = plan->slide[k].base + (size_t)first * plan->slide[k].sample;
        memcpy(plan->slide[k].where, &at, sizeof at);
    }
    int left = batch->n - first;
    return (slice){first, left < plan->request.micro ? left : plan->request.micro};
}

/* The layers that have to know the whole batch: they read earlier stages alone. */
static void gather_stage(nm_plan *plan, const nm_batch *batch, int stage)
{
    for (int i = plan->net->inputs; i < plan->net->nodes; i++)
        if (plan->step[i].stage == stage)
            gather_node(plan, batch, i);
}

/* A stage forward: first what has to know the whole batch, then a few samples at a time. */
static void forward_stage(nm_plan *plan, const nm_batch *batch, int stage)
{
    const nm_network *net = plan->net;
    gather_stage(plan, batch, stage);
    for (int first = 0; first < batch->n; first += plan->request.micro) {
        slice s = slice_at(plan, batch, first);
        for (int i = net->inputs; i < net->nodes; i++)
            if (plan->step[i].stage == stage)
                forward_node(plan, batch, i, s);
    }
    slice_at(plan, batch, 0);
}

static void run_forward(nm_plan *plan, const nm_batch *batch)
{
    for (int stage = 0; stage < plan->stages && plan->staged; stage++)
        forward_stage(plan, batch, stage);
    for (int i = plan->net->inputs; i < plan->net->nodes && !plan->staged; i++) {
        gather_node(plan, batch, i);
        forward_node(plan, batch, i, (slice){0, batch->n});
    }
}

static void run_loss(nm_plan *plan, const nm_batch *batch, nm_result *result)
{
    for (int i = 0; i < plan->net->objectives; i++)
        judge(plan, batch, i, (slice){0, batch->n}, result);
}

static void run_backward(nm_plan *plan, const nm_batch *batch)
{
    slice all = {0, batch->n};
    zero(plan, plan->gradients, plan->net->weight_count);
    for (int i = plan->net->nodes - 1; i >= 0; i--) {
        sum_node(plan, i, all);
        backward_node(plan, batch, i, all);
    }
}

/* A stage backward: what it needs is run again, then its losses and its gradients, a few samples at a time; then the
 * layers that take the whole batch. */
static void backward_stage(nm_plan *plan, const nm_batch *batch, int stage, nm_result *result)
{
    const nm_network *net = plan->net;
    for (int first = 0; first < batch->n; first += plan->request.micro) {
        slice s = slice_at(plan, batch, first);
        for (int i = net->inputs; i < net->nodes; i++)
            if (plan->step[i].stage == stage && plan->step[i].again)
                forward_node(plan, batch, i, s);
        for (int i = 0; i < net->objectives; i++)
            if (plan->objective_stage[i] == stage)
                judge(plan, batch, i, s, result);
        for (int i = net->nodes - 1; i >= 0; i--) {
            if (plan->step[i].stage != stage)
                continue;
            sum_node(plan, i, s);
            if (!net->node[i].type || !net->node[i].type->gather)
                backward_node(plan, batch, i, s);
        }
    }
    slice_at(plan, batch, 0);
    for (int i = net->nodes - 1; i >= net->inputs; i--)
        if (plan->step[i].stage == stage && net->node[i].type->gather)
            backward_node(plan, batch, i, (slice){0, batch->n});
}

static void run_step(nm_plan *plan, const nm_batch *batch, nm_result *result)
{
    if (!plan->staged) {
        run_forward(plan, batch);
        run_loss(plan, batch, result);
        run_backward(plan, batch);
        return;
    }
    zero(plan, plan->gradients, plan->net->weight_count);
    for (int stage = 0; stage + 1 < plan->stages; stage++)
        forward_stage(plan, batch, stage);
    gather_stage(plan, batch, plan->stages - 1);
    for (int stage = plan->stages - 1; stage >= 0; stage--)
        backward_stage(plan, batch, stage, result);
}

/* Starts backward from `dy` at the output, in place of the losses. */
static void run_backward_from(nm_plan *plan, const nm_batch *batch, const real *dy)
{
    nm_network *net = plan->net;
    bool given = false;
    for (int i = 0; i < (net->objectives ? net->objectives : 1); i++) {
        int from = net->objectives ? net->objective[i].from : net->output;
        size_t count = (size_t)batch->n * nm_shape_size(net->node[from].out);
        if (!plan->objective_dx[i])
            continue;
        if (from == net->output && !given) {
            memcpy(plan->objective_dx[i], dy, count * sizeof(real));
            given = true;
        } else {
            zero(plan, plan->objective_dx[i], count);
        }
    }
    run_backward(plan, batch);
}

/* ---- with one team for all of a pass -------------------------------------------------- */

typedef enum work { FORWARD, LOSS, BACKWARD, BACKWARD_FROM, STEP } work;
typedef struct run {
    work work;
    nm_plan *plan;
    const nm_batch *batch;
    const real *dy;
    nm_result result;
} run;

static void do_work(void *arg)
{
    run *r = arg;
    switch (r->work) {
    case FORWARD:
        run_forward(r->plan, r->batch);
        return;
    case LOSS:
        run_loss(r->plan, r->batch, &r->result);
        return;
    case BACKWARD:
        run_backward(r->plan, r->batch);
        return;
    case BACKWARD_FROM:
        run_backward_from(r->plan, r->batch, r->dy);
        return;
    case STEP:
        run_step(r->plan, r->batch, &r->result);
        return;
    }
}

static nm_result with_team(run r)
{
    nm_with_team(r.plan->request.threads, do_work, &r);
    r.result.loss = r.result.loss_sum / r.batch->n;
    return r.result;
}

void nm_plan_forward(nm_plan *plan, const nm_batch *batch)
{
    with_team((run){FORWARD, plan, batch});
}

nm_result nm_plan_loss(nm_plan *plan, const nm_batch *batch)
{
    return with_team((run){LOSS, plan, batch});
}

void nm_plan_backward(nm_plan *plan, const nm_batch *batch)
{
    with_team((run){BACKWARD, plan, batch});
}

nm_result nm_plan_step(nm_plan *plan, const nm_batch *batch)
{
    return with_team((run){STEP, plan, batch});
}

void nm_plan_backward_from(nm_plan *plan, const nm_batch *batch, const real *dy)
{
    with_team((run){BACKWARD_FROM, plan, batch, .dy = dy});
}

void nm_plan_seconds(const nm_plan *plan, int node, double *forward, double *backward)
{
    *forward = plan->step[node].forward_seconds;
    *backward = plan->step[node].backward_seconds;
}

/* ---- looking ------------------------------------------------------------------------- */

const real *nm_plan_output(const nm_plan *plan, int node)
{
    return plan->step[node].value;
}

const real *nm_plan_output_gradient(const nm_plan *plan, int node)
{
    return plan->step[node].gradient;
}

real *nm_plan_gradients(const nm_plan *plan)
{
    return plan->gradients;
}

const real *nm_plan_input_gradient(const nm_plan *plan, int input)
{
    return plan->step[input].gradient;
}
