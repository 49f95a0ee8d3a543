#include "bench_step.h"

#include "clock.h"
#include "training_step.h"

static void step(void *bench_of)
{
    bench *b = bench_of;
    if (!b->optimizer) {
        nm_plan_run(b->plan, &b->batch, NM_PHASE_FORWARD);
        return;
    }
    nm_training_step step = {.net = b->net, .plan = b->plan, .optimization = b->optimizer};
    nm_bad_number bad; /* a rate of 0 leaves the parameters as they are */
    nm_training_step_run(&step, &b->batch, b->batch.step, &bad);
    b->batch.step++;
}

bench_times bench_measure(bench *b)
{
    enum { MOST = 100000, LEAST = 3 };
    static double took[MOST];
    int count = 0;
    step(b);
    double begin = nm_clock(), end = begin + (b->args->seconds ? b->args->seconds : 3);
    do {
        double start = nm_clock();
        step(b);
        took[count++] = nm_clock() - start;
    } while ((nm_clock() < end || count < LEAST) && count < MOST);
    double throughput = (double)b->batch.n * count / (nm_clock() - begin), median = nm_median(took, count);
    return (bench_times){.steps = count + 1,
                         .rate = b->batch.n / median,
                         .throughput = throughput,
                         .median = median,
                         .longest = took[(count - 1) * 99 / 100]}; /* nm_median has sorted them */
}

nm_status bench_open_step(bench *b, nm_mode mode, int threads, bool timing, bench_tasks *tasks)
{
    nm_beside beside = {.flag = mode == NM_TRAIN ? "--set train.micro_batch=" : "--batch "};
    nm_request request = {.mode = mode,
                          .beside = &beside,
                          .batch = b->batch.n,
                          .threads = threads,
                          .timing = timing,
                          .on_op = tasks ? bench_tasks_on_op : NULL,
                          .on_op_arg = tasks,
                          .micro = nm_settings_of(b->net)->micro_batch,
                          .shards = nm_settings_of(b->net)->shards,
                          .recompute = nm_settings_of(b->net)->recompute};
    NM_TRY(nm_plan_new(b->net, &request, &b->plan));
    return mode == NM_TRAIN
               ? nm_optimization_new(b->ctx, nm_settings_of(b->net), b->net, 1000000, 1000000, &b->optimizer)
               : NM_OK;
}

void bench_close_step(bench *b)
{
    nm_optimization_free(b->optimizer);
    nm_plan_free(b->plan);
    b->optimizer = NULL;
    b->plan = NULL;
}

/* ---- cores ------------------------------------------------------------------------------- */

static nm_status measure_cores_at(bench *b, nm_mode mode, int threads, const bench_machine *machine)
{
    bench_tasks tasks = {.ctx = b->ctx};
    double seconds = 0;
    nm_status status = bench_open_step(b, mode, threads, false, &tasks);
    if (status == NM_OK)
        status = bench_tasks_record(&tasks, b->plan, step, b);
    if (status == NM_OK && threads <= machine->threads) {
        bench_close_step(b);
        status = bench_open_step(b, mode, threads, false, NULL);
        seconds = status == NM_OK ? bench_measure(b).median : 0;
    }
    if (status == NM_OK)
        status = bench_cores_add(&b->cores[mode == NM_TRAIN], machine, b->net, b->plan, &tasks, threads, seconds);
    bench_close_step(b);
    bench_tasks_free(&tasks);
    return status;
}

nm_status bench_measure_cores(bench *b)
{
    bench_machine machine;
    NM_TRY(bench_machine_measure(b->ctx, nm_context_threads(b->ctx), &machine));
    for (int training = 0; training <= (b->train.steps > 0); training++) {
        bench_cores *cores = &b->cores[training];
        *cores = (bench_cores){.mode = training ? NM_TRAIN : NM_EVAL, .batch = b->batch.n};
        for (int i = 0; i < b->args->core_counts; i++)
            NM_TRY(measure_cores_at(b, cores->mode, b->args->cores[i], &machine));
        if (!b->args->json)
            bench_cores_print(cores);
    }
    return NM_OK;
}
