/* norma inspect FILE: what a checkpoint holds. The file may come from anyone: as any HDF5 file it
 * is read in a process of its own (h5.h), its network is not built, and its texts are escaped. */
#include "alloc.h"
#include "inspect.h"

#include "escaped.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct inspect_args {
    const char *file;
    bool model, json;
} inspect_args;

static const struct argp_option options[] = {
    {"model", 'm', 0, 0, "print the model file that it holds, and nothing else", 1},
    {"json", 'j', 0, 0, "machine-readable result on stdout", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    inspect_args *args = state->input;
    switch (key) {
    case 'm':
        args->model = true;
        return 0;
    case 'j':
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(state, "FILE", &args->file, arg);
        return 0;
    case ARGP_KEY_END:
        if (!args->file)
            argp_error(state, "which FILE? For example runs/mnist-cnn-1/best.h5");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- numbers ----------------------------------------------------------------------------- */

static double number_at(nm_h5_type wide, const void *numbers, size_t i)
{
    switch (wide) {
    case NM_H5_F64:
        return ((const double *)numbers)[i];
    case NM_H5_U64:
        return (double)((const uint64_t *)numbers)[i];
    default:
        return (double)((const int64_t *)numbers)[i];
    }
}

static void add_numbers(number_summary *s, size_t *count, nm_h5_type wide, const void *numbers, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        double x = number_at(wide, numbers, i);
        if (!isfinite(x)) {
            s->not_finite++;
            continue;
        }
        s->least = *count == 0 || x < s->least ? x : s->least;
        s->largest = *count == 0 || x > s->largest ? x : s->largest;
        (*count)++;
        s->mean += (x - s->mean) / (double)*count; /* a sum of large numbers could overflow */
    }
}

static nm_status read_numbers(const nm_contents *c, const nm_stored *o, number_summary *s)
{
    size_t rows = nm_stored_rows(o), row = nm_stored_row(o), block = nm_stored_block(o), count = 0;
    void *numbers = rows && row ? nm_alloc(c->ctx, block * row, 8) : NULL;
    nm_status status = numbers || !rows || !row ? NM_OK : NM_FAILED;
    for (size_t at = 0; at < rows && numbers && status == NM_OK; at += block) {
        size_t some = rows - at < block ? rows - at : block;
        status = nm_contents_rows(c, o, at, some, numbers);
        if (status == NM_OK)
            add_numbers(s, &count, nm_stored_wide(o), numbers, some * row);
    }
    nm_free(numbers);
    if (count == 0)
        s->least = s->mean = s->largest = (double)NAN;
    s->known = status == NM_OK;
    return status;
}

static nm_status read_all_numbers(const inspection *in)
{
    nm_contents *c = in->contents;
    for (int i = 0; i < c->count; i++) {
        nm_stored *o = &c->object[i];
        if (o->problem || o->shape.type == NM_H5_TEXT)
            continue;
        nm_status status = read_numbers(c, o, &in->numbers[i]);
        if (status == NM_INVALID) {
            o->problem = nm_strdup(c->ctx, nm_error_message(c->ctx, 0));
            nm_errors_clear(c->ctx);
            status = o->problem ? NM_OK : NM_FAILED;
        }
        NM_TRY(status);
    }
    return NM_OK;
}

/* ---- in the child ------------------------------------------------------------------------ */

static nm_status print_model(const inspection *in)
{
    char *text;
    NM_TRY(nm_contents_text(in->contents, "/model_yaml", NULL, &text));
    if (!text)
        return nm_fail(in->ctx, NM_INVALID, "%s: /model_yaml: it holds no model file that can be read", in->file);
    print_escaped_lines(text);
    nm_free(text);
    if (in->contents->digest_problem)
        return nm_fail(in->ctx, NM_INVALID, "%s", in->contents->digest_problem);
    return NM_OK;
}

static nm_status look_inside(inspection *in, const inspect_args *args, bool *whole)
{
    *whole = true;
    if (args->model)
        return print_model(in);
    in->numbers = nm_alloc(in->ctx, (size_t)in->contents->count + 1, sizeof *in->numbers);
    if (!in->numbers)
        return NM_FAILED;
    NM_TRY(read_all_numbers(in));
    *whole = args->json ? print_inspection_as_json(in) : print_inspection(in);
    return NM_OK;
}

/* Messages may hold what the file does. */
static void print_messages(nm_context *ctx)
{
    for (int i = 0; i < nm_error_count(ctx); i++)
        fprintf(stderr, "norma: %s\n", escaped(nm_error_message(ctx, i)));
    nm_errors_clear(ctx);
}

static int inspect(const inspect_args *args)
{
    bool whole = true;
    inspection in = {.ctx = open_context(), .file = args->file};
    nm_status status = nm_contents_open(in.ctx, args->file, false, &in.contents);
    if (status == NM_OK)
        status = nm_contents_list(in.contents);
    if (status == NM_OK)
        status = look_inside(&in, args, &whole);
    nm_free(in.numbers);
    nm_contents_free(in.contents);
    print_messages(in.ctx);
    int code = close_context(in.ctx, status);
    return code ? code : whole ? 0 : NM_INVALID;
}

int command_inspect(int argc, char **argv)
{
    inspect_args args = {0};
    const struct argp_child children[] = {{&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "FILE",
        "Tells what a checkpoint holds, without trusting it: its format, whether its digest is right, step and "
        "epoch, every array with its shape and the range of its values, the optimizer's memory, the "
        "history.\vNothing of the file is executed and its network is not built; a damaged file gives what can be "
        "read of it. Exit status: 0 whole (whatever its numbers are), 1 failed, 2 damaged, no checkpoint, or wrong "
        "usage.",
        children,
        NULL,
        NULL};
    return read_arguments(&argp, argc, argv, &args) ? inspect(&args) : 0;
}
