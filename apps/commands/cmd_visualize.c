/* norma visualize CHECKPOINT: what a trained network has learnt, as pictures. */
#include "visualize.h"

#include "alloc.h"
#include "gnuplot.h"
#include "image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_DATA = 'd', KEY_OUTPUT = 'o', KEY_IMAGE = 'i', KEY_SAMPLE = 's', KEY_UNIT = 'u' };

static const struct argp_option options[] = {
    {"data", KEY_DATA, "NAME[:PATH]", 0, "another data set than the one it was trained on", 1},
    {"output", KEY_OUTPUT, "FOLDER", 0, "where the pictures go (preset: CHECKPOINT's folder and /pictures)", 1},
    {"image", KEY_IMAGE, "FILE", 0, "an image file for the feature maps, instead of a test sample", 1},
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

/* ---- drawing ------------------------------------------------------------------------------- */

/* FOLDER/name.gp and, through gnuplot, FOLDER/name.png. */
static nm_status draw_script(view *v, const char *name, const char *text, size_t size)
{
    char *prefix = nm_format(v->ctx, "%s/%s", v->folder, name);
    bool drawn = false;
    nm_status status = prefix ? plot_write(v->ctx, prefix, "gp", text, size) : NM_FAILED;
    if (status == NM_OK && !v->not_drawn)
        status = plot_draw(v->ctx, prefix, &drawn);
    v->not_drawn = !drawn;
    if (status == NM_OK)
        printf("%s.%s\n", prefix, drawn ? "png" : "gp");
    nm_free(prefix);
    return status;
}

static nm_status draw(view *v, const char *name, int width, int height, int columns, int rows, put_sheet *put)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return nm_fail_memory(v->ctx, 0);
    fprintf(f,
            "# 'gnuplot FILE.gp' draws this again.\nprefix = ARG0[1:strlen(ARG0) - 3]\nset encoding utf8\n"
            "set terminal pngcairo noenhanced size %d,%d font 'Sans,11'\nset output prefix.'.png'\n"
            "set multiplot layout %d,%d\n",
            width, height, rows, columns);
    nm_status status = put(f, v);
    fprintf(f, "unset multiplot\n");
    fclose(f);
    if (status == NM_OK)
        status = draw_script(v, name, text, size);
    free(text);
    return status;
}

/* ---- the command --------------------------------------------------------------------------- */

static nm_status load_image(view *v)
{
    nm_shape in = v->t.net->node[0].out;
    nm_image_reader reader = {.ctx = v->ctx, .rules = v->t.settings->images};
    uint8_t *fitted = nm_alloc(v->ctx, nm_shape_size(in), 1);
    v->image = nm_alloc(v->ctx, nm_shape_size(in), sizeof *v->image);
    nm_status status = fitted && v->image ? NM_OK : NM_FAILED;
    if (status == NM_OK && v->args->image) {
        status = nm_image_read(&reader, v->args->image, in, fitted);
        nm_image_report(&reader);
    } else if (status == NM_OK) {
        if (v->args->sample >= v->data->test.count)
            status =
                nm_fail(v->ctx, NM_INVALID, "--sample %d: the test split has %d", v->args->sample, v->data->test.count);
        else
            memcpy(fitted, v->data->test.pixels + (size_t)v->args->sample * nm_shape_size(in), nm_shape_size(in));
    }
    real *table = NULL;
    if (status == NM_OK)
        status = nm_pixel_table_new(v->ctx, &v->t.normalisation, in.c, v->t.settings->binary, &table);
    if (status == NM_OK)
        nm_normalise(table, in.c, fitted, nm_shape_size(in), v->image);
    nm_free(table);
    nm_free(fitted);
    return status;
}

static nm_status run_batches(view *v)
{
    nm_network *net = v->t.net;
    nm_loader_settings loading = {.samples = &v->data->train,
                                  .batch = BATCH,
                                  .shuffle = true,
                                  .seed = 1,
                                  .normalisation = v->t.normalisation,
                                  .binary = v->t.settings->binary};
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
    int at[3], conv = first_conv(net), maps = pick_maps(v, at);
    if (conv < 0)
        nm_log(v->ctx, "no filters.png: the network has no convolution of more than 1x1");
    else {
        int inputs = reads_colours(net, conv) ? 1 : net->param[conv].dims[2], panels = inputs < 3 ? inputs : 3;
        NM_TRY(draw(v, "filters", 700 * panels, 740, panels, 1, put_filters));
    }
    if (maps == 0)
        nm_log(v->ctx, "no maps.png: no layer with weights has an output of more than one pixel");
    else
        NM_TRY(draw(v, "maps", 1400, 1400, 2, 2, put_maps));
    NM_TRY(draw(v, "distributions", 1400, 1100, 2, 2, put_distributions));
    if (unit_of(v) < 0)
        nm_log(v->ctx, "no field.png: no layer has a local field");
    else
        NM_TRY(draw(v, "field", 760, 800, 1, 1, put_field));
    return v->not_drawn ? NM_FAILED : NM_OK;
}

/* --unit names no layer: says which there are. */
static nm_status refuse_unit(const view *v)
{
    const nm_network *net = v->t.net;
    const char **names = nm_alloc(v->ctx, (size_t)net->nodes, sizeof *names);
    char hint[NM_HINT];
    int count = 0;
    if (!names)
        return NM_FAILED;
    for (int i = net->inputs; i < net->nodes; i++)
        names[count++] = net->node[i].name;
    const char *known = nm_did_you_mean(hint, v->args->unit, names, count);
    nm_status status = nm_fail(v->ctx, NM_INVALID, "--unit %s: there is no such layer%s", v->args->unit,
                               *known ? known : "; 'norma summary MODEL' lists them");
    nm_free(names);
    return status;
}

static nm_status work(view *v)
{
    nm_network *net = v->t.net;
    NM_TRY(nm_check_finite(v->ctx, net));
    NM_TRY(nm_trained_data_open(v->ctx, v->args->data, v->t.settings, net, v->t.classes, &v->data));
    if (!nm_shape_same(v->data->test.shape, net->node[0].out))
        return nm_check_fit(v->ctx, net, &v->data->test, v->data->classes);
    NM_TRY(load_image(v));
    v->field = nm_alloc(v->ctx, (size_t)net->nodes, sizeof *v->field);
    if (!v->field)
        return NM_FAILED;
    NM_TRY(nm_network_receptive(net, v->field));
    if (v->args->unit && nm_network_find(net, v->args->unit) < net->inputs)
        return refuse_unit(v);
    NM_TRY(run_batches(v));
    NM_TRY(make_folder(v));
    return draw_all(v);
}

static nm_status run(nm_context *ctx, const visualize_args *args)
{
    view v = {.ctx = ctx, .args = args};
    NM_TRY(open_trained(ctx, args->checkpoint, &v.t));
    print_trained(&v.t);
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
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}
