/* norma bench of several networks: a process for each, so that its memory is its own. */
#include "bench_models.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void bench_print_head(void)
{
    printf("%-22s %6s %8s %10s %8s %7s %10s %8s %7s %9s %9s %9s\n", "network", "batch", "threads", "train/s", "GFLOP/s",
           "of peak", "eval/s", "GFLOP/s", "of peak", "ms", "99 % ms", "MB");
}

static double number_in(const json_t *o, const char *name)
{
    return json_number_value(json_object_get(o, name));
}

void bench_print_row(const json_t *o)
{
    double peak = number_in(o, "gemm_peak_gflops"), train = number_in(o, "train_effective_gflops");
    double eval = number_in(o, "eval_effective_gflops");
    printf("%-22s %6lld %8lld", json_string_value(json_object_get(o, "network")),
           json_integer_value(json_object_get(o, "batch")), json_integer_value(json_object_get(o, "threads")));
    if (json_is_null(json_object_get(o, "train_images_per_second")))
        printf(" %10s %8s %7s", "-", "-", "-");
    else
        printf(" %10.0f %8.1f %7.2f", number_in(o, "train_images_per_second"), train, train / peak);
    printf(" %10.0f %8.1f %7.2f %9.3f %9.3f %9.0f\n", number_in(o, "eval_images_per_second"), eval, eval / peak,
           1e3 * number_in(o, "eval_median_seconds"), 1e3 * number_in(o, "eval_99th_percentile_seconds"),
           1e-6 * (double)json_integer_value(json_object_get(o, "peak_memory_bytes")));
}

/* Measures one network in a child, whose result comes back as JSON; NULL where it failed. */
static json_t *run_child(bench_args *args, bench_function *run, const char *name)
{
    int ends[2], state = 0;
    fflush(NULL);
    if (pipe(ends) != 0)
        return NULL;
    pid_t child = fork(); /* no thread has been started yet */
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        args->json = true;
        args->model.model = name;
        nm_context *ctx = open_context();
        int status = close_context(ctx, run(ctx, args));
        fflush(NULL);
        _exit(status);
    }
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    json_t *result = f && child > 0 ? json_loadf(f, 0, NULL) : NULL;
    if (f)
        fclose(f);
    if (child > 0)
        waitpid(child, &state, 0);
    return result;
}

int bench_models(bench_args *args, bench_function *run)
{
    static const char *const usual[] = {"mnist-cnn", "cifar-cnn",       "resnet20",
                                        "vgg11",     "inception-cifar", "mobilenet-cifar"};
    int count = args->count ? args->count : (int)(sizeof usual / sizeof *usual), status = 0;
    json_t *all = json_array();
    bool json = args->json;
    if (!json)
        bench_print_head();
    for (int i = 0; i < count; i++) {
        json_t *one = run_child(args, run, args->count ? args->names[i] : usual[i]);
        if (!one)
            status = NM_FAILED;
        else if (!json)
            bench_print_row(json_array_get(one, 0));
        fflush(stdout);
        json_array_extend(all, one);
        json_decref(one);
    }
    if (json)
        print_json(json_incref(all));
    json_decref(all);
    return status;
}
