/* norma predict CHECKPOINT FILE…: the classes of images. */
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
        args->threads = parse_number(state, "--threads", arg, 1, MOST_THREADS);
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

static nm_status open_oracle(oracle *o, nm_context *ctx, const predict_args *args)
{
    int height, width, channels;
    *o = (oracle){.ctx = ctx, .args = args};
    nm_status status = open_predictor(ctx, args->checkpoint, &o->predictor);
    if (status == NM_OK && !args->json)
        print_predictor(o->predictor);
    if (status == NM_OK)
        status = nm_predictor_check_classifier(ctx, o->predictor);
    if (status != NM_OK)
        return status;
    nm_predictor_input(o->predictor, &height, &width, &channels);
    o->image = (size_t)height * (size_t)width * (size_t)channels;
    o->classes = nm_predictor_outputs(o->predictor);
    o->pixels = calloc(PREDICT_AT_ONCE, o->image);
    o->scores = calloc(PREDICT_AT_ONCE * (size_t)o->classes, sizeof *o->scores);
    if (!o->pixels || !o->scores) {
        usage_error("out of memory");
        return NM_FAILED;
    }
    if (args->top > o->classes && args->top != TOP_PRESET)
        fprintf(stderr, "norma: --top %d: the network has %d classes, all of which are told\n", args->top, o->classes);
    return NM_OK;
}

static void close_oracle(oracle *o)
{
    nm_predictor_free(o->predictor);
    free(o->pixels);
    free(o->scores);
}

/* ---- predicting ---------------------------------------------------------------------------- */

static uint8_t *next_image(const oracle *o)
{
    return o->pixels + (size_t)o->waiting * o->image;
}

static nm_status print_scores(oracle *o, int i)
{
    const float *scores = o->scores + (size_t)i * (size_t)o->classes;
    nm_status status = predict_print(o, o->name[i], scores);
    if (status != NM_OK || !isnan(scores[0]))
        return status;
    usage_error("%s: the network yields NaN or infinity: there is no class", o->name[i]);
    return NM_DIVERGED;
}

/* All at once, so that threads have something to share; the answers are printed in the order of the
 * images. */
static nm_status predict_waiting(oracle *o)
{
    nm_status status = o->waiting ? nm_predict_u8(o->ctx, o->predictor, o->waiting, o->pixels, o->scores) : NM_OK;
    bool predicted = status == NM_OK || status == NM_DIVERGED;
    print_errors(o->ctx); /* what names the layer that is to blame; each image has its own message too */
    for (int i = 0; i < o->waiting; i++) {
        nm_status one = predicted ? print_scores(o, i) : NM_OK;
        status = status == NM_OK ? one : status;
        free(o->name[i]);
    }
    o->waiting = 0;
    return status;
}

/* Takes the image in next_image(o). */
static nm_status add_image(oracle *o, const char *name)
{
    uint8_t *pixels = next_image(o);
    for (size_t i = 0; o->args->invert && i < o->image; i++)
        pixels[i] = (uint8_t)(255 - pixels[i]);
    if (!(o->name[o->waiting] = strdup(name))) {
        usage_error("out of memory");
        return NM_FAILED;
    }
    return ++o->waiting == PREDICT_AT_ONCE ? predict_waiting(o) : NM_OK;
}

static nm_status predict_file(oracle *o, const char *file)
{
    nm_images *images;
    nm_status status = nm_images_open(o->ctx, o->predictor, file, &images);
    int count = status == NM_OK ? nm_images_count(images) : 0;
    for (int i = 0; i < count && status == NM_OK; i++) {
        status = nm_images_read(o->ctx, images, i, next_image(o));
        if (status == NM_OK)
            status = add_image(o, nm_images_name(images, i));
    }
    print_errors(o->ctx);
    nm_images_free(images);
    return status;
}

/* A folder or standard input would be refused in the words of some library. */
static nm_status check_file(const char *file)
{
    struct stat st;
    if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
        return usage_error("%s: a folder; name the images in it, as %s/*", file, file);
    if (!*file)
        return usage_error("a FILE without a name; which image?");
    if (strcmp(file, "-") == 0 && access(file, F_OK) != 0)
        return usage_error("-: images are read from files, not from standard input");
    return NM_OK;
}

/* Every file is tried; the status is that of the first which failed. */
static nm_status predict_files(oracle *o)
{
    nm_status first = NM_OK;
    for (int i = 0; i < o->args->count; i++) {
        nm_status status = check_file(o->args->files[i]);
        if (status == NM_OK)
            status = predict_file(o, o->args->files[i]);
        first = first == NM_OK ? status : first;
    }
    nm_status last = predict_waiting(o);
    return first == NM_OK ? last : first;
}

int command_predict(int argc, char **argv)
{
    predict_args args = {.top = TOP_PRESET};
    char help[512];
    snprintf(help, sizeof help,
             "The classes of images, by CHECKPOINT (a file, or a run directory: its best.h5), with their "
             "probabilities, or with scores where the network's loss makes no probabilities of them (hinge, mse, l1). "
             "FILE is a %s image, brought to the network's size as in training, or an IDX file of many images.",
             nm_image_formats());
    const struct argp_child children[] = {{&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options, parse, "CHECKPOINT FILE...", help, children, NULL, NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    nm_context_set_threads(ctx, args.threads);
    oracle o;
    nm_status status = open_oracle(&o, ctx, &args);
    if (status == NM_OK)
        status = predict_files(&o);
    if (o.predictor)
        nm_predictor_log_images(o.predictor);
    close_oracle(&o);
    return close_context(ctx, status);
}
