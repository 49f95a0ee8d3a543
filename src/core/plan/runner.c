/* Running a plan: one loop over its operations. Nothing here can fail. */
#include "plan.h"

#include "threads.h"

static void run_ops(const nm_run *r, int first, int last);

/* A loop over slices of a run's samples. */
typedef struct slices {
    const nm_run *run;
    int loop, slice; /* operation; samples at once */
    bool by_thread;
} slices;

static void run_slice(void *arg, int index, int thread)
{
    const slices *s = arg;
    nm_run r = *s->run;
    r.first = index * s->slice;
    r.n = r.n - r.first < s->slice ? r.n - r.first : s->slice;
    r.worker = s->by_thread ? 1 + thread : 0;
    run_ops(&r, s->loop + 1, r.plan->op[s->loop].end);
}

static void run_loop(const nm_run *r, int loop)
{
    const nm_segment *segment = &r->plan->segment[r->plan->op[loop].index];
    int threads = r->plan->request.threads, share = nm_ceil_div(r->n, threads);
    slices s = {r, loop, segment->by_thread && share < segment->slice ? share : segment->slice, segment->by_thread};
    int count = nm_ceil_div(r->n, s.slice);
    if (s.by_thread)
        nm_parallel(threads, count, run_slice, &s);
    for (int i = 0; i < count && !s.by_thread; i++)
        run_slice(&s, i, 0);
}

/* Operations `first` to `last` - 1. Those of a loop have no phase that it has not. */
static void run_ops(const nm_run *r, int first, int last)
{
    const nm_op *op = r->plan->op;
    for (int i = first; i < last; i++) {
        if (!(op[i].phase & r->phases))
            continue;
        if (op[i].kind == NM_OP_LOOP) {
            run_loop(r, i);
            i = op[i].end;
        }
        nm_run_op(r, &op[i]);
    }
}

static void run_program(void *arg)
{
    run_ops(arg, 0, ((const nm_run *)arg)->plan->ops);
}

nm_result nm_plan_run(nm_plan *plan, const nm_batch *batch, unsigned phases)
{
    nm_result result = {0};
    nm_with_team(run_program, &(nm_run){plan, batch, phases, &result, .n = batch->n});
    result.loss = result.loss_sum / batch->n;
    return result;
}
