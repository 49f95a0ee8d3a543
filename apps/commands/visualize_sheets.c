/* The sheets of norma visualize: filters, maps, distributions, the receptive field. */
#include "visualize.h"

#include "alloc.h"
#include "sheet.h"

#include <math.h>
#include <string.h>

enum { MOST_MAPS = 16, MOST_FILTERS = MOST_TILES };

int first_conv(const nm_network *net)
{
    for (int i = 0; i < net->params; i++)
        if (strcmp(net->param[i].layout, "HWIO") == 0 && net->param[i].dims[0] * net->param[i].dims[1] > 1)
            return i;
    return -1;
}

bool reads_colours(const nm_network *net, int param)
{
    for (int i = net->inputs; i < net->nodes; i++) {
        const nm_node *node = &net->node[i];
        if (param >= node->first_param && param < node->first_param + node->params)
            return node->from[0] < net->inputs && node->in[0].c == 3 && net->param[param].dims[2] == 3;
    }
    return false;
}

/* Tells of values that have no colour. */
static void report_lost(view *v, const char *sheet, const char *name, int lost)
{
    if (lost)
        nm_log(v->ctx, "%s.png: %d value%s of '%s' %s NaN or infinite, drawn in magenta", sheet, lost,
               lost == 1 ? "" : "s", name, lost == 1 ? "is" : "are");
}

