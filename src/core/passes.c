/* Running a plan: forward, losses, backward. Nothing here can fail. */
#include "run.h"

#include "threads.h"

#include <string.h>

/* ---- passes --------------------------------------------------------------------------- */

/* The samples that are run at once, from `first` on; pointers into whole regions move there. */
static nm_slice slice_at(nm_plan *plan, const nm_batch *batch, int first)
{
    for (int k = 0; k < plan->slides; k++) {
        real *at = plan->slide[k].base + (size_t)first * plan->slide[k].sample;
        memcpy(plan->slide[k].where, &at, sizeof at);
    }
    int left = batch->n - first;
    return (nm_slice){first, left < plan->request.micro ? left : plan->request.micro};
}

/* The layers that have to know the whole batch: they read earlier stages alone. */
static void gather_stage(nm_plan *plan, const nm_batch *batch, int stage)
{
    for (int i = plan->net->inputs; i < plan->net->nodes; i++)
        if (plan->step[i].stage == stage)
            nm_run_gather(plan, batch, i);
}

/* A stage forward: first what has to know the whole batch, then a few samples at a time. */
static void forward_stage(nm_plan *plan, const nm_batch *batch, int stage)
{
    const nm_network *net = plan->net;
    gather_stage(plan, batch, stage);
    for (int first = 0; first < batch->n; first += plan->request.micro) {
        nm_slice s = slice_at(plan, batch, first);
        for (int i = net->inputs; i < net->nodes; i++)
            if (plan->step[i].stage == stage)
                nm_run_forward(plan, batch, i, s);
    }
    slice_at(plan, batch, 0);
}

static void run_forward(nm_plan *plan, const nm_batch *batch)
{
    for (int stage = 0; stage < plan->stages && plan->staged; stage++)
        forward_stage(plan, batch, stage);
    for (int i = plan->net->inputs; i < plan->net->nodes && !plan->staged; i++) {
        nm_run_gather(plan, batch, i);
        nm_run_forward(plan, batch, i, (nm_slice){0, batch->n});
    }
}

static void run_loss(nm_plan *plan, const nm_batch *batch, nm_result *result)
{
    for (int i = 0; i < plan->net->objectives; i++)
        nm_run_loss(plan, batch, i, (nm_slice){0, batch->n}, result);
}

static void run_backward(nm_plan *plan, const nm_batch *batch)
{
    nm_slice all = {0, batch->n};
    nm_run_zero(plan, plan->gradients, plan->net->weight_count);
    for (int i = plan->net->nodes - 1; i >= 0; i--) {
        nm_run_sum(plan, i, all);
        nm_run_backward(plan, batch, i, all);
    }
}

/* A stage backward: what it needs is run again, then its losses and its gradients, a few samples at a time; then the
 * layers that take the whole batch. */
static void backward_stage(nm_plan *plan, const nm_batch *batch, int stage, nm_result *result)
{
    const nm_network *net = plan->net;
    for (int first = 0; first < batch->n; first += plan->request.micro) {
        nm_slice s = slice_at(plan, batch, first);
        for (int i = net->inputs; i < net->nodes; i++)
            if (plan->step[i].stage == stage && plan->step[i].again)
                nm_run_forward(plan, batch, i, s);
        for (int i = 0; i < net->objectives; i++)
            if (plan->objective_stage[i] == stage)
                nm_run_loss(plan, batch, i, s, result);
        for (int i = net->nodes - 1; i >= 0; i--) {
            if (plan->step[i].stage != stage)
                continue;
            nm_run_sum(plan, i, s);
            if (!net->node[i].type || !net->node[i].type->gather)
                nm_run_backward(plan, batch, i, s);
        }
    }
    slice_at(plan, batch, 0);
    for (int i = net->nodes - 1; i >= net->inputs; i--)
        if (plan->step[i].stage == stage && net->node[i].type->gather)
            nm_run_backward(plan, batch, i, (nm_slice){0, batch->n});
}

static void run_step(nm_plan *plan, const nm_batch *batch, nm_result *result)
{
    if (!plan->staged) {
        run_forward(plan, batch);
        run_loss(plan, batch, result);
        run_backward(plan, batch);
        return;
    }
    nm_run_zero(plan, plan->gradients, plan->net->weight_count);
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
            nm_run_zero(plan, plan->objective_dx[i], count);
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
