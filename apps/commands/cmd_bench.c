/* norma bench [MODEL…]: images a second, and how that stands to the machine's matrix products. */
#include "bench_step.h"
#include "characters.h"
#include "command.h"
#include "gemm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BATCH = 'b',
    KEY_SECONDS = 's',
    KEY_LAYERS = 'l',
    KEY_JSON = 'j',
    KEY_ROOFLINE = 'r',
    KEY_CORES = 'c',
    KEY_EVAL = 'e'
};

static const struct argp_option options[] = {
    {"batch", KEY_BATCH, "N", 0, "samples at once (preset: train.batch)", 1},
    {"seconds", KEY_SECONDS, "X", 0, "how long each pass is measured (preset: 3)", 1},
    {"eval", KEY_EVAL, 0, 0, "evaluation alone", 1},
    {"layers", KEY_LAYERS, 0, 0, "time and GFLOP/s of each layer, forward and backward", 1},
    {"roofline", KEY_ROOFLINE, "PREFIX", 0,
     "draw each layer's GFLOP/s under the roofs of memory and matrix product: PREFIX.png, .svg, .csv, .gp", 1},
    {"cores", KEY_CORES, "N,N", 0,
     "measure every task of a step on one thread, and tell what that allows on so many, and what stands in the way", 1},
    {"json", KEY_JSON, 0, 0, "machine-readable result on stdout", 1},
    {0},
};