nm_status put_filters(FILE *f, view *v)
{
    const nm_network *net = v->t.net;
    int first = first_conv(net);
    const nm_param *p = &net->param[first];
    const real *w = nm_param_values(net, p);
    int count = p->dims[3] < MOST_FILTERS ? p->dims[3] : MOST_FILTERS, inputs = p->dims[2];
    bool colours = reads_colours(net, first);
    char title[512];
    for (int c = 0; c < (colours ? 1 : inputs) && c < 3; c++) {
        char channel[64] = "";
        if (!colours && inputs > 1)
            snprintf(channel, sizeof channel, ", input channel %d of %d", c, inputs);
        snprintf(title, sizeof title, "%s%s: %d of %d filters of %dx%d, each by its largest weight (%s)", p->name,
                 channel, count, p->dims[3], p->dims[0], p->dims[1], colours ? "RGB, 0 is grey" : "blue -, red +");
        tiles t = {w + (size_t)c * (size_t)p->dims[3],
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

enum { MOST_LAYERS = 512 };

/* Layers of more than a pixel that have weights or, with `windows`, that look at a pixel's
 * surroundings: pools too. */
static int layers_with_maps(const nm_network *net, bool windows, int found[MOST_LAYERS])
{
    int count = 0;
    for (int i = net->inputs; i < net->nodes && count < MOST_LAYERS; i++) {
        const nm_node *node = &net->node[i];
        bool weights = node->params > 0 && net->param[node->first_param].kind == NM_WEIGHT;
        if (node->out.h > 1 && (weights || (windows && node->type->window)))
            found[count++] = i;
    }
    return count;
}

/* How many pixels of the image a unit may read. */
static double field_of(const view *v, int node)
{
    return v->field[node].whole ? (double)INFINITY : v->field[node].size[0] * v->field[node].size[1];
}

/* The layers with the smallest, a middle and the largest field: where paths join, the last layer by
 * order need not be the deepest. Pools count too where there would not be three without. */
int pick_maps(const view *v, int out[3])
{
    int found[MOST_LAYERS], count = layers_with_maps(v->t.net, false, found);
    if (count < 3)
        count = layers_with_maps(v->t.net, true, found);
    for (int i = 1; i < count; i++) /* of equal fields the order stays */
        for (int k = i; k > 0 && field_of(v, found[k]) < field_of(v, found[k - 1]); k--) {
            int other = found[k];
            found[k] = found[k - 1];
            found[k - 1] = other;
        }
    int picked = count < 3 ? count : 3;
    for (int k = 0; k < picked; k++)
        out[k] = found[picked == 1 ? 0 : k * (count - 1) / (picked - 1)];
    return picked;
}

/* A map of one value is black all over. */
static void report_flat(view *v, const nm_node *node, const real *values)
{
    size_t size = nm_shape_size(node->out), i = 0, maps = (size_t)node->out.c;
    while (i < size && values[i] == values[i % maps])
        i++;
    if (i == size)
        nm_log(v->ctx, "maps.png is empty for '%s': each of its maps has one value at all pixels", node->name);
}

nm_status put_maps(FILE *f, view *v)
{
    const nm_network *net = v->t.net;
    int at[3], count = pick_maps(v, at);
    static const char *const depths[3][3] = {{"shallow"}, {"shallow", "deep"}, {"shallow", "middle", "deep"}};
    sheet_image(f, 0, "input", net->node[0].out, v->image);
    for (int k = 0; k < count; k++) {
        const nm_node *node = &net->node[at[k]];
        const nm_receptive *r = &v->field[at[k]];
        char title[512], field[64] = "the whole image";
        int maps = node->out.c < MOST_MAPS ? node->out.c : MOST_MAPS;
        if (!r->whole)
            snprintf(field, sizeof field, "%gx%g", r->size[0], r->size[1]);
        snprintf(title, sizeof title, "%s: %s, %d of %d maps of %dx%d, each black to white; field %s",
                 depths[count - 1][k], node->name, maps, node->out.c, node->out.h, node->out.w, field);
        tiles t = {
            nm_plan_output(v->eval, at[k]), maps, node->out.h, node->out.w, 1, (size_t)node->out.c, 0, TILE_GREY};
        report_lost(v, "maps", node->name, sheet_tiles(f, k + 1, title, &t));
        report_flat(v, node, t.data);
    }
    return NM_OK;
}

static int with_weights(const nm_network *net, int *out)
{
    int count = 0;
    for (int i = net->inputs; i < net->nodes; i++)
        if (net->node[i].params > 0 && net->node[i].share < 0 && net->param[net->node[i].first_param].kind == NM_WEIGHT)
            out[count++] = i;
    return count;
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
    const nm_network *net = v->t.net;
    int *at = nm_alloc(v->ctx, (size_t)net->nodes, sizeof *at), count = at ? with_weights(net, at) : 0;
    spread *s = nm_alloc(v->ctx, (size_t)net->nodes, sizeof *s);
    static const char *const titles[] = {
        "weights of each layer (5, 25, 50, 75, 95 %)", "its outputs, over a training batch",
        "size of the loss's gradient by its outputs", "size of the loss's gradient by its weights"};
    static const char *const labels[] = {"weight", "output", "|gradient|", "|gradient|"};
    for (int kind = 0; s && at && kind < 4; kind++) {
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
        report_spreads(v, titles[kind], s, count, kind >= 2);
    }
    nm_status status = s && at ? NM_OK : NM_FAILED;
    nm_free(s);
    nm_free(at);
    return status;
}

int unit_of(const view *v)
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

/* Mean size of the gradient by the input of the unit in the middle of the layer's output, over all
 * its channels and the samples of the batch (Luo et al. 2016); [h][w]. */
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
    const nm_network *net = v->t.net;
    nm_shape in = net->node[0].out, out = net->node[unit].out;
    const nm_receptive *r = &v->field[unit];
    double *heat = nm_alloc(v->ctx, (size_t)(in.h * in.w), sizeof *heat);
    nm_status status = heat ? measure_field(v, unit, heat) : NM_FAILED;
    if (status != NM_OK) {
        nm_free(heat);
        return status;
    }
    report_heat(v, net->node[unit].name, heat, in.h * in.w);
    double cy = r->whole ? (in.h - 1) / 2.0 : r->start[0] + out.h / 2 * r->jump[0];
    double cx = r->whole ? (in.w - 1) / 2.0 : r->start[1] + out.w / 2 * r->jump[1];
    double y = cy - r->size[0] / 2, x = cx - r->size[1] / 2;
    char title[512], field[96] = "the whole image";
    bool beyond = y < -0.5 || x < -0.5 || y + r->size[0] > in.h - 0.5 || x + r->size[1] > in.w - 0.5;
    if (!r->whole)
        snprintf(field, sizeof field, "%gx%g (frame%s)", r->size[0], r->size[1],
                 beyond ? ", which reaches over the image's edge" : "");
    snprintf(title, sizeof title,
             "%s, middle unit: |gradient| by the input. Field: %s; measured: 95 %% within about "
             "%.0f pixels",
             net->node[unit].name, field, width_of(heat, in, cy, cx));
    sheet_heat(f, 0, title, in.h, in.w, heat, r->whole ? NULL : (double[]){x, y, r->size[1], r->size[0]});
    nm_free(heat);
    return NM_OK;
}
