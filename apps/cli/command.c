/* Contexts, messages, JSON, trained networks. */
#include "command.h"

#include "alloc.h"
#include "characters.h"
#include "gemm.h"
#include "printable.h"
#include "threads.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(MOST_THREADS == (int)NM_MOST_THREADS, "--threads takes what the library does");

static void print_log(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "norma: %s\n", line);
}

nm_context *open_context(void)
{
    nm_context *ctx = nm_context_new();
    if (!ctx) {
        fprintf(stderr, "norma: out of memory\n");
        exit(NM_FAILED);
    }
    nm_context_set_log(ctx, print_log, NULL);
    nm_context_set_max_memory(ctx, asked_max_memory());
    nm_status status = nm_gemm_check(ctx);
    if (status != NM_OK)
        exit(close_context(ctx, status));
    return ctx;
}

void print_errors(nm_context *ctx)
{
    for (int i = 0; i < nm_error_count(ctx); i++)
        fprintf(stderr, "norma: %s\n", nm_error_message(ctx, i));
    nm_errors_clear(ctx);
}

int close_context(nm_context *ctx, nm_status status)
{
    if (status == NM_INVALID) /* also where a function on the way took what it had no memory for as wrong */
        status = nm_failed_status(ctx);
    if (status != NM_OK)
        print_errors(ctx);
    nm_context_free(ctx);
    return (int)status;
}

int usage_error(const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    fprintf(stderr, "norma: %s\n", text ? shown(text) : "out of memory");
    free(text);
    return NM_INVALID;
}

json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void print_json(json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9));
    for (const char *at = text; at && *at;) { /* jansson leaves DEL and what is beyond ASCII as it is */
        const char *start = at;
        int c = next_character(&at);
        if (nm_is_printable(c))
            fwrite(start, 1, (size_t)(at - start), stdout);
        else
            printf("\\u%04x", (unsigned)c);
    }
    printf("\n");
    free(text);
    json_decref(value);
}

json_t *json_text(const char *text)
{
    json_t *value = json_string(text);
    return value ? value : json_string(shown(text));
}

int parse_number(struct argp_state *state, const char *flag, const char *text, int least, int most)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < least || value > most)
        argp_error(state, "%s must be a whole number from %d to %d; found '%s'", flag, least, most, shown(text));
    return (int)value;
}

double parse_real(struct argp_state *state, const char *flag, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    bool bounded = isfinite(most);
    if (end != text && !*end && isfinite(value) && (bounded ? value >= least && value <= most : value > least))
        return value;
    if (bounded)
        argp_error(state, "%s must be a number from %g to %g; found '%s'", flag, least, most, shown(text));
    else
        argp_error(state, "%s must be a number above %g; found '%s'", flag, least, shown(text));
    return least;
}

void take_argument(struct argp_state *state, const char *what, const char **place, const char *arg)
{
    if (*place)
        argp_error(state, "one %s is enough; found '%s' and '%s'", what, shown(*place), shown(arg));
    *place = arg;
}

