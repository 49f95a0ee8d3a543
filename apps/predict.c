/* norma predict CHECKPOINT FILE…: the classes of images. */
#include "alloc.h"
#include "command.h"
#include "file.h"
#include "idx.h"
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct predict_args {
    const char *checkpoint;
    char **files; /* points into argv */
    int count, top, threads;
    bool json, invert;
} predict_args;

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
        args->top = parse_number(state, "--top", arg, 1, 1000);
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

/* ---- a network and the names of what it predicts ------------------------------------------------------ */

typedef struct oracle {
    nm_context *ctx;
    const predict_args *args;
    nm_predictor *predictor;
    nm_shape in;
    nm_image_reader images; /* by the rules of the checkpoint */
    int classes, named;
    char *text, **names; /* [named] into text */
    uint8_t *pixels;     /* one image of the network's size */
    float *probability;  /* [classes] */
} oracle;

/* Classes of images need one prediction an image. */
static nm_status check_output(nm_context *ctx, const nm_network *net, const char *checkpoint)
{
    nm_shape out = net->node[net->output].out;
    if (out.h * out.w == 1 && (net->objectives == 0 || net->objective[0].target < 0))
        return NM_OK;
    return nm_fail(ctx, NM_INVALID,
                   "%s: its prediction '%s' of " NM_SHAPE_FMT " is not a class for each image; norma trace shows it",
                   checkpoint, net->node[net->output].name, NM_SHAPE_ARGS(out));
}

static nm_status name_classes(oracle *o, const char *path)
{
    trained t;
    NM_TRY(open_trained(o->ctx, path, &t));
    nm_status status = NM_OK;
    o->images = (nm_image_reader){.ctx = o->ctx, .rules = t.settings.images};
    o->text = nm_strdup(o->ctx, t.classes ? t.classes : "");
    o->names = nm_alloc(o->ctx, (size_t)o->classes, sizeof *o->names);
    if (!o->text || !o->names)
        status = NM_FAILED;
    for (char *line = o->text; status == NM_OK && *line && o->named < o->classes;) {
        size_t length = strcspn(line, "\n");
        o->names[o->named++] = line;
        char *next = line + length + (line[length] != '\0');
        line[length] = '\0';
        line = next;
    }
    if (status == NM_OK)
        status = check_output(o->ctx, t.net, path);
    close_trained(&t);
    return status;
}

static nm_status open_oracle(oracle *o, nm_context *ctx, const predict_args *args)
{
    *o = (oracle){.ctx = ctx, .args = args};
    char *path = checkpoint_path(ctx, args->checkpoint);
    nm_status status = path ? nm_predictor_open(ctx, path, &o->predictor) : NM_FAILED;
    nm_free(path);
    NM_TRY(status);
    nm_predictor_input(o->predictor, &o->in.h, &o->in.w, &o->in.c);
    o->classes = nm_predictor_outputs(o->predictor);
    o->pixels = nm_alloc(ctx, nm_shape_size(o->in), 1);
    o->probability = nm_alloc(ctx, (size_t)o->classes, sizeof *o->probability);
    return o->pixels && o->probability ? name_classes(o, args->checkpoint) : NM_FAILED;
}

static void close_oracle(oracle *o)
{
    nm_predictor_free(o->predictor);
    nm_free(o->text);
    nm_free(o->names);
    nm_free(o->pixels);
    nm_free(o->probability);
}

/* ---- predicting ------------------------------------------------------------------------------------------- */

/* The most probable class that is not yet taken; `taken` marks those above it. */
static int next_best(const oracle *o, const bool *taken)
{
    int best = -1;
    for (int c = 0; c < o->classes; c++)
        if (!taken[c] && (best < 0 || o->probability[c] > o->probability[best]))
            best = c;
    return best;
}

static nm_status tell(const oracle *o, const char *name)
{
    bool *taken = nm_alloc(o->ctx, (size_t)o->classes, sizeof *taken);
    if (!taken)
        return NM_FAILED;
    json_t *all = json_array();
    const char *best = "";
    for (int k = 0; k < o->args->top && k < o->classes; k++) {
        int c = next_best(o, taken);
        taken[c] = true;
        const char *word = class_name(o->names, o->named, c);
        if (o->args->json)
            json_array_append_new(all, json_pack("{s:s, s:o}", "class", word, "probability",
                                                 json_number((double)o->probability[c])));
        else if (k == 0)
            printf("%s: %s %.4f", name, word, (double)o->probability[c]);
        else
            printf(", %s %.4f", word, (double)o->probability[c]);
        best = k == 0 ? word : best;
    }
    if (o->args->json)
        print_json(json_pack("{s:s, s:s, s:O}", "file", name, "class", best, "top", all));
    else
        printf("\n");
    json_decref(all);
    nm_free(taken);
    return NM_OK;
}

/* Of the image in o->pixels. */
static nm_status predict(oracle *o, const char *name)
{
    for (size_t i = 0; o->args->invert && i < nm_shape_size(o->in); i++)
        o->pixels[i] = (uint8_t)(255 - o->pixels[i]);
    NM_TRY(nm_predict_u8(o->ctx, o->predictor, 1, o->pixels, o->probability));
    return tell(o, name);
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
        status = nm_fail(o->ctx, NM_INVALID,
                         "%s: expected a " NM_IMAGE_FORMATS " image, or an IDX file; it starts with the mark of none",
                         file);
    else if (!gzip && !idx)
        status = nm_image_decode(&o->images, file, bytes, size, o->in, o->pixels);
    nm_free(bytes);
    NM_TRY(status);
    return gzip || idx ? predict_idx(o, file) : predict(o, file);
}

int command_predict(int argc, char **argv)
{
    predict_args args = {.top = 3};
    const struct argp argp = {
        options,
        parse,
        "CHECKPOINT FILE...",
        "The classes of images and their probabilities, by CHECKPOINT (a file, or a run directory: "
        "its best.h5). FILE is a " NM_IMAGE_FORMATS " image, brought to the network's size as in training, or an "
        "IDX file of many images.",
        NULL,
        NULL,
        NULL};
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    nm_context *ctx = open_context();
    nm_context_set_threads(ctx, args.threads);
    oracle o;
    nm_status status = open_oracle(&o, ctx, &args);
    for (int i = 0; i < args.count && status == NM_OK; i++)
        status = predict_file(&o, args.files[i]);
    nm_image_tell(&o.images);
    close_oracle(&o);
    return close_context(ctx, status);
}
