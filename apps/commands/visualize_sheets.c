/* The sheets of norma visualize: filters, maps, distributions, the receptive field. */
#include "visualize.h"

#include "sheet.h"

#include <norma/rng.h>

#include <math.h>
#include <stdlib.h>

enum { MOST_MAPS = 16, MOST_FILTERS = MOST_TILES };

/* Tells of values that have no colour. */
static void report_lost(view *v, const char *sheet, const char *name, int lost)
{
    if (lost)
        nm_log(v->ctx, "%s.png: %d value%s of '%s' %s NaN or infinite, drawn in magenta", sheet, lost,
               lost == 1 ? "" : "s", name, lost == 1 ? "is" : "are");
}

nm_status put_filters(FILE *f, view *v)
{
    int first = first_conv(v);
    const nm_parameter *p = &v->parameter[first];
    int count = p->dims[3] < MOST_FILTERS ? p->dims[3] : MOST_FILTERS, inputs = p->dims[2];
    bool colours = reads_colours(v, first);
    char title[512];
    for (int c = 0; c < (colours ? 1 : inputs) && c < 3; c++) {
        char channel[64] = "";
        if (!colours && inputs > 1)
            snprintf(channel, sizeof channel, ", input channel %d of %d", c, inputs);
        snprintf(title, sizeof title, "%s%s: %d of %d filters of %dx%d, each by its largest weight (%s)", p->name,
                 channel, count, p->dims[3], p->dims[0], p->dims[1], colours ? "RGB, 0 is grey" : "blue -, red +");
        tiles t = {p->values + (size_t)c * (size_t)p->dims[3],
                   count,
                   p->dims[0],
                   p->dims[1],
                   1,
                   (size_t)(inputs * p->dims[3]),
                   (size_t)p->dims[3],
                   colours ? TILE_RGB : TILE_SIGNED};
        report_lost(v, "filters", p->name, sheet_tiles(f, c, title, &t));
    }
    return NM_OK;
}

/* A map of one value is black all over. */
static void report_flat(view *v, int layer, const nm_real *values)
{
    nm_shape shape = shape_of(v, layer);
    size_t size = nm_shape_size(shape), i = 0, maps = (size_t)shape.c;
    while (i < size && values[i] == values[i % maps])
        i++;
    if (i == size)
        nm_log(v->ctx, "maps.png is empty for '%s': each of its maps has one value at all pixels",
               v->layer[layer].name);
}

nm_status put_maps(FILE *f, view *v)
{
    int at[3], count = pick_maps(v, at);
    static const char *const depths[3][3] = {{"shallow"}, {"shallow", "deep"}, {"shallow", "middle", "deep"}};
    sheet_image(f, 0, "input", shape_of(v, 0), v->image);
    for (int k = 0; k < count; k++) {
        nm_shape shape = shape_of(v, at[k]);
        const char *name = v->layer[at[k]].name;
        const nm_receptive_field *r = &v->field[at[k]];
        char title[512], field[64] = "the whole image";
        int maps = shape.c < MOST_MAPS ? shape.c : MOST_MAPS;
        if (!r->whole)
            snprintf(field, sizeof field, "%gx%g", r->extent[0], r->extent[1]);
        snprintf(title, sizeof title, "%s: %s, %d of %d maps of %dx%d, each black to white; field %s",
                 depths[count - 1][k], name, maps, shape.c, shape.h, shape.w, field);
        tiles t = {nm_trainer_layer_output(v->one, at[k]), maps, shape.h, shape.w, 1, (size_t)shape.c, 0, TILE_GREY};
        report_lost(v, "maps", name, sheet_tiles(f, k + 1, title, &t));
        report_flat(v, at[k], t.data);
    }
    return NM_OK;
}

/* Layers with a weight of their own. */
static int with_weights(const view *v, int *out)
{
    int count = 0;
    for (int i = v->inputs; i < v->layers; i++)
        if (weight_of(v, i) >= 0 && v->parameter[weight_of(v, i)].layer == i)
            out[count++] = i;
    return count;
}

