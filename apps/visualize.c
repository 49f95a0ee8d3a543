/* norma visualize CHECKPOINT: what a trained network has learnt, as pictures. */
#include "alloc.h"
#include "command.h"
#include "evaluate.h"
#include "file.h"
#include "gnuplot.h"
#include "image.h"
#include "sheet.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct visualize_args {
    const char *checkpoint, *data, *output, *image, *unit;
    int sample;
} visualize_args;

enum {
    KEY_DATA = 'd',
    KEY_OUTPUT = 'o',
    KEY_IMAGE = 'i',
    KEY_SAMPLE = 's',
    KEY_UNIT = 'u',
    BATCH = 64,
    MOST_MAPS = 16,
    MOST_FILTERS = 64
};

static const struct argp_option options[] = {
    {"data", KEY_DATA, "NAME[:PATH]", 0, "another data set than the one it was trained on", 1},
    {"output", KEY_OUTPUT, "FOLDER", 0, "where the pictures go (preset: CHECKPOINT's folder and /pictures)", 1},
    {"image", KEY_IMAGE, "FILE", 0, "a PNG or JPEG for the feature maps, instead of a test sample", 1},
    {"sample", KEY_SAMPLE, "N", 0, "the test sample for the feature maps (preset: 0)", 1},
    {"unit", KEY_UNIT, "LAYER", 0, "whose receptive field is measured (preset: the last layer with a local field)", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    visualize_args *args = state->input;
    switch (key) {
    case KEY_DATA:
        args->data = arg;
        return 0;
    case KEY_OUTPUT:
        args->output = arg;
        return 0;
    case KEY_IMAGE:
        args->image = arg;
        return 0;
    case KEY_SAMPLE:
        args->sample = parse_number(state, "--sample", arg, 0, 1 << 30);
        return 0;
    case KEY_UNIT:
        args->unit = arg;
        return 0;
    default:
        return parse_checkpoint(key, arg, state, &args->checkpoint);
    }
}

/* Everything that the sheets look at: a batch that has gone forward and backward in train mode, an image. */
typedef struct view {
    nm_context *ctx;
    const visualize_args *args;
    trained t;
    nm_dataset *data;
    nm_loader *loader;
    nm_plan *train, *eval; /* of BATCH samples; of one */
    nm_target_maker targets;
    nm_receptive *field;   /* [nodes] */
    real *image;           /* normalised, of the input's shape */
    char *folder;
} view;

/* ---- drawing ----------------------------------------------------------------------------------------- */

typedef void put_sheet(FILE *f, view *v);

/* FOLDER/name.gp and, through gnuplot, FOLDER/name.png. */
static nm_status draw(view *v, const char *name, int width, int height, int columns, int rows, put_sheet *put)
{
    char *text = NULL, *path = nm_format(v->ctx, "%s/%s.gp", v->folder, name);
    size_t size = 0;
    FILE *f = path ? open_memstream(&text, &size) : NULL;
    if (!f) {
        nm_free(path);
        return nm_fail_memory(v->ctx, 0);
    }
    fprintf(f, "# 'gnuplot FILE.gp' draws this again.\nprefix = ARG0[1:strlen(ARG0) - 3]\n"
               "set terminal pngcairo noenhanced size %d,%d font 'Sans,11'\nset output prefix.'.png'\n"
               "set multiplot layout %d,%d\n", width, height, rows, columns);
    put(f, v);
    fprintf(f, "unset multiplot\n");
    fclose(f);
    nm_status status = nm_file_replace(v->ctx, path, &(nm_piece){text, size}, 1);
    free(text);
    if (status == NM_OK)
        status = gnuplot_status(v->ctx, gnuplot_run(path, NULL));
    if (status == NM_OK)
        printf("%s/%s.png\n", v->folder, name);
    nm_free(path);
    return status;
}

/* ---- the sheets ------------------------------------------------------------------------------------------ */

/* The first node with a weight of layout HWIO; -1: none. */
static int first_conv(const nm_network *net)
{
    for (int i = 0; i < net->params; i++)
        if (strcmp(net->param[i].layout, "HWIO") == 0 && net->param[i].dims[0] * net->param[i].dims[1] > 1)
            return i;
    return -1;
}

static void put_filters(FILE *f, view *v)
{
    const nm_network *net = v->t.net;
    const nm_param *p = &net->param[first_conv(net)];
    const real *w = nm_param_values(net, p);
    int count = p->dims[3] < MOST_FILTERS ? p->dims[3] : MOST_FILTERS, inputs = p->dims[2];
    char title[160];
    for (int c = 0; c < inputs && c < 3; c++) {
        snprintf(title, sizeof title,
                 "%s, input channel %d: %d of %d filters of %dx%d, each by its largest weight (blue -, red +)", p->name,
                 c, count, p->dims[3], p->dims[0], p->dims[1]);
        sheet_tiles(f, c, title, &(tiles){w + (size_t)c * (size_t)p->dims[3], count, p->dims[0], p->dims[1], 1,
                                          (size_t)(inputs * p->dims[3]), true});
    }
}

/* Layers of more than a pixel that have weights: the first, the middle, the last. */
static int pick_maps(const nm_network *net, int out[3])
{
    int found[512], count = 0;
    for (int i = net->inputs; i < net->nodes && count < 512; i++)
        if (net->node[i].out.h > 1 && net->node[i].params > 0 && net->param[net->node[i].first_param].kind == NM_WEIGHT)
            found[count++] = i;
    if (count == 0)
        return 0;
    int picked = count < 3 ? count : 3;
    for (int k = 0; k < picked; k++)
        out[k] = found[picked == 1 ? 0 : k * (count - 1) / (picked - 1)];
    return picked;
}

static void put_maps(FILE *f, view *v)
{
    const nm_network *net = v->t.net;
    int at[3], count = pick_maps(net, at);
    static const char *const depth[] = {"shallow", "middle", "deep"};
    sheet_image(f, 0, "input", net->node[0].out, v->image);
    for (int k = 0; k < count; k++) {
        const nm_node *node = &net->node[at[k]];
        char title[160];
        int maps = node->out.c < MOST_MAPS ? node->out.c : MOST_MAPS;
        snprintf(title, sizeof title, "%s: %s, %d of %d maps of %dx%d, each black to white", depth[k], node->name, maps,
                 node->out.c, node->out.h, node->out.w);
        sheet_tiles(f, k + 1, title, &(tiles){nm_plan_output(v->eval, at[k]), maps, node->out.h, node->out.w, 1,
                                              (size_t)node->out.c, false});
    }
}

static int with_weights(const nm_network *net, int *out)
{
    int count = 0;
    for (int i = net->inputs; i < net->nodes; i++)
        if (net->node[i].params > 0 && net->node[i].share < 0 && net->param[net->node[i].first_param].kind == NM_WEIGHT)
            out[count++] = i;
    return count;
}

static void put_distributions(FILE *f, view *v)
{
    const nm_network *net = v->t.net;
    int *at = nm_alloc(v->ctx, (size_t)net->nodes, sizeof *at), count = at ? with_weights(net, at) : 0;
    spread *s = nm_alloc(v->ctx, (size_t)net->nodes, sizeof *s);
    static const char *const titles[] = {
        "weights of each layer (5, 25, 50, 75, 95 %)", "its outputs, over a training batch",
        "size of the loss's gradient by its outputs", "size of the loss's gradient by its weights"};
    static const char *const labels[] = {"weight", "output", "|gradient|", "|gradient|"};
    for (int kind = 0; s && kind < 4; kind++) {
        for (int k = 0; k < count; k++) {
            const nm_node *node = &net->node[at[k]];
            const nm_param *p = &net->param[node->first_param];
            size_t outputs = BATCH * nm_shape_size(node->out);
            const real *values = kind == 0   ? nm_param_values(net, p)
                                 : kind == 1 ? nm_plan_output(v->train, at[k])
                                 : kind == 2 ? nm_plan_output_gradient(v->train, at[k])
                                             : nm_plan_gradients(v->train) + p->offset;
            s[k].name = node->name;
            take_spread(values, values ? (kind == 1 || kind == 2 ? outputs : p->count) : 0, kind >= 2, s[k].of);
        }
        sheet_spreads(f, kind, titles[kind], labels[kind], s, count, kind >= 2);
    }
    nm_free(s);
    nm_free(at);
}

/* The node whose field is measured. */
static int unit_of(const view *v)
{
    const nm_network *net = v->t.net;
    if (v->args->unit)
        return nm_network_find(net, v->args->unit);
    int best = -1;
    for (int i = net->inputs; i < net->nodes; i++)
        if (!v->field[i].whole && v->field[i].size[0] > 1)
            best = i;
    return best;
}

/* Mean size of the gradient by the input of the unit in the middle of the layer's output, over all its channels and
 * the samples of the batch (Luo et al. 2016); [h][w]. */
static nm_status measure_field(view *v, int unit, double *heat)
{
    nm_network *net = v->t.net;
    const nm_shape in = net->node[0].out, out = net->node[unit].out;
    nm_plan *plan;
    int kept = net->output, objectives = net->objectives;
    net->output = unit; /* backward starts from the output */
    net->objectives = 0;
    nm_request request = {
        .mode = NM_EVAL, .batch = BATCH, .threads = nm_context_threads(v->ctx), .keep_all = true, .gradients = true};
    nm_status status = nm_plan_new(net, &request, &plan);
    real *dy = nm_alloc(v->ctx, BATCH * nm_shape_size(out), sizeof *dy);
    if (status == NM_OK && dy) {
        const nm_loaded *b = nm_loader_next(v->loader);
        nm_batch batch = {.n = b->n, .x = &b->x};
        nm_rng r = nm_rng_stream(1, "visualize", "field"); /* signs at random, so that channels do not cancel */
        for (int n = 0; n < b->n; n++)
            for (int c = 0; c < out.c; c++)
                dy[(((size_t)n * (size_t)out.h + (size_t)(out.h / 2)) * (size_t)out.w + (size_t)(out.w / 2)) *
                       (size_t)out.c +
                   (size_t)c] = nm_rng_bits(&r) & 1 ? 1 : -1;
        nm_plan_forward(plan, &batch);
        nm_plan_backward_from(plan, &batch, dy);
        const real *dx = nm_plan_input_gradient(plan, 0);
        for (size_t i = 0; dx && i < (size_t)b->n * nm_shape_size(in); i++)
            heat[i / (size_t)in.c % (size_t)(in.h * in.w)] += fabs((double)dx[i]);
    }
    net->output = kept;
    net->objectives = objectives;
    nm_free(dy);
    nm_plan_free(status == NM_OK ? plan : NULL);
    return dy ? status : NM_FAILED;
}

static void put_field(FILE *f, view *v)
{
    int unit = unit_of(v);
    const nm_network *net = v->t.net;
    nm_shape in = net->node[0].out, out = net->node[unit].out;
    const nm_receptive *r = &v->field[unit];
    double *heat = nm_alloc(v->ctx, (size_t)(in.h * in.w), sizeof *heat);
    if (!heat || measure_field(v, unit, heat) != NM_OK) {
        nm_free(heat);
        return;
    }
    double y = r->start[0] + out.h / 2 * r->jump[0] - r->size[0] / 2,
           x = r->start[1] + out.w / 2 * r->jump[1] - r->size[1] / 2;
    char title[200];
    double sum = 0, square = 0, cy = r->start[0] + out.h / 2 * r->jump[0], cx = r->start[1] + out.w / 2 * r->jump[1];
    for (int i = 0; i < in.h * in.w; i++) {
        sum += heat[i];
        square += heat[i] * (pow(i / in.w - cy, 2) + pow(i % in.w - cx, 2)) / 2;
    }
    snprintf(title, sizeof title, "%s, middle unit: field %gx%g (frame); measured: 95 %% in about %.0f pixels",
             net->node[unit].name, r->size[0], r->size[1], 4 * sqrt(square / (sum > 0 ? sum : 1)));
    sheet_heat(f, 0, title, in.h, in.w, heat, (double[]){x, y, r->size[1], r->size[0]});
    nm_free(heat);
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static nm_status load_image(view *v)
{
    nm_shape in = v->t.net->node[0].out, found;
    uint8_t *pixels = NULL, *fitted = nm_alloc(v->ctx, nm_shape_size(in), 1);
    v->image = nm_alloc(v->ctx, nm_shape_size(in), sizeof *v->image);
    nm_status status = fitted && v->image ? NM_OK : NM_FAILED;
    if (status == NM_OK && v->args->image)
        status = nm_image_read(v->ctx, v->args->image, in.c, &found, &pixels);
    if (status == NM_OK && v->args->image) {
        nm_image_resize(found, pixels, in, fitted);
    } else if (status == NM_OK) {
        if (v->args->sample >= v->data->test.count)
            status =
                nm_fail(v->ctx, NM_INVALID, "--sample %d: the test split has %d", v->args->sample, v->data->test.count);
        else
            memcpy(fitted, v->data->test.pixels + (size_t)v->args->sample * nm_shape_size(in), nm_shape_size(in));
    }
    for (size_t i = 0; status == NM_OK && i < nm_shape_size(in); i++) {
        int c = (int)(i % (size_t)in.c), k = c < v->t.normalisation.channels ? c : 0;
        v->image[i] = v->t.settings.binary
                          ? (real)(fitted[i] >= 128)
                          : (real)((fitted[i] / 255.0 - v->t.normalisation.mean[k]) / v->t.normalisation.deviation[k]);
    }
    nm_free(pixels);
    nm_free(fitted);
    return status;
}

static nm_status run_batches(view *v)
{
    nm_network *net = v->t.net;
    nm_loader_settings loading = {.samples = &v->data->train, .batch = BATCH, .shuffle = true, .seed = 1,
                                  .normalisation = v->t.normalisation, .binary = v->t.settings.binary};
    nm_request request = {.mode = NM_TRAIN, .batch = BATCH, .threads = nm_context_threads(v->ctx), .keep_all = true};
    NM_TRY(nm_check_fit(v->ctx, net, &v->data->train, v->data->classes));
    if (v->data->train.count < BATCH)
        return nm_fail(v->ctx, NM_INVALID, "%s: fewer than %d training samples", v->data->found, BATCH);
    NM_TRY(nm_loader_new(v->ctx, &loading, &v->loader));
    NM_TRY(nm_target_maker_new(v->ctx, net, BATCH, &v->targets));
    NM_TRY(nm_plan_new(net, &request, &v->train));
    request = (nm_request){.mode = NM_EVAL, .batch = 1, .threads = request.threads, .keep_all = true};
    NM_TRY(nm_plan_new(net, &request, &v->eval));
    const real *x = v->image;
    nm_plan_forward(v->eval, &(nm_batch){.n = 1, .x = &x});
    const nm_loaded *b = nm_loader_next(v->loader);
    nm_batch batch = {.n = b->n, .x = &b->x, .targets = nm_target_maker_make(&v->targets, b), .seed = 1};
    nm_plan_forward(v->train, &batch);
    nm_plan_loss(v->train, &batch);
    nm_plan_backward(v->train, &batch);
    return NM_OK;
}

static nm_status make_folder(view *v)
{
    struct stat st;
    const char *from = v->args->checkpoint, *slash = strrchr(from, '/');
    if (v->args->output)
        v->folder = nm_strdup(v->ctx, v->args->output);
    else if (stat(from, &st) == 0 && S_ISDIR(st.st_mode))
        v->folder = nm_format(v->ctx, "%s/pictures", from);
    else
        v->folder = nm_format(v->ctx, "%.*s/pictures", slash ? (int)(slash - from) : 1, slash ? from : ".");
    if (!v->folder)
        return NM_FAILED;
    if (mkdir(v->folder, 0777) != 0 && errno != EEXIST)
        return nm_fail(v->ctx, NM_FAILED, "%s: cannot be made: %s", v->folder, strerror(errno));
    return NM_OK;
}

static nm_status draw_all(view *v)
{
    const nm_network *net = v->t.net;
    int at[3], conv = first_conv(net), maps = pick_maps(net, at);
    if (conv >= 0) {
        int panels = net->param[conv].dims[2] < 3 ? net->param[conv].dims[2] : 3;
        NM_TRY(draw(v, "filters", 700 * panels, 740, panels, 1, put_filters));
    }
    if (maps > 0)
        NM_TRY(draw(v, "maps", 1400, 1400, 2, 2, put_maps));
    NM_TRY(draw(v, "distributions", 1400, 1100, 2, 2, put_distributions));
    if (unit_of(v) >= 0)
        NM_TRY(draw(v, "field", 760, 800, 1, 1, put_field));
    return NM_OK;
}

static nm_status work(view *v)
{
    nm_network *net = v->t.net;
    NM_TRY(nm_dataset_open(v->ctx, v->args->data ? v->args->data : v->t.settings.data, &v->data));
    if (!nm_shape_same(v->data->test.shape, net->node[0].out))
        return nm_check_fit(v->ctx, net, &v->data->test, v->data->classes);
    NM_TRY(load_image(v));
    v->field = nm_alloc(v->ctx, (size_t)net->nodes, sizeof *v->field);
    if (!v->field)
        return NM_FAILED;
    nm_network_receptive(net, v->field);
    if (v->args->unit && nm_network_find(net, v->args->unit) < net->inputs)
        return nm_fail(v->ctx, NM_INVALID, "--unit %s: there is no such layer", v->args->unit);
    NM_TRY(run_batches(v));
    NM_TRY(make_folder(v));
    return draw_all(v);
}

static nm_status run(nm_context *ctx, const visualize_args *args)
{
    view v = {.ctx = ctx, .args = args};
    NM_TRY(open_trained(ctx, args->checkpoint, &v.t));
    nm_status status = work(&v);
    nm_loader_free(v.loader);
    nm_target_maker_free(&v.targets);
    nm_plan_free(v.train);
    nm_plan_free(v.eval);
    nm_free(v.field);
    nm_free(v.image);
    nm_free(v.folder);
    nm_dataset_free(v.data);
    close_trained(&v.t);
    return status;
}

int command_visualize(int argc, char **argv)
{
    visualize_args args = {0};
    const struct argp argp = {
        options,
        parse,
        "CHECKPOINT",
        "Pictures of a trained network: filters.png (the first convolution's kernels), maps.png (what a shallow, "
        "a middle and a deep layer make of an image), distributions.png (weights, outputs and gradients of each "
        "layer), field.png (the receptive field of a unit, computed and measured).",
        NULL,
        NULL,
        NULL};
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}
