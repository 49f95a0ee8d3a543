/* norma bn-report CHECKPOINT, norma recalibrate CHECKPOINT: running against population statistics.
 */
#include "alloc.h"
#include "bn_report.h"
#include "recalibrate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct report_args {
    const char *checkpoint, *data, *output;
    int batch, limit;
    bool json, recalibrate;
} report_args;

enum { KEY_DATA = 'd', KEY_BATCH = 'b', KEY_LIMIT = 'l', KEY_JSON = 'j', KEY_OUTPUT = 'o', GAP_BATCHES = 20 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    report_args *args = state->input;
    switch (key) {
    case KEY_DATA:
        args->data = arg;
        return 0;
    case KEY_BATCH:
        args->batch = parse_number(state, "--batch", arg, 2, 1000000);
        return 0;
    case KEY_LIMIT:
        args->limit = parse_number(state, "--limit", arg, 2, 1 << 30);
        return 0;
    case KEY_JSON:
        args->json = true;
        return 0;
    case KEY_OUTPUT:
        args->output = arg;
        return 0;
    default:
        return parse_checkpoint(key, arg, state, &args->checkpoint);
    }
}

/* ---- the commands -------------------------------------------------------------------------- */

static nm_status save(nm_context *ctx, const report_args *args, const trained *t, const nm_dataset *data)
{
    nm_train_state state = {.step = t->step,
                            .best_accuracy = (double)NAN,
                            .optimizer = "none",
                            .data = data->name,
                            .normalisation = t->normalisation,
                            .classes = t->classes};
    return nm_checkpoint_save(ctx, args->output, t->net, &state);
}

static void print_scores(const char *when, const nm_evaluation *e)
{
    if (isfinite(e->loss))
        printf("%sloss %.4f", when, e->loss);
    else
        printf("%sloss and outputs are not finite numbers", when);
    if (!isnan(e->accuracy))
        printf(", accuracy %.2f %%", 100 * e->accuracy);
    printf("\n");
}

/* Running statistics that are NaN or infinite are what recalibration is there to mend. */
static nm_status evaluate_before(nm_context *ctx, trained *t, const nm_dataset *data, nm_evaluation *before)
{
    nm_status status = nm_evaluate(ctx, t->net, &data->test, 0, t->settings->eval_batch, &t->normalisation,
                                   t->settings->binary, before);
    if (status != NM_DIVERGED)
        return status;
    nm_errors_clear(ctx);
    *before = (nm_evaluation){.loss = (double)NAN, .accuracy = (double)NAN};
    return NM_OK;
}

static nm_status print_recalibration(nm_context *ctx, const report_args *args, trained *t, const nm_dataset *data,
                                     const nm_evaluation *before)
{
    nm_evaluation after = {0};
    NM_TRY(nm_evaluate(ctx, t->net, &data->test, 0, t->settings->eval_batch, &t->normalisation, t->settings->binary,
                       &after));
    if (args->json) {
        json_t *all = json_pack("{s:{s:o, s:o}, s:{s:o, s:o}}", "before", "loss", json_number(before->loss), "accuracy",
                                json_number(before->accuracy), "after", "loss", json_number(after.loss), "accuracy",
                                json_number(after.accuracy));
        add_trained(all, t);
        print_json(all);
    } else {
        print_scores("before: ", before);
        print_scores("after:  ", &after);
    }
    nm_evaluation_free(&after);
    if (!args->output) {
        fprintf(stderr, "norma: nothing was saved; --output FILE writes the network with its new statistics\n");
        return NM_OK;
    }
    return save(ctx, args, t, data);
}

