/* Running a plan: forward, losses, backward. Nothing here can fail. */
#include "run.h"

#include "threads.h"

#include <string.h>

/* ---- passes --------------------------------------------------------------------------- */

/* At most `most` samples from `first` on, to be run at once; the lane's pointers into whole regions
 * move there. */
static nm_slice slice_at(nm_lane *lane, const nm_batch *batch, int most, int first)
{
    for (int k = 0; k < lane->slides; k++) {
        real *at = lane->slide[k].base + (size_t)first * lane->slide[k].sample;
        memcpy(lane->slide[k].where, &at, sizeof at);
    }
    int left = batch->n - first;
    return (nm_slice){first, left < most ? left : most};
}

/* The layers that have to know the whole batch: they read earlier stages alone. */
static void gather_stage(nm_plan *plan, const nm_batch *batch, int stage)
{
    for (int i = plan->net->inputs; i < plan->net->nodes; i++)
        if (plan->step[i].stage == stage)
            nm_run_gather(plan, plan->lane, batch, i, (nm_slice){0, batch->n});
}

/* A few samples through a stage. */
static void forward_slice(nm_plan *plan, nm_lane *lane, const nm_batch *batch, int stage, nm_slice s)
{
    for (int i = plan->net->inputs; i < plan->net->nodes; i++) {
        if (plan->step[i].stage != stage)
            continue;
        if (plan->request.mode == NM_EVAL) /* there is nothing to know of other samples */
            nm_run_gather(plan, lane, batch, i, s);
        nm_run_forward(plan, lane, batch, i, s);
    }
}

typedef struct apart {
    nm_plan *plan;
    const nm_batch *batch;
    int stage, slice;
} apart;

static void apart_task(void *arg, int task, int thread)
{
    const apart *a = arg;
    nm_lane *lane = &a->plan->lane[1 + thread];
    forward_slice(a->plan, lane, a->batch, a->stage, slice_at(lane, a->batch, a->slice, task * a->slice));
}

/* A stage forward: first what has to know the whole batch, then a few samples at a time. */
static void forward_stage(nm_plan *plan, const nm_batch *batch, int stage)
{
    int slice = plan->stage[stage].slice, share = nm_pieces(batch->n, plan->request.threads);
    if (plan->stage[stage].apart) {
        slice = slice < share ? slice : share;
        nm_parallel(plan->request.threads, nm_pieces(batch->n, slice), apart_task, &(apart){plan, batch, stage, slice});
        return;
    }
    if (plan->request.mode == NM_TRAIN)
        gather_stage(plan, batch, stage);
    for (int first = 0; first < batch->n; first += slice)
        forward_slice(plan, plan->lane, batch, stage, slice_at(plan->lane, batch, slice, first));
    slice_at(plan->lane, batch, slice, 0);
}

static void run_forward(nm_plan *plan, const nm_batch *batch)
{
    nm_slice all = {0, batch->n};
    for (int stage = 0; stage < plan->stages && plan->staged; stage++)
        forward_stage(plan, batch, stage);
    for (int i = plan->net->inputs; i < plan->net->nodes && !plan->staged; i++) {
        nm_run_gather(plan, plan->lane, batch, i, all);
        nm_run_forward(plan, plan->lane, batch, i, all);
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

/* A stage backward: what it needs is run again, then its losses and its gradients, a few samples at
 * a time; then the layers that take the whole batch. */
static void backward_stage(nm_plan *plan, const nm_batch *batch, int stage, nm_result *result)
{
    const nm_network *net = plan->net;
    for (int first = 0; first < batch->n; first += plan->stage[stage].slice) {
        nm_slice s = slice_at(plan->lane, batch, plan->stage[stage].slice, first);
        for (int i = net->inputs; i < net->nodes; i++)
            if (plan->step[i].stage == stage && plan->step[i].again)
                nm_run_forward(plan, plan->lane, batch, i, s);
        for (int i = 0; i < net->objectives; i++)
            if (plan->objective_stage[i] == stage)
                nm_run_loss(plan, batch, i, s, result);
        for (int i = net->nodes - 1; i >= 0; i--) {
            if (plan->step[i].stage != stage)
                continue;
            nm_run_sum(plan, i, s);
            if (!net->node[i].type || !net->node[i].type->batch_statistics)
                nm_run_backward(plan, batch, i, s);
        }
    }
    slice_at(plan->lane, batch, batch->n, 0);
    for (int i = net->nodes - 1; i >= net->inputs; i--)
        if (plan->step[i].stage == stage && net->node[i].type->batch_statistics)
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

/* ---- a pass -------------------------------------------------- */

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
    nm_with_team(do_work, &r);
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
    for (int k = 1; k < plan->lanes; k++) /* side by side */
        *forward += plan->lane[k].step[node].forward_seconds / (plan->lanes - 1);
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
