/* The sheets of norma visualize: filters, maps, distributions, the receptive field. */
#include "visualize.h"

#include "alloc.h"
#include "sheet.h"

#include <math.h>
#include <string.h>

enum { MOST_MAPS = 16, MOST_FILTERS = 64 };

int first_conv(const nm_network *net)
{
    for (int i = 0; i < net->params; i++)
        if (strcmp(net->param[i].layout, "HWIO") == 0 && net->param[i].dims[0] * net->param[i].dims[1] > 1)
            return i;
    return -1;
}

void put_filters(FILE *f, view *v)
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

enum { MOST_LAYERS = 512 };

/* Layers of more than a pixel that have weights or, with `windows`, that look at a pixel's surroundings: pools too. */
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

/* The first, the middle and the last layer with maps; pools count too where there would not be three without. */
int pick_maps(const nm_network *net, int out[3])
{
    int found[MOST_LAYERS], count = layers_with_maps(net, false, found);
    if (count < 3)
        count = layers_with_maps(net, true, found);
    int picked = count < 3 ? count : 3;
    for (int k = 0; k < picked; k++)
        out[k] = found[picked == 1 ? 0 : k * (count - 1) / (picked - 1)];
    return picked;
}

void put_maps(FILE *f, view *v)
{
    const nm_network *net = v->t.net;
    int at[3], count = pick_maps(net, at);
    static const char *const depths[3][3] = {{"shallow"}, {"shallow", "deep"}, {"shallow", "middle", "deep"}};
    sheet_image(f, 0, "input", net->node[0].out, v->image);
    for (int k = 0; k < count; k++) {
        const nm_node *node = &net->node[at[k]];
        char title[160];
        int maps = node->out.c < MOST_MAPS ? node->out.c : MOST_MAPS;
        snprintf(title, sizeof title, "%s: %s, %d of %d maps of %dx%d, each black to white", depths[count - 1][k],
                 node->name, maps, node->out.c, node->out.h, node->out.w);
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

void put_distributions(FILE *f, view *v)
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

void put_field(FILE *f, view *v)
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
    snprintf(title, sizeof title,
             "%s, middle unit: |gradient| by the input. Field %gx%g (frame); measured: 95 %% within about %.0f",
             net->node[unit].name, r->size[0], r->size[1], 4 * sqrt(square / (sum > 0 ? sum : 1)));
    sheet_heat(f, 0, title, in.h, in.w, heat, (double[]){x, y, r->size[1], r->size[0]});
    nm_free(heat);
}