/* Numbers of threads, ascending. */
static void parse_cores(struct argp_state *state, char *list, bench_args *args)
{
    char *rest, *word = strtok_r(list, ",", &rest);
    for (args->core_counts = 0; word; word = strtok_r(NULL, ",", &rest)) {
        int threads = parse_number(state, "--cores", word, 1, NM_MOST_THREADS), count = args->core_counts;
        if (count == BENCH_MOST_CORES || (count && threads <= args->cores[count - 1]))
            argp_error(state, "--cores: at most %d numbers, each above the one before", BENCH_MOST_CORES);
        args->cores[args->core_counts++] = threads;
    }
    if (!args->core_counts)
        argp_error(state, "--cores: which numbers of threads?");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    bench_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->model;
        return 0;
    case KEY_BATCH:
        args->batch = parse_number(state, "--batch", arg, 1, 1000000);
        return 0;
    case KEY_SECONDS:
        args->seconds = parse_real(state, "--seconds", arg, 0.01, 3600);
        return 0;
    case KEY_EVAL:
        args->eval = true;
        return 0;
    case KEY_LAYERS:
        args->layers = true;
        return 0;
    case KEY_ROOFLINE:
        args->roofline = arg;
        return 0;
    case KEY_CORES:
        parse_cores(state, arg, args);
        return 0;
    case KEY_JSON:
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->count == BENCH_MOST_MODELS)
            argp_error(state, "more than %d networks", BENCH_MOST_MODELS);
        args->names[args->count++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- one network --------------------------------------------------------------------------- */

static nm_status take_layers(bench *b, nm_mode mode, int steps)
{
    bench_layers_free(&b->layers);
    NM_TRY(bench_layers_take(b->net, b->plan, mode, b->batch.n, steps, &b->layers));
    if (b->args->layers && !b->args->json)
        bench_layers_print(&b->layers);
    return NM_OK;
}

static nm_status measure_mode(bench *b, nm_mode mode, bench_times *times)
{
    bool timing = b->args->layers || b->args->roofline;
    nm_status status = bench_open_step(b, mode, nm_context_threads(b->ctx), timing, NULL);
    if (status == NM_OK) {
        *times = bench_measure(b);
        status = timing ? take_layers(b, mode, times->steps) : NM_OK;
    }
    bench_close_step(b);
    return status;
}

/* A batch that evaluation takes can be too small for training (batch norm of a single value): that
 * is said, and the figures of evaluation stand. */
static nm_status measure_training(bench *b)
{
    nm_status status = measure_mode(b, NM_TRAIN, &b->train);
    if (status != NM_INVALID || nm_failed_status(b->ctx) != NM_INVALID)
        return status;
    print_errors(b->ctx);
    return NM_OK;
}

/* Most memory that this process has had, in bytes; 0 where the system does not tell. */
static double peak_memory(void)
{
    char line[256];
    double kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kilobytes = strtod(line + 6, NULL);
    if (f)
        fclose(f);
    return 1024 * kilobytes;
}

/* Training is counted as three forward passes: forward, gradient by x, gradient by the weights. */
static void print_result(const bench *b)
{
    double train = 6e-9 * b->cost * b->train.rate, eval = 2e-9 * b->cost * b->eval.rate, memory = b->memory;
    bool with_training = b->train.steps > 0;
    int threads = nm_context_threads(b->ctx);
    json_t *o = json_pack(
        "{s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "network", b->net->name, "batch", b->batch.n,
        "threads", threads, "train_images_per_second", with_training ? json_number(b->train.rate) : json_null(),
        "eval_images_per_second", json_number(b->eval.rate), "train_effective_gflops",
        with_training ? json_number(train) : json_null(), "eval_effective_gflops", json_number(eval),
        "gemm_peak_gflops", json_number(b->peak), "peak_memory_bytes", (json_int_t)memory, "eval_median_seconds",
        json_number(b->eval.median), "eval_99th_percentile_seconds", json_number(b->eval.longest));
    if (with_training)
        json_object_set_new(o, "train_throughput", json_number(b->train.throughput));
    json_object_set_new(o, "eval_throughput", json_number(b->eval.throughput));
    if (b->args->layers)
        json_object_set_new(o, "layers", bench_layers_json(&b->layers));
    if (b->args->core_counts)
        json_object_set_new(o, "cores",
                            json_pack("{s:o, s:o}", "evaluation", bench_cores_json(&b->cores[0]), "training",
                                      with_training ? bench_cores_json(&b->cores[1]) : json_null()));
    if (b->args->json) {
        print_json(json_pack("[o]", o));
        return;
    }
    bench_print_head();
    bench_print_row(o);
    json_decref(o);
}

static nm_status draw(const bench *b)
{
    const char *prefix = b->args->roofline;
    bool drawn;
    NM_TRY(write_roofline(b->ctx, prefix, &b->layers, b->peak, nm_context_threads(b->ctx), &drawn));
    if (!b->args->json)
        printf(drawn ? "roofline: %s.png, %s.svg\n" : "roofline: %s.csv, %s.gp\n", shown(prefix), shown(prefix));
    return NM_OK;
}

static nm_status run(nm_context *ctx, bench_args *args)
{
    bench b = {.ctx = ctx, .args = args};
    nm_status status = open_model(ctx, &args->model, "mnist-cnn", &b.net);
    for (int i = 0; status == NM_OK && i < b.net->nodes; i++)
        b.cost += nm_node_cost(&b.net->node[i]);
    if (status == NM_OK)
        status = nm_noise_new(ctx, b.net, args->batch ? args->batch : nm_settings_of(b.net)->batch, &b.noise);
    if (status == NM_OK) {
        b.batch = nm_noise_batch(&b.noise);
        nm_network_initialise(b.net, 1);
        status = measure_mode(&b, NM_EVAL, &b.eval);
    }
    if (status == NM_OK && b.net->objectives && !args->eval)
        status = measure_training(&b);
    if (status == NM_OK)
        status = nm_gemm_peak(ctx, nm_context_threads(ctx), &b.peak);
    b.memory = peak_memory(); /* what follows measures the machine */
    if (status == NM_OK && args->core_counts)
        status = bench_measure_cores(&b);
    if (status == NM_OK)
        print_result(&b);
    if (status == NM_OK && args->roofline)
        status = draw(&b);
    bench_layers_free(&b.layers);
    bench_cores_free(&b.cores[0]);
    bench_cores_free(&b.cores[1]);
    nm_noise_free(&b.noise);
    nm_network_free(b.net);
    return status;
}

int command_bench(int argc, char **argv)
{
    bench_args args = {0};
    struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,
                              parse,
                              "[MODEL...]",
                              "Images a second of training and evaluation on noise, without loading data; effective "
                              "GFLOP/s (as if every convolution were summed directly) and their ratio to the "
                              "machine's matrix product, measured in the same run; milliseconds of one evaluation "
                              "(median, and what 99 of 100 take at most): with --batch 1 the latency of an image; "
                              "most memory of the process. "
                              "Without MODEL: the usual networks.",
                              children,
                              NULL,
                              NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    if (args.count != 1 && args.roofline)
        return usage_error("--roofline draws one network: which MODEL?");
    if (args.count != 1 && args.core_counts && !args.json)
        return usage_error("--cores prints one network: which MODEL? (with --json there can be several)");
    if (args.count != 1 && args.layers && !args.json)
        return usage_error("--layers prints one network: which MODEL? (with --json there can be several)");
    if (args.count != 1)
        return bench_models(&args, run);
    args.model.model = args.names[0];
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}
