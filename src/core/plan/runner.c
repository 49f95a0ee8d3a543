/* Running a plan: one loop over its operations. Nothing here can fail. */
#include "plan.h"

#include "threads.h"

static void run_loop(nm_run *r, const nm_op *loop);

/* Operations `first` to `last` - 1. Those of a loop have no phase that it has not. */
static void run_ops(const nm_turn *t, int first, int last)
{
    const nm_op *op = t->run->plan->op;
    for (int i = first; i < last; i++) {
        if (!(op[i].phase & t->run->phases))
            continue;
        if (op[i].kind == NM_OP_LOOP) {
            run_loop(t->run, &op[i]);
            i = op[i].end;
        }
        nm_run_op(t, &op[i]);
    }
}

static void run_slice(void *arg, int slice, int thread)
{
    nm_run *r = arg;
    const nm_plan *plan = r->plan;
    int first = slice * r->slice, left = r->batch->n - first;
    int worker = plan->segment[r->loop->index].by_thread ? 1 + thread : 0;
    nm_turn t = {r, worker, first, left < r->slice ? left : r->slice};
    run_ops(&t, (int)(r->loop - plan->op) + 1, r->loop->end);
}

static void run_loop(nm_run *r, const nm_op *loop)
{
    const nm_segment *segment = &r->plan->segment[loop->index];
    int n = r->batch->n, threads = r->plan->request.threads, share = nm_ceil_div(n, threads);
    r->loop = loop;
    r->slice = segment->by_thread && share < segment->slice ? share : segment->slice;
    if (segment->by_thread)
        nm_parallel(threads, nm_ceil_div(n, r->slice), run_slice, r);
    for (int slice = 0; slice < nm_ceil_div(n, r->slice) && !segment->by_thread; slice++)
        run_slice(r, slice, 0);
}

static void run_program(void *arg)
{
    nm_run *r = arg;
    run_ops(&(nm_turn){r, 0, 0, r->batch->n}, 0, r->plan->ops);
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
