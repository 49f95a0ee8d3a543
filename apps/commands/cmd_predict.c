/* norma predict CHECKPOINT FILE…: the classes of images. */
#include "alloc.h"
#include "command.h"
#include "file.h"
#include "idx.h"
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct predict_args {
    const char *checkpoint;
    char **files; /* points into argv */
    int count, top, threads;
    bool json, invert;
} predict_args;

enum { TOP_PRESET = 3, TOP_MOST = 1 << 20 };

static const struct argp_option options[] = {
    {"top", 'k', "N", 0, "tells the N most probable classes (preset 3)", 0},
    {"invert", 'i', 0, 0, "dark on light becomes light on dark, as MNIST has it", 0},
    {"threads", 't', "N", 0, "threads; never changes a result", 0},
    {"json", 'j', 0, 0, "machine-readable result on stdout: one object a line", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    predict_args *args = state->input;
    switch (key) {
    case 'k':
        args->top = parse_number(state, "--top", arg, 1, TOP_MOST);
        return 0;
    case 'i':
        args->invert = true;
        return 0;
    case 't':
        args->threads = parse_number(state, "--threads", arg, 1, NM_MOST_THREADS);
        return 0;
    case 'j':
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->checkpoint)
            return ARGP_ERR_UNKNOWN; /* the files: ARGP_KEY_ARGS */
        args->checkpoint = arg;
        return 0;
    case ARGP_KEY_ARGS:
        args->files = state->argv + state->next;
        args->count = state->argc - state->next;
        return 0;
    case ARGP_KEY_END:
        if (!args->checkpoint || args->count == 0)
            argp_error(state, "which CHECKPOINT, and which FILEs?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- a network and the names of what it predicts ------------------------------------------- */

typedef struct oracle {
    nm_context *ctx;
    const predict_args *args;
    nm_predictor *predictor;
    nm_shape in;
    nm_image_reader images; /* by the rules of the checkpoint */
    int classes, named;
    trained trained;
    char *text, **names; /* [named] into text */
    uint8_t *pixels;     /* one image of the network's size */
    float *probability;  /* [classes]; or scores */
} oracle;

/* Classes of images need one prediction an image, which a loss holds against labels. */
static nm_status check_output(nm_context *ctx, const trained *t)
{
    const nm_network *net = t->net;
    nm_shape out = net->node[net->output].out;
    if (out.h * out.w == 1 && (net->objectives == 0 || net->judge >= 0))
        return NM_OK;
    return nm_fail(ctx, NM_INVALID,
                   "%s: its prediction '%s' of " NM_SHAPE_FMT " is not a score for each class; norma trace shows it",
                   t->file, net->node[net->output].name, NM_SHAPE_ARGS(out));
}

static nm_status name_classes(oracle *o)
{
    o->images = (nm_image_reader){.ctx = o->ctx, .rules = o->trained.settings->images};
    o->text = nm_strdup(o->ctx, o->trained.classes ? o->trained.classes : "");
    o->names = nm_alloc(o->ctx, (size_t)o->classes, sizeof *o->names);
    if (!o->text || !o->names)
        return NM_FAILED;
    for (char *line = o->text; *line && o->named < o->classes;) {
        size_t length = strcspn(line, "\n");
        o->names[o->named++] = line;
        char *next = line + length + (line[length] != '\0');
        line[length] = '\0';
        line = next;
    }
    return NM_OK;
}

static nm_status open_oracle(oracle *o, nm_context *ctx, const predict_args *args)
{
    *o = (oracle){.ctx = ctx, .args = args};
    NM_TRY(open_trained(ctx, args->checkpoint, &o->trained));
    if (!args->json)
        tell_trained(&o->trained);
    NM_TRY(check_output(ctx, &o->trained));
    NM_TRY(nm_predictor_open(ctx, o->trained.file, &o->predictor));
    nm_predictor_input(o->predictor, &o->in.h, &o->in.w, &o->in.c);
    o->classes = nm_predictor_outputs(o->predictor);
    o->pixels = nm_alloc(ctx, nm_shape_size(o->in), 1);
    o->probability = nm_alloc(ctx, (size_t)o->classes, sizeof *o->probability);
    if (!o->pixels || !o->probability)
        return NM_FAILED;
    NM_TRY(name_classes(o));
    if (args->top > o->classes && args->top != TOP_PRESET)
        fprintf(stderr, "norma: --top %d: the network has %d classes, all of which are told\n", args->top, o->classes);
    return NM_OK;
}

static void close_oracle(oracle *o)
{
    nm_predictor_free(o->predictor);
    close_trained(&o->trained);
    nm_free(o->text);
    nm_free(o->names);
    nm_free(o->pixels);
    nm_free(o->probability);
}

/* ---- predicting ---------------------------------------------------------------------------- */

/* The most probable class that is not yet taken; `taken` marks those above it. */
static int next_best(const oracle *o, const bool *taken)
{
    int best = -1;
    for (int c = 0; c < o->classes; c++)
        if (!taken[c] && (best < 0 || o->probability[c] > o->probability[best]))
            best = c;
    return best;
}

static void tell_as_json(const oracle *o, const char *name, const int *best, int count, bool finite)
{
    const char *what = nm_predictor_probabilities(o->predictor) ? "probability" : "score";
    json_t *all = json_array();
    for (int k = 0; k < count; k++)
        json_array_append_new(all, json_pack("{s:s, s:o}", "class", class_name(o->names, o->named, best[k]), what,
                                             json_number((double)o->probability[best[k]])));
    json_t *first = finite ? json_string(class_name(o->names, o->named, best[0])) : json_null();
    json_t *whole = json_pack("{s:s, s:o, s:o}", "file", name, "class", first, "top", all);
    add_trained(whole, &o->trained);
    print_json(whole);
}

static void tell_as_text(const oracle *o, const char *name, const int *best, int count)
{
    printf("%s:", name);
    for (int k = 0; k < count; k++)
        printf("%s %s %s%.4f", k ? "," : "", class_name(o->names, o->named, best[k]),
               nm_predictor_probabilities(o->predictor) ? "" : "score ", (double)o->probability[best[k]]);
    printf("\n");
}

static nm_status tell(const oracle *o, const char *name, bool finite)
{
    int count = o->args->top < o->classes ? o->args->top : o->classes;
    bool *taken = nm_alloc(o->ctx, (size_t)o->classes, sizeof *taken);
    int *best = nm_alloc(o->ctx, (size_t)count, sizeof *best);
    for (int k = 0; taken && best && k < count; k++) {
        best[k] = next_best(o, taken);
        taken[best[k]] = true;
    }
    nm_status status = taken && best ? NM_OK : NM_FAILED;
    if (status == NM_OK && o->args->json)
        tell_as_json(o, name, best, count, finite);
    else if (status == NM_OK && finite)
        tell_as_text(o, name, best, count);
    else if (status == NM_OK)
        printf("%s: no class\n", name);
    nm_free(taken);
    nm_free(best);
    return status;
}

/* Of the image in o->pixels. */
static nm_status predict(oracle *o, const char *name)
{
    for (size_t i = 0; o->args->invert && i < nm_shape_size(o->in); i++)
        o->pixels[i] = (uint8_t)(255 - o->pixels[i]);
    nm_status status = nm_predict_u8(o->ctx, o->predictor, 1, o->pixels, o->probability);
    if (status != NM_OK && status != NM_DIVERGED)
        return status;
    NM_TRY(tell(o, name, status == NM_OK));
    return status == NM_OK ? NM_OK
                           : nm_fail(o->ctx, status, "%s: the network yields NaN or infinity: there is no class", name);
}

static nm_status predict_idx(oracle *o, const char *file)
{
    nm_samples samples = {0};
    nm_status status = nm_idx_file(o->ctx, file, &samples);
    if (status == NM_OK && samples.shape.c != o->in.c)
        status = nm_fail(o->ctx, NM_INVALID, "%s: images of %d channel; the network takes %d", file, samples.shape.c,
                         o->in.c);
    for (int i = 0; i < samples.count && status == NM_OK; i++) {
        char *name = nm_format(o->ctx, "%s[%d]", file, i);
        const uint8_t *pixels = samples.pixels + (size_t)i * nm_shape_size(samples.shape);
        status = name ? nm_image_resize(o->ctx, &o->images.rules, samples.shape, pixels, o->in, o->pixels) : NM_FAILED;
        if (status == NM_OK)
            status = predict(o, name);
        nm_free(name);
    }
    nm_free(samples.pixels);
    nm_free(samples.labels);
    return status;
}

static nm_status predict_file(oracle *o, const char *file)
{
    char *bytes;
    size_t size;
    NM_TRY(nm_file_read(o->ctx, file, &bytes, &size));
    bool gzip = size > 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
    bool idx = size > 4 && memcmp(bytes, "\0\0\x08", 3) == 0;
    nm_status status = NM_OK;
    if (!gzip && !idx && size > 0 && !nm_image_known(bytes, size))
        status =
            nm_fail(o->ctx, NM_INVALID,
                    "%s: expected a " NM_IMAGE_FORMATS " image, or an IDX file; it starts with the mark of none", file);
    else if (!gzip && !idx)
        status = nm_image_decode(&o->images, file, bytes, size, o->in, o->pixels);
    nm_free(bytes);
    NM_TRY(status);
    return gzip || idx ? predict_idx(o, file) : predict(o, file);
}

/* A folder or standard input would be told of in the words of some library. */
static nm_status check_file(oracle *o, const char *file)
{
    struct stat st;
    if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
        return nm_fail(o->ctx, NM_INVALID, "%s: a folder; name the images in it, as %s/*", file, file);
    if (!*file)
        return nm_fail(o->ctx, NM_INVALID, "a FILE without a name; which image?");
    if (strcmp(file, "-") == 0 && access(file, F_OK) != 0)
        return nm_fail(o->ctx, NM_INVALID, "-: images are read from files, not from standard input");
    return NM_OK;
}

/* Every file is tried; the status is that of the first which failed. */
static nm_status predict_files(oracle *o)
{
    nm_status first = NM_OK;
    for (int i = 0; i < o->args->count; i++) {
        nm_status status = check_file(o, o->args->files[i]);
        if (status == NM_OK)
            status = predict_file(o, o->args->files[i]);
        if (status != NM_OK)
            print_errors(o->ctx);
        first = first == NM_OK ? status : first;
    }
    return first;
}

int command_predict(int argc, char **argv)
{
    predict_args args = {.top = TOP_PRESET};
    const struct argp argp = {
        options,
        parse,
        "CHECKPOINT FILE...",
        "The classes of images, by CHECKPOINT (a file, or a run directory: its best.h5), with their probabilities, or "
        "with scores where the network's loss makes no probabilities of them (hinge, mse, l1). "
        "FILE is a " NM_IMAGE_FORMATS
        " image, brought to the network's size as in training, or an IDX file of many images.",
        NULL,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    nm_context_set_threads(ctx, args.threads);
    oracle o;
    nm_status status = open_oracle(&o, ctx, &args);
    if (status == NM_OK)
        status = predict_files(&o);
    nm_image_report(&o.images);
    close_oracle(&o);
    return close_context(ctx, status);
}
