/* What norma bench knows of each layer: its time and its work in one step. */
#ifndef BENCH_H
#define BENCH_H

#include "network.h"

#include <jansson.h>

typedef struct bench_pass {
    double seconds; /* of a step */
    double flops;   /* of a step, as if summed directly: two for each multiply-add; 0 for layers that have none */
    double bytes;   /* activations, gradients and weights that it has to read or write at least once in a step;
                     0: another layer does its work, or nobody needs it */
} bench_pass;

typedef struct bench_layer {
    int node;
    bench_pass forward, backward;
    char chosen[256]; /* as nm_plan_describe has it */
} bench_layer;

typedef struct bench_layers {
    const nm_network *net; /* has to outlive it */
    nm_mode mode;
    int batch;
    int count;
    bench_layer *layer; /* [count], in the network's order */
} bench_layers;

/* Takes the times of `steps` steps of a plan that was made with `timing`. Overwrites *out;
 * bench_layers_free. */
nm_status bench_layers_take(nm_network *net, const nm_plan *plan, nm_mode mode, int batch, int steps,
                            bench_layers *out) NM_MUST_USE;
void bench_layers_free(bench_layers *layers);
void bench_layers_print(const bench_layers *layers);
json_t *bench_layers_json(const bench_layers *layers);

/* Writes PREFIX.csv, PREFIX.gp, and through gnuplot PREFIX.png and PREFIX.svg: each layer's pass
 * under the roofs that memory and the matrix product (`peak`, GFLOP/s) set. Without gnuplot *drawn
 * is false, with a message. */
nm_status write_roofline(nm_context *ctx, const char *prefix, const bench_layers *layers, double peak, int threads,
                         bool *drawn) NM_MUST_USE;

/* GB/s of STREAM's triad over three arrays that are each twice the last cache, best of a few. The
 * bytes are those that the program asks for, as for the layers: that a cache reads a line before it
 * is overwritten is not counted. */
nm_status bench_bandwidth(nm_context *ctx, int threads, double *gigabytes) NM_MUST_USE;

/* How fast the machine is, as far as it goes. */
typedef struct bench_machine {
    int threads;         /* that there are */
    double bandwidth[2]; /* GB/s: of one thread, of all */
    double round;        /* seconds of a round of empty tasks, one for each thread */
} bench_machine;

nm_status bench_machine_measure(nm_context *ctx, int threads, bench_machine *machine) NM_MUST_USE;

#endif