error_t parse_checkpoint(int key, char *arg, struct argp_state *state, const char **checkpoint)
{
    switch (key) {
    case ARGP_KEY_ARG:
        take_argument(state, "CHECKPOINT", checkpoint, arg);
        return 0;
    case ARGP_KEY_END:
        if (!*checkpoint)
            argp_error(state, "which CHECKPOINT? For example runs/mnist-cnn-1/best.h5");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- trained networks ---------------------------------------------------------------------- */

static bool is_there(const char *path)
{
    return path && access(path, F_OK) == 0;
}

/* The file; nm_free. NULL: neither is there, or no memory. */
static char *find_checkpoint(nm_context *ctx, const char *path)
{
    struct stat st;
    const char *dot = strrchr(path, '.');
    if (stat(path, &st) != 0) {
        nm_fail(ctx, NM_INVALID, "%s: %s: expected a checkpoint, as runs/NAME/best.h5, or the folder of a run",
                *path ? path : "''", strerror(errno));
        return NULL;
    }
    if (dot && strcmp(dot, ".yaml") == 0) {
        nm_fail(ctx, NM_INVALID,
                "%s: a model file, which holds no trained weights: expected a checkpoint, which norma "
                "train %s makes",
                path, path);
        return NULL;
    }
    if (!S_ISDIR(st.st_mode))
        return nm_strdup(ctx, path);
    char *best = nm_format(ctx, "%s/best.h5", path), *last = nm_format(ctx, "%s/last.h5", path);
    char *file = is_there(best) ? best : is_there(last) ? last : NULL;
    if (!file && best && last)
        nm_fail(ctx, NM_INVALID,
                "%s: a folder without best.h5 or last.h5: expected a checkpoint or the folder of a run (norma train "
                "--run %s makes one)",
                path, path);
    nm_free(file == best ? last : best);
    if (!file)
        nm_free(last);
    return file;
}

static nm_status read_trained(nm_context *ctx, const nm_checkpoint *checkpoint, trained *out)
{
    NM_TRY(nm_checkpoint_network(ctx, checkpoint, &out->net));
    NM_TRY(nm_normalisation_copy(ctx, nm_checkpoint_normalisation(checkpoint), &out->normalisation));
    const char *classes = nm_checkpoint_classes(checkpoint);
    if (classes && !(out->classes = nm_strdup(ctx, classes)))
        return NM_FAILED;
    out->settings = nm_settings_of(out->net);
    out->step = nm_checkpoint_step(checkpoint);
    out->epoch = nm_checkpoint_epoch(checkpoint);
    return NM_OK;
}

nm_status open_trained(nm_context *ctx, const char *path, trained *out)
{
    nm_checkpoint *checkpoint = NULL;
    *out = (trained){.file = find_checkpoint(ctx, path)};
    nm_status status = out->file ? nm_checkpoint_open(ctx, out->file, &checkpoint) : nm_failed_status(ctx);
    if (status == NM_OK)
        status = read_trained(ctx, checkpoint, out);
    nm_checkpoint_free(checkpoint);
    if (status != NM_OK)
        close_trained(out);
    return status;
}

void close_trained(trained *t)
{
    nm_network_free(t->net);
    nm_normalisation_free(&t->normalisation);
    nm_free(t->classes);
    nm_free(t->file);
    *t = (trained){0};
}

static void print_state(const char *file, uint64_t step, uint64_t epoch)
{
    fprintf(stderr, "norma: %s, step %llu", shown(file), (unsigned long long)step);
    if (epoch)
        fprintf(stderr, " (epoch %llu)", (unsigned long long)epoch);
    fprintf(stderr, "\n");
}

static void add_state(json_t *object, const char *file, uint64_t step)
{
    json_object_set_new(object, "checkpoint", json_text(file));
    json_object_set_new(object, "step", json_integer((json_int_t)step));
}

void print_trained(const trained *t)
{
    print_state(t->file, t->step, t->epoch);
}

void add_trained(json_t *object, const trained *t)
{
    add_state(object, t->file, t->step);
}

/* ---- trained networks that predict --------------------------------------------------------- */

nm_status open_predictor(nm_context *ctx, const char *path, nm_predictor **out)
{
    char *file = find_checkpoint(ctx, path);
    *out = NULL;
    nm_status status = file ? nm_predictor_open(ctx, file, out) : nm_failed_status(ctx);
    nm_free(file);
    return status;
}

void print_predictor(const nm_predictor *p)
{
    print_state(nm_predictor_file(p), nm_predictor_step(p), nm_predictor_epoch(p));
}

void add_predictor(json_t *object, const nm_predictor *p)
{
    add_state(object, nm_predictor_file(p), nm_predictor_step(p));
}

const char *name_or_number(const char *name, int c)
{
    static char number[16];
    snprintf(number, sizeof number, "%d", c);
    return name ? name : number;
}
