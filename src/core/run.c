/* Running a plan: forward, losses, backward. Nothing here can fail. */
#include "plan.h"

#include <string.h>
#include <time.h>

enum { CHUNK = 16384 }; /* elements a task: 64 KB of float */

static void set_pass(nm_pass *pass, const nm_batch *batch)
{
    pass->n = batch->n;
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

/* ---- passes --------------------------------------------------------------------------- */

void nm_plan_forward(nm_plan *plan, const nm_batch *batch)
{
    nm_network *net = plan->net;
    for (int i = net->inputs; i < net->nodes; i++) {
        nm_node *node = &net->node[i];
        nm_step *step = &plan->step[i];
        if (step->head != i)
            continue;
        for (int k = 0; k < node->inputs; k++)
            if (node->from[k] < net->inputs)
                step->x[k] = batch->x[node->from[k]];
        set_pass(&step->pass, batch);
        double start = now(plan);
        node->type->forward(&step->pass, node->self);
        step->forward_seconds += now(plan) - start;
    }
}

nm_result nm_plan_loss(nm_plan *plan, const nm_batch *batch)
{
    nm_network *net = plan->net;
    nm_result result = {0};
    for (int i = 0; i < net->objectives; i++) {
        nm_objective *o = &net->objective[i];
        bool counts = i == 0 && o->type->classifies;
        nm_loss_pass p = {.n = batch->n, .xs = net->node[o->from].out, .x = nm_plan_output(plan, o->from),
                          .targets = batch->targets, .dx = plan->objective_dx[i], .scale = o->weight / batch->n,
                          .threads = plan->request.threads, .sample_loss = plan->sample_loss,
                          .correct = counts ? plan->correct : NULL};
        if (o->from < net->inputs)
            p.x = batch->x[o->from];
        if (o->target >= 0)
            p.targets = (nm_targets){.values = o->target < net->inputs ? batch->x[o->target]
                                                                        : nm_plan_output(plan, o->target)};
        o->type->run(&p, o->self);
        for (int k = 0; k < batch->n; k++) {
            result.loss_sum += o->weight * plan->sample_loss[k];
            if (counts)
                result.correct += (double)plan->correct[k];
        }
    }
    result.loss = result.loss_sum / batch->n;
    return result;
}

static void run_backward(nm_plan *plan, const nm_batch *batch)
{
    nm_network *net = plan->net;
    zero(plan, plan->gradients, net->weight_count);
    for (int i = net->nodes - 1; i >= 0; i--) {
        nm_step *step = &plan->step[i];
        double start = now(plan);
        if (step->sum.parts > 1)
            sum_parts(plan, &step->sum, (size_t)batch->n * nm_shape_size(net->node[i].out));
        if (!step->runs_backward)
            continue;
        set_pass(&step->pass, batch);
        net->node[i].type->backward(&step->pass, net->node[i].self);
        step->backward_seconds += now(plan) - start;
    }
}

void nm_plan_backward(nm_plan *plan, const nm_batch *batch)
{
    run_backward(plan, batch);
}

void nm_plan_backward_from(nm_plan *plan, const nm_batch *batch, const real *dy)
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