static nm_status work(nm_context *ctx, const report_args *args, trained *t, const nm_dataset *data, real *running)
{
    nm_recalibration how = {.samples = &data->train,
                            .normalisation = t->normalisation,
                            .binary = t->settings->binary,
                            .batch = args->batch ? args->batch : t->settings->batch,
                            .limit = args->limit,
                            .seed = (uint64_t)t->settings->seed};
    how.batch = how.batch < data->train.count ? how.batch : data->train.count;
    bn_report r = {.t = t};
    nm_evaluation before = {0};
    memcpy(running, t->net->states, t->net->state_count * sizeof *running);
    NM_TRY(nm_mode_gap(ctx, t->net, &how, data->classes, GAP_BATCHES, &r.train_loss, &r.eval_loss));
    if (args->recalibrate)
        NM_TRY(evaluate_before(ctx, t, data, &before));
    nm_status status = nm_recalibrate(ctx, t->net, &how);
    if (status == NM_OK)
        status = nm_check_finite(ctx, t->net);
    if (status == NM_OK)
        status = args->recalibrate ? print_recalibration(ctx, args, t, data, &before)
                                   : bn_report_print(ctx, &r, running, args->json);
    nm_evaluation_free(&before);
    nm_free(r.of);
    return status;
}

/* Before the passes over the data, not after them. */
static nm_status check_output(nm_context *ctx, const char *path)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? nm_format(ctx, "%.*s/", (int)(slash - path), path) : nm_strdup(ctx, ".");
    if (!folder)
        return NM_FAILED;
    nm_status status = NM_OK;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        status = nm_fail(ctx, NM_INVALID, "--output %s: a folder; expected the name of a file", path);
    else if (access(folder, W_OK) != 0)
        status = nm_fail(ctx, NM_INVALID, "--output %s: %s: %s", path, folder, strerror(errno));
    nm_free(folder);
    return status;
}

static nm_status run(nm_context *ctx, const report_args *args)
{
    trained t;
    nm_dataset *data = NULL;
    if (args->output)
        NM_TRY(check_output(ctx, args->output));
    NM_TRY(open_trained(ctx, args->checkpoint, &t));
    if (!args->json)
        print_trained(&t);
    real *running = nm_alloc(ctx, t.net->state_count + 1, sizeof *running);
    nm_status status = running ? NM_OK : NM_FAILED;
    if (status == NM_OK && t.net->state_count == 0)
        status = nm_fail(ctx, NM_INVALID, "%s: the network has no batch norm", args->checkpoint);
    if (status == NM_OK && !args->recalibrate)
        status = nm_check_finite(ctx, t.net);
    if (status == NM_OK)
        status = nm_trained_data_open(ctx, args->data, t.settings, t.net, t.classes, &data);
    if (status == NM_OK && data->train.count == 0)
        status =
            nm_fail(ctx, NM_INVALID, "%s: it has no training samples, of which the statistics would be", data->found);
    if (status == NM_OK)
        status = work(ctx, args, &t, data, running);
    nm_free(running);
    nm_dataset_free(data);
    close_trained(&t);
    return status;
}

static int run_command(int argc, char **argv, report_args *args, const struct argp_option *options, const char *doc)
{
    const struct argp_child children[] = {{&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options, parse, "CHECKPOINT", doc, children, NULL, NULL};
    if (!read_arguments(&argp, argc, argv, args))
        return 0;
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, args));
}

#define SHARED_OPTIONS                                                                                                 \
    {"data", KEY_DATA, "NAME[:PATH]", 0, "another data set than the one it was trained on", 1},                        \
        {"batch", KEY_BATCH, "N", 0, "samples of which statistics are taken at once (preset: train.batch)", 1},        \
        {"limit", KEY_LIMIT, "N", 0, "a random subset of N training samples (preset: all)", 1},                        \
    {                                                                                                                  \
        "json", KEY_JSON, 0, 0, "machine-readable result on stdout", 1                                                 \
    }

int command_bn_report(int argc, char **argv)
{
    static const struct argp_option options[] = {SHARED_OPTIONS, {0}};
    report_args args = {0};
    return run_command(
        argc, argv, &args, options,
        "How far each batch norm's running mean and variance are from those of the training set, and what that "
        "does to the loss: most questions why evaluation is worse than training end here.");
}

int command_recalibrate(int argc, char **argv)
{
    static const struct argp_option options[] = {
        SHARED_OPTIONS,
        {"output", KEY_OUTPUT, "FILE.h5", 0, "where the network with its new statistics is saved", 1},
        {0}};
    report_args args = {.recalibrate = true};
    return run_command(
        argc, argv, &args, options,
        "Sets every batch norm's statistics to those of the whole training set, and tells the test accuracy before "
        "and after. The file written serves eval, predict and --init-from.");
}