/* What the panel shows of a layer: its weights, its outputs, the gradients by these, by those. */
static const nm_real *shown_values(const view *v, int layer, int kind, size_t *count)
{
    int weight = weight_of(v, layer);
    bool outputs = kind == 1 || kind == 2;
    const nm_real *values = kind == 0   ? v->parameter[weight].values
                            : kind == 1 ? nm_trainer_layer_output(v->train, layer)
                            : kind == 2 ? nm_trainer_layer_gradient(v->train, layer)
                                        : nm_trainer_gradient(v->train, weight);
    *count = !values ? 0 : outputs ? BATCH * nm_shape_size(shape_of(v, layer)) : v->parameter[weight].count;
    return values;
}

/* A layer without a box in a panel: a dead unit, one that the loss does not depend on, or NaN. */
static void report_spreads(view *v, const char *title, const spread *s, int count, bool magnitudes)
{
    int empty = 0, first = 0;
    for (int k = count - 1; k >= 0; k--)
        if (!isfinite(s[k].of[2])) {
            first = k;
            empty++;
        }
    if (empty)
        nm_log(v->ctx, "distributions.png, '%s': %d of %d layers, the first of them '%s', %s no finite value%s", title,
               empty, count, s[first].name, empty == 1 ? "has" : "have", magnitudes ? " other than 0" : "");
}

nm_status put_distributions(FILE *f, view *v)
{
    int *at = calloc((size_t)v->layers, sizeof *at), count = at ? with_weights(v, at) : 0;
    spread *s = calloc((size_t)v->layers, sizeof *s);
    static const char *const titles[] = {
        "weights of each layer (5, 25, 50, 75, 95 %)", "its outputs, over a training batch",
        "size of the loss's gradient by its outputs", "size of the loss's gradient by its weights"};
    static const char *const labels[] = {"weight", "output", "|gradient|", "|gradient|"};
    for (int kind = 0; s && at && kind < 4; kind++) {
        for (int k = 0; k < count; k++) {
            size_t size;
            const nm_real *values = shown_values(v, at[k], kind, &size);
            s[k].name = v->layer[at[k]].name;
            take_spread(values, size, kind >= 2, s[k].of);
        }
        sheet_spreads(f, kind, titles[kind], labels[kind], s, count, kind >= 2);
        report_spreads(v, titles[kind], s, count, kind >= 2);
    }
    nm_status status = s && at ? NM_OK : nm_fail(v->ctx, NM_FAILED, "out of memory");
    free(s);
    free(at);
    return status;
}

/* Mean size of the gradient by the input of the unit in the middle of the layer's output, over all
 * its channels and the samples of the batch (Luo et al. 2016); [h][w]. */
static nm_status run_unit(view *v, nm_trainer *trainer, nm_shape out, nm_real *dy, double *heat)
{
    nm_shape in = shape_of(v, 0);
    nm_minibatch batch;
    nm_rng r = nm_rng_stream(1, "visualize", "field"); /* signs at random, so that channels do not cancel */
    NM_TRY(view_batch(v, 1, &batch));
    for (int n = 0; n < batch.n; n++) {
        size_t row = (size_t)n * (size_t)out.h + (size_t)(out.h / 2);
        nm_real *unit = dy + (row * (size_t)out.w + (size_t)(out.w / 2)) * (size_t)out.c;
        for (int c = 0; c < out.c; c++)
            unit[c] = nm_rng_bits(&r) & 1 ? 1 : -1;
    }
    NM_TRY(nm_trainer_forward(trainer, &batch));
    NM_TRY(nm_trainer_backward_from(trainer, dy));
    const nm_real *dx = nm_trainer_input_gradient(trainer, 0);
    for (size_t i = 0; dx && i < (size_t)batch.n * nm_shape_size(in); i++)
        heat[i / (size_t)in.c % (size_t)(in.h * in.w)] += fabs((double)dx[i]);
    return NM_OK;
}

