/* norma predict CHECKPOINT FILE…: the classes of images. */
#include "alloc.h"
#include "command.h"
#include "file.h"
#include "idx.h"
#include "predict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
        print_trained(&o->trained);
    NM_TRY(check_output(ctx, &o->trained));
    NM_TRY(nm_predictor_open(ctx, o->trained.file, &o->predictor));
    nm_predictor_input(o->predictor, &o->in.h, &o->in.w, &o->in.c);
    o->classes = nm_predictor_outputs(o->predictor);
    o->pixels = nm_alloc(ctx, PREDICT_AT_ONCE * nm_shape_size(o->in), 1);
    o->scores = nm_alloc(ctx, PREDICT_AT_ONCE * (size_t)o->classes, sizeof *o->scores);
    if (!o->pixels || !o->scores)
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
    nm_free(o->scores);
}

/* ---- predicting ---------------------------------------------------------------------------- */

static uint8_t *next_image(const oracle *o)
{
    return o->pixels + (size_t)o->waiting * nm_shape_size(o->in);
}

/* All at once, so that threads have something to share; the answers are printed in the order of the
 * images. Prints the messages about images without a class. */
static nm_status predict_waiting(oracle *o)
{
    nm_status status = o->waiting ? nm_predict_u8(o->ctx, o->predictor, o->waiting, o->pixels, o->scores) : NM_OK;
    bool predicted = status == NM_OK || status == NM_DIVERGED;
    if (predicted)
        nm_errors_clear(o->ctx);
    for (int i = 0; i < o->waiting; i++) {
        const float *scores = o->scores + (size_t)i * (size_t)o->classes;
        nm_status one = predicted ? predict_print(o, o->name[i], scores) : NM_OK;
        predicted = predicted && one == NM_OK;
        status = one != NM_OK ? one : status;
        if (predicted && isnan(scores[0]))
            nm_fail(o->ctx, NM_DIVERGED, "%s: the network yields NaN or infinity: there is no class", o->name[i]);
        nm_free(o->name[i]);
    }
    o->waiting = 0;
    if (status != NM_OK)
        print_errors(o->ctx);
    o->status = o->status == NM_OK ? status : o->status;
    return status;
}

/* Of the image in next_image(o). */
static nm_status add_image(oracle *o, const char *name)
{
    uint8_t *pixels = next_image(o);
    for (size_t i = 0; o->args->invert && i < nm_shape_size(o->in); i++)
        pixels[i] = (uint8_t)(255 - pixels[i]);
    if (!(o->name[o->waiting] = nm_strdup(o->ctx, name)))
        return NM_FAILED;
    return ++o->waiting == PREDICT_AT_ONCE ? predict_waiting(o) : NM_OK;
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
        status =
            name ? nm_image_resize(o->ctx, &o->images.rules, samples.shape, pixels, o->in, next_image(o)) : NM_FAILED;
        if (status == NM_OK)
            status = add_image(o, name);
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
        status = nm_image_decode(&o->images, file, bytes, size, o->in, next_image(o));
    nm_free(bytes);
    NM_TRY(status);
    return gzip || idx ? predict_idx(o, file) : add_image(o, file);
}

/* A folder or standard input would be refused in the words of some library. */
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
    for (int i = 0; i < o->args->count; i++) {
        nm_status status = check_file(o, o->args->files[i]);
        if (status == NM_OK)
            status = predict_file(o, o->args->files[i]);
        if (status != NM_OK)
            print_errors(o->ctx);
        o->status = o->status == NM_OK ? status : o->status;
    }
    nm_status last = predict_waiting(o);
    return o->status == NM_OK ? last : o->status;
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
