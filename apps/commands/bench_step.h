/* One network that norma bench measures, step by step. */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include "bench_cores.h"
#include "bench_models.h"
#include "noise.h"
#include "optimization.h"

typedef struct bench {
    nm_context *ctx;
    const bench_args *args;
    nm_network *net;
    nm_plan *plan;
    nm_optimization *optimizer; /* NULL: evaluation */
    nm_batch batch;
    nm_noise noise;
    bench_layers layers;  /* where asked for: of training, or of evaluation where nothing can be trained */
    double train, eval;   /* images a second */
    double throughput[2]; /* the same by all steps together: of evaluation, of training */
    double peak;          /* GFLOP/s of the matrix product */
    double cost;          /* multiply-adds of a sample */
    double memory;        /* most that the process has had, in bytes */
    bench_cores cores[2]; /* where asked for: of evaluation, of training */
} bench;

/* A plan, and for training what updates. `tasks`: who is told its operations; NULL: nobody. Closed
 * also where it fails. */
nm_status bench_open_step(bench *b, nm_mode mode, int threads, bool timing, bench_tasks *tasks) NM_MUST_USE;
void bench_close_step(bench *b);
/* Images a second by the median step, after one that is not counted, and by all of them. *steps:
 * how many there were, with that one. */
double bench_measure(bench *b, int *steps, double *throughput);
/* Fills b->cores for the numbers of threads that were asked for, and prints them without --json. */
nm_status bench_measure_cores(bench *b) NM_MUST_USE;

#endif
