/* norma visualize CHECKPOINT: what a trained network has learnt, as pictures. */
#include "characters.h"
#include "visualize.h"

#include "gnuplot.h"

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
    char *prefix = plot_path(v->ctx, "%s/%s", v->folder, name);
    bool drawn = false;
    nm_status status = prefix ? plot_write(v->ctx, prefix, "gp", text, size) : NM_FAILED;
    if (status == NM_OK && !v->not_drawn)
        status = plot_draw(v->ctx, prefix, &drawn);
    v->not_drawn = !drawn;
    if (status == NM_OK)
        printf("%s.%s\n", shown(prefix), drawn ? "png" : "gp");
    free(prefix);
    return status;
}

static nm_status draw(view *v, const char *name, int width, int height, int columns, int rows, put_sheet *put)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return nm_fail(v->ctx, NM_FAILED, "out of memory");
    fprintf(f, "# 'gnuplot FILE.gp' draws this again.\n");
    put_prefix(f);
    fprintf(f,
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

static nm_status make_folder(view *v)
{
    struct stat st;
    const char *from = v->args->checkpoint, *slash = strrchr(from, '/');
    if (v->args->output)
        v->folder = plot_path(v->ctx, "%s", v->args->output);
    else if (stat(from, &st) == 0 && S_ISDIR(st.st_mode))
        v->folder = plot_path(v->ctx, "%s/pictures", from);
    else
        v->folder = plot_path(v->ctx, "%.*s/pictures", slash ? (int)(slash - from) : 1, slash ? from : ".");
    if (!v->folder)
        return NM_FAILED;
    if (mkdir(v->folder, 0777) != 0 && errno != EEXIST)
        return nm_fail(v->ctx, NM_FAILED, "%s: cannot be made: %s", v->folder, strerror(errno));
    return NM_OK;
}

static nm_status draw_all(view *v)
{
    int at[3], conv = first_conv(v), maps = pick_maps(v, at);
    if (conv < 0)
        nm_log(v->ctx, "no filters.png: the network has no convolution of more than 1x1");
    else {
        int inputs = reads_colours(v, conv) ? 1 : v->parameter[conv].dims[2], panels = inputs < 3 ? inputs : 3;
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

static nm_status run(nm_context *ctx, const visualize_args *args)
{
    view v = {.ctx = ctx, .args = args};
    nm_status status = view_open(&v);
    if (status == NM_OK)
        status = view_run(&v);
    if (status == NM_OK)
        status = make_folder(&v);
    if (status == NM_OK)
        status = draw_all(&v);
    view_close(&v);
    return status;
}

int command_visualize(int argc, char **argv)
{
    visualize_args args = {0};
    const struct argp_child children[] = {{&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "CHECKPOINT",
        "Pictures of a trained network: filters.png (the first convolution's kernels), maps.png (what a shallow, "
        "a middle and a deep layer make of an image), distributions.png (weights, outputs and gradients of each "
        "layer), field.png (the receptive field of a unit, computed and measured).",
        children,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}
