/* norma bench: its arguments, the lines of its table, and several networks in a row. */
#ifndef BENCH_MODELS_H
#define BENCH_MODELS_H

#include "bench_cores.h"
#include "command.h"

enum { BENCH_MOST_MODELS = 64 };

typedef struct bench_args {
    model_args model; /* of one network; `names` has them all */
    const char *names[BENCH_MOST_MODELS];
    int count, batch;
    double seconds;                           /* 0: not given */
    bool layers, json, eval;                  /* eval: evaluation alone */
    int core_counts, cores[BENCH_MOST_CORES]; /* numbers of threads, ascending; 0: not asked for */
    const char *roofline;                     /* NULL: not asked for */
} bench_args;

void bench_print_head(void);
/* One network's, as --json has it. */
void bench_print_row(const json_t *o);

/* Measures args->model and prints it. */
typedef nm_status bench_function(nm_context *ctx, bench_args *args);

/* Measures every network of args->names, or the usual ones where there are none; the exit status.
 */
int bench_models(bench_args *args, bench_function *run);

#endif
