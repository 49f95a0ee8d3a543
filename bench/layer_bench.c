/* Times single layers as networks have them: effective GFLOP/s (as if summed directly) of forward,
 * the gradient by the weights and the gradient by the input, by every algorithm that can do it,
 * beside the machine's matrix product in the same run.
 *
 *     bench/layers [--batch N] [--threads N] [--seconds X] [PART OF A NAME]
 *
 * The cases are those of the tests: tests/support/layer_cases.h. */
#include "algorithm_choice.h"
#include "alloc.h"
#include "clock.h"
#include "gemm.h"
#include "layer_cases.h"
#include "network.h"
#include "train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    int batch, threads;
    double seconds;
    const char *part; /* of a name */
} settings;

/* The network of one layer, done by `algorithm`; NULL where that cannot do it. algorithm NULL: what
 * planning chooses. */
static nm_network *build(nm_context *ctx, const sized_layer *l, const char *algorithm)
{
    size_t length = strlen(l->layer);
    char *model =
        nm_format(ctx, "input: {height: %d, width: %d, channels: %d}\nlayers:\n- %.*s%s%s}\n", l->in.h, l->in.w,
                  l->in.c, (int)length - 1, l->layer, algorithm ? ", algorithm: " : "", algorithm ? algorithm : "");
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    if (!model || nm_yaml_parse(ctx, "case", model, strlen(model), &document) != NM_OK ||
        nm_network_open(ctx, document, &nm_train_section, &net) != NM_OK)
        net = NULL;
    nm_free(model);
    if (net)
        nm_network_initialise(net, 1);
    return net;
}

/* Median seconds of a forward and of a backward pass; with `input` backward gives the gradient by x
 * too. */
static nm_status measure(nm_network *net, const settings *s, bool input, double *forward, double *backward)
{
    enum { MOST = 400, LEAST = 3 };
    static double took[2][MOST];
    nm_request request = {
        .mode = NM_TRAIN, .batch = s->batch, .threads = s->threads, .timing = true, .input_gradients = input};
    nm_plan *plan;
    NM_TRY(nm_plan_new(net, &request, &plan));
    size_t in = (size_t)s->batch * nm_shape_size(net->node[0].out);
    size_t out = (size_t)s->batch * nm_shape_size(net->node[net->output].out), count = in > out ? in : out;
    real *x = nm_alloc(net->ctx, count, sizeof *x);
    for (size_t i = 0; x && i < count; i++)
        x[i] = (real)((double)(i * 2654435761u % 1024) / 512 - 1);
    int rounds = 0;
    double end = nm_clock() + s->seconds, before[2] = {0}, now[2];
    for (int k = -1; x && k < MOST && (k < LEAST || nm_clock() < end); k++) {
        const real *xs[] = {x};
        nm_batch batch = {.n = s->batch, .x = xs, .dy = x};
        nm_plan_run(plan, &batch, NM_PHASE_FORWARD);
        nm_plan_run(plan, &batch, NM_PHASE_LOSS | NM_PHASE_BACKWARD);
        nm_plan_seconds(plan, 1, &now[0], &now[1]);
        for (int p = 0; p < 2 && k >= 0; p++)
            took[p][k] = now[p] - before[p];
        memcpy(before, now, sizeof before);
        rounds = k + 1;
    }
    if (rounds > 0) {
        *forward = nm_median(took[0], rounds);
        *backward = nm_median(took[1], rounds);
    }
    nm_free(x);
    nm_plan_free(plan);
    return x ? NM_OK : NM_FAILED;
}

/* One line; nothing where `algorithm` cannot do it. */
static void report_algorithm(nm_context *ctx, const sized_layer *l, const settings *s, const char *algorithm)
{
    nm_network *net = build(ctx, l, algorithm);
    double forward, weights, both, peak = 0;
    if (!net)
        return;
    if (measure(net, s, false, &forward, &weights) == NM_OK && measure(net, s, true, &forward, &both) == NM_OK &&
        nm_gemm_peak(ctx, s->threads, &peak) == NM_OK) {
        double work = 2e-9 * s->batch * nm_node_cost(&net->node[1]), data = both - weights;
        printf("%-22s %-13s %9.1f %9.1f %9.1f   %6.2f %6.2f %6.2f  %8.0f %8.3f %8.3f %8.3f\n", algorithm ? "" : l->name,
               algorithm ? algorithm : "auto", work / forward, work / weights, work / data, work / forward / peak,
               work / weights / peak, work / data / peak, peak, 1e3 * forward, 1e3 * weights, 1e3 * data);
    }
    fflush(stdout);
    nm_network_free(net);
}

/* By what planning chooses, then by each algorithm that can be asked for. */
static void report(nm_context *ctx, const sized_layer *l, const settings *s)
{
    char type[32];
    snprintf(type, sizeof type, "%.*s", (int)strcspn(l->layer, ":"), l->layer);
    const nm_layer_type *found = nm_type_find(ctx, NM_LAYER, type);
    const nm_algorithm_choice *choice = found->algorithms;
    report_algorithm(ctx, l, s, NULL);
    for (int a = 0; choice && choice->names[a]; a++)
        report_algorithm(ctx, l, s, choice->names[a]);
}

static int usage(void)
{
    fputs("usage: bench/layers [--batch N] [--threads N] [--seconds X] [PART OF A NAME]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    nm_context *ctx = nm_context_new();
    if (!ctx || nm_gemm_check(ctx) != NM_OK)
        return 1;
    settings s = {.batch = 128, .threads = nm_context_threads(ctx), .seconds = 0.2};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            s.part = argv[i];
        else if (i + 1 == argc)
            return usage();
        else if (strcmp(argv[i], "--batch") == 0)
            s.batch = atoi(argv[++i]);
        else if (strcmp(argv[i], "--threads") == 0)
            s.threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0)
            s.seconds = atof(argv[++i]);
        else
            return usage();
    }
    if (s.batch < 1 || s.threads < 1)
        return usage();
    printf("batch %d, %d threads, instruction set %s\n%-22s %-13s %29s   %20s  %8s %26s\n"
           "%-22s %-13s %9s %9s %9s   %6s %6s %6s"
           "  %8s %8s %8s %8s\n",
           s.batch, s.threads, nm_isa_name(nm_isa_level()), "", "", "effective GFLOP/s", "of the peak", "peak", "ms",
           "layer", "by", "forward", "weights", "data", "fwd", "wgt", "data", "GFLOP/s", "forward", "weights", "data");
    for (int i = 0; i < SIZED_LAYERS; i++)
        if (!s.part || strstr(sized_layers[i].name, s.part))
            report(ctx, &sized_layers[i], &s);
    nm_context_free(ctx);
    return 0;
}