static nm_status measure_field(view *v, int unit, double *heat)
{
    nm_shape out = shape_of(v, unit);
    nm_trainer *trainer = NULL;
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    options.batch = BATCH;
    options.evaluation = options.keep_all = options.input_gradients = options.no_optimizer = true;
    options.output = unit; /* backward starts there */
    nm_real *dy = calloc(BATCH * nm_shape_size(out), sizeof *dy);
    nm_status status =
        dy ? nm_trainer_new(v->ctx, v->net, &options, &trainer) : nm_fail(v->ctx, NM_FAILED, "out of memory");
    if (status == NM_OK)
        status = run_unit(v, trainer, out, dy, heat);
    nm_trainer_free(trainer);
    free(dy);
    return status;
}

/* Mean distance from the unit's place along an axis, weighted by the heat: a Gaussian of that
 * deviation has 95 % within 4 deviations. */
static double width_of(const double *heat, nm_shape in, double cy, double cx)
{
    double sum = 0, square = 0;
    for (int i = 0; i < in.h * in.w; i++) {
        sum += heat[i];
        square += heat[i] * (pow(i / in.w - cy, 2) + pow(i % in.w - cx, 2)) / 2;
    }
    return 4 * sqrt(square / (sum > 0 ? sum : 1));
}

/* A picture without any value would be black all over. */
static void report_heat(view *v, const char *name, const double *heat, int pixels)
{
    int zeros = 0, lost = 0;
    for (int i = 0; i < pixels; i++) {
        zeros += heat[i] == 0;
        lost += !isfinite(heat[i]);
    }
    if (lost)
        nm_log(v->ctx, "field.png: the gradient of '%s' is NaN or infinite at %d of %d pixels", name, lost, pixels);
    else if (zeros == pixels)
        nm_log(v->ctx,
               "field.png is empty: the gradient of the middle unit of '%s' is 0 at every pixel "
               "(a dead relu?); --unit LAYER shows another",
               name);
}

nm_status put_field(FILE *f, view *v)
{
    int unit = unit_of(v);
    nm_shape in = shape_of(v, 0), out = shape_of(v, unit);
    const nm_receptive_field *r = &v->field[unit];
    const char *name = v->layer[unit].name;
    double *heat = calloc((size_t)(in.h * in.w), sizeof *heat);
    nm_status status = heat ? measure_field(v, unit, heat) : nm_fail(v->ctx, NM_FAILED, "out of memory");
    if (status != NM_OK) {
        free(heat);
        return status;
    }
    report_heat(v, name, heat, in.h * in.w);
    double cy = r->whole ? (in.h - 1) / 2.0 : r->start[0] + out.h / 2 * r->jump[0];
    double cx = r->whole ? (in.w - 1) / 2.0 : r->start[1] + out.w / 2 * r->jump[1];
    double y = cy - r->extent[0] / 2, x = cx - r->extent[1] / 2;
    char title[512], field[96] = "the whole image";
    bool beyond = y < -0.5 || x < -0.5 || y + r->extent[0] > in.h - 0.5 || x + r->extent[1] > in.w - 0.5;
    if (!r->whole)
        snprintf(field, sizeof field, "%gx%g (frame%s)", r->extent[0], r->extent[1],
                 beyond ? ", which reaches over the image's edge" : "");
    snprintf(title, sizeof title,
             "%s, middle unit: |gradient| by the input. Field: %s; measured: 95 %% within about "
             "%.0f pixels",
             name, field, width_of(heat, in, cy, cx));
    sheet_heat(f, 0, title, in.h, in.w, heat, r->whole ? NULL : (double[]){x, y, r->extent[1], r->extent[0]});
    free(heat);
    return NM_OK;
}
