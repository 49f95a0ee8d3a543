/* One network that norma bench measures, step by step. */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include "bench_cores.h"
#include "bench_models.h"
#include "noise.h"
#include "optimization.h"

/* Of a step. */
typedef struct bench_times {
    int steps;              /* with the first one, which is not counted below */
    double rate;            /* images a second, by the median step */
    double throughput;      /* the same by all steps together */
    double median, longest; /* seconds; longest: of the fastest 99 in a hundred steps */
} bench_times;

typedef struct bench {
    nm_context *ctx;
    const bench_args *args;
    nm_network *net;
    nm_plan *plan;
    nm_optimization *optimizer; /* NULL: evaluation */
    nm_batch batch;
    nm_noise noise;
    bench_layers layers; /* where asked for: of training, or of evaluation where nothing can be trained */
    bench_times train, eval;
    double peak;          /* GFLOP/s of the matrix product */
    double cost;          /* multiply-adds of a sample */
    double memory;        /* most that the process has had, in bytes */
    bench_cores cores[2]; /* where asked for: of evaluation, of training */
} bench;

/* A plan, and for training what updates. `tasks`: who is told its operations; NULL: nobody. Closed
 * also where it fails. */
nm_status bench_open_step(bench *b, nm_mode mode, int threads, bool timing, bench_tasks *tasks) NM_MUST_USE;
void bench_close_step(bench *b);
bench_times bench_measure(bench *b);
/* Fills b->cores for the numbers of threads that were asked for, and prints them without --json. */
nm_status bench_measure_cores(bench *b) NM_MUST_USE;

#endif
