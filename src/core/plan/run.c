/* Running one layer of a plan, or one loss, on some samples. Nothing here can fail. */
#include "run.h"

#include <string.h>
#include <time.h>

enum { CHUNK = 16384 }; /* elements a task: 64 KB of float */

static void set_pass(nm_pass *pass, const nm_batch *batch, nm_slice s)
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

void nm_run_zero(const nm_plan *plan, real *to, size_t count)
{
    fill_args args = {to, count};
    nm_parallel(plan->request.threads, (int)((count + CHUNK - 1) / CHUNK), zero_task, &args);
}

/* ---- one layer ------------------------------------------------------------------------- */

static void point_inputs(const nm_network *net, nm_step *step, const nm_batch *batch, int index, nm_slice s)
{
    const nm_node *node = &net->node[index];
    for (int k = 0; k < node->inputs; k++)
        if (node->from[k] < net->inputs)
            step->x[k] = batch->x[node->from[k]] + (size_t)s.first * nm_shape_size(node->in[k]);
}

void nm_run_gather(nm_plan *plan, nm_lane *lane, const nm_batch *batch, int index, nm_slice s)
{
    nm_step *step = &lane->step[index];
    const nm_node *node = &plan->net->node[index];
    if (step->head != index || !node->type->batch_statistics)
        return;
    point_inputs(plan->net, step, batch, index, s);
    set_pass(&step->pass, batch, s);
    double start = now(plan);
    node->type->batch_statistics(&step->pass, node->self);
    step->forward_seconds += now(plan) - start;
}

void nm_run_forward(nm_plan *plan, nm_lane *lane, const nm_batch *batch, int index, nm_slice s)
{
    nm_step *step = &lane->step[index];
    if (step->head != index)
        return;
    point_inputs(plan->net, step, batch, index, s);
    set_pass(&step->pass, batch, s);
    double start = now(plan);
    plan->net->node[index].type->forward(&step->pass, plan->net->node[index].self);
    step->forward_seconds += now(plan) - start;
}

void nm_run_sum(nm_plan *plan, int index, nm_slice s)
{
    nm_step *step = &plan->step[index];
    double start = now(plan);
    if (step->sum.parts > 1)
        sum_parts(plan, &step->sum, (size_t)s.n * nm_shape_size(plan->net->node[index].out));
    step->backward_seconds += now(plan) - start;
}

void nm_run_backward(nm_plan *plan, const nm_batch *batch, int index, nm_slice s)
{
    nm_step *step = &plan->step[index];
    if (!step->runs_backward)
        return;
    point_inputs(plan->net, step, batch, index, s);
    set_pass(&step->pass, batch, s);
    double start = now(plan);
    plan->net->node[index].type->backward(&step->pass, plan->net->node[index].self);
    step->backward_seconds += now(plan) - start;
}

/* Adds what objective i makes of some samples. */
void nm_run_loss(nm_plan *plan, const nm_batch *batch, int i, nm_slice s, nm_result *result)
{
    nm_network *net = plan->net;
    nm_objective *o = &net->objective[i];
    nm_shape shape = net->node[o->from].out;
    size_t size = nm_shape_size(shape), first = (size_t)s.first;
    bool counts = i == nm_counted_objective(net) && o->type->classifies;
    nm_loss_pass p = {.n = s.n,
                      .xs = shape,
                      .x = nm_plan_output(plan, o->from),
                      .targets = batch->targets,
                      .dx = plan->objective_dx[i],
                      .scale = o->weight / batch->n,
                      .threads = plan->request.threads,
                      .sample_loss = plan->sample_loss,
                      .correct = counts ? plan->correct : NULL,
                      .counted = counts ? plan->counted : NULL};
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
        if (!counts)
            continue;
        result->correct += (double)plan->correct[k];
        result->counted += (double)plan->counted[k];
    }
}
