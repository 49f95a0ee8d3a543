/* norma bench --cores: what the tasks of a step allow on more cores than there are here. */
#ifndef BENCH_CORES_H
#define BENCH_CORES_H

#include "bench.h"
#include "bench_tasks.h"

enum { BENCH_MOST_CORES = 16 };

/* A step on some threads. */
typedef struct bench_cores_row {
    int threads;
    double alone;    /* seconds of all tasks one after the other */
    double allowed;  /* where nothing but tasks takes time */
    double longest;  /* with as many threads as there are tasks */
    double expected; /* with memory and meeting */
    double measured; /* 0: the machine has not so many */
} bench_cores_row;

/* An operation, on the most threads that are asked for. */
typedef struct bench_cores_op {
    char name[160]; /* "forward conv1" */
    double alone, allowed;
    int tasks;      /* of its largest round */
    json_t *rounds; /* of each: tasks, seconds of all of them, of the longest */
} bench_cores_op;

typedef struct bench_cores {
    nm_mode mode;
    int batch, rows, ops;
    bench_cores_row row[BENCH_MOST_CORES];
    bench_cores_op *op; /* [ops], what holds up most first */
} bench_cores;

/* Adds a row by what was recorded for a plan on that many threads; `measured` as above. The last
 * row's operations are kept. bench_cores_free. */
nm_status bench_cores_add(bench_cores *cores, const bench_machine *machine, nm_network *net, const nm_plan *plan,
                          const bench_tasks *tasks, int threads, double measured) NM_MUST_USE;
void bench_cores_free(bench_cores *cores);
void bench_cores_print(const bench_cores *cores);
json_t *bench_cores_json(const bench_cores *cores);

#endif
