/* The layers of norma bench: their times, and the arithmetic and memory traffic that they stand
 * for. */
#include "alloc.h"
#include "bench.h"
#include "characters.h"

#include <stdio.h>

/* ---- what a pass has to do ----------------------------------------------------------------- */

/* Whether a gradient flows through each node's output: some parameter above it, or its own, is
 * trained. */
static void find_carriers(const nm_network *net, bool *carries)
{
    for (int i = net->inputs; i < net->nodes; i++) {
        const nm_node *node = &net->node[i];
        for (int k = 0; k < node->inputs; k++)
            carries[i] = carries[i] || carries[node->from[k]];
        for (int k = 0; k < node->params; k++) {
            const nm_param *p = &net->param[node->first_param + k];
            carries[i] = carries[i] || (p->kind != NM_STATE && !p->frozen);
        }
    }
}

/* Whether its weight, from which the multiply-adds come, is trained. */
static bool trains_weight(const nm_network *net, const nm_node *node)
{
    for (int k = 0; k < node->params; k++)
        if (net->param[node->first_param + k].kind == NM_WEIGHT)
            return !net->param[node->first_param + k].frozen;
    return false;
}

/* Work and traffic of one node that does its own work. `out`: what it leaves, which is the shape of
 * the last layer that it does the work of. */
static void set_work(const bench_layers *l, const bool *carries, nm_shape out, bench_layer *layer)
{
    const nm_node *node = &l->net->node[layer->node];
    double n = l->batch, macs = n * nm_node_cost(node), weights = (double)nm_node_weights(l->net, layer->node);
    double read = 0, left = n * (double)nm_shape_size(out), gradients = 0;
    for (int k = 0; k < node->inputs; k++) {
        read += n * (double)nm_shape_size(node->in[k]);
        gradients += carries[node->from[k]] ? n * (double)nm_shape_size(node->in[k]) : 0;
    }
    layer->forward.flops = 2 * macs;
    layer->forward.bytes = sizeof(real) * (read + left + weights);
    if (l->mode == NM_EVAL || !carries[layer->node])
        return;
    bool trained = trains_weight(l->net, node);
    layer->backward.flops = 2 * macs * ((gradients > 0) + trained);
    layer->backward.bytes =
        sizeof(real) * (left + gradients + (node->memory & NM_BACK_X ? read : 0) +
                        (node->memory & NM_BACK_Y ? left : 0) + weights * ((gradients > 0) + trained));
}

nm_status bench_layers_take(nm_network *net, const nm_plan *plan, nm_mode mode, int batch, int steps, bench_layers *out)
{
    *out = (bench_layers){.net = net, .mode = mode, .batch = batch};
    out->layer = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *out->layer);
    bool *carries = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *carries);
    nm_shape *left = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *left);
    bool enough = out->layer && carries && left;
    if (enough)
        find_carriers(net, carries);
    for (int i = 0; enough && i < net->nodes; i++) {
        left[i] = net->node[i].out;
        if (i < net->inputs)
            continue;
        bench_layer *layer = &out->layer[out->count++];
        layer->node = i;
        nm_plan_seconds(plan, i, &layer->forward.seconds, &layer->backward.seconds);
        nm_plan_describe(plan, i, layer->chosen, sizeof layer->chosen);
        layer->forward.seconds /= steps;
        layer->backward.seconds /= steps;
        left[nm_plan_head(plan, i)] = net->node[i].out;
    }
    for (int k = 0; enough && k < out->count; k++)
        if (nm_plan_head(plan, out->layer[k].node) == out->layer[k].node)
            set_work(out, carries, left[out->layer[k].node], &out->layer[k]);
    nm_free(carries);
    nm_free(left);
    return enough ? NM_OK : NM_FAILED;
}

void bench_layers_free(bench_layers *layers)
{
    nm_free(layers->layer);
    *layers = (bench_layers){0};
}

/* ---- printing ------------------------------------------------------------------------------ */

static void print_pass(const bench_pass *pass, double whole)
{
    printf(" %9.3f %6.1f", 1e3 * pass->seconds, 100 * pass->seconds / whole);
    if (pass->flops > 0 && pass->seconds > 0)
        printf(" %8.1f ", 1e-9 * pass->flops / pass->seconds);
    else
        printf(" %8s ", "-");
}

static void print_row(int width, const char *name, const char *type, const bench_layer *layer, double whole,
                      bool backward)
{
    printf("%-*s %-14s", padded_width(name, width), name, type);
    print_pass(&layer->forward, whole);
    if (backward)
        print_pass(&layer->backward, whole);
    printf(" %s\n", layer->chosen);
}

static void print_head(int width, bool backward)
{
    printf("%-*s %s%s\n%-*s %-14s", width + 15, "", "-------- forward --------",
           backward ? "  ------- backward --------" : "", width, "layer", "type");
    for (int pass = 0; pass < 1 + backward; pass++)
        printf(" %9s %6s %8s ", "ms", "%", "GFLOP/s");
    printf(" done by\n");
}

void bench_layers_print(const bench_layers *l)
{
    bool backward = l->mode == NM_TRAIN;
    bench_layer all = {0};
    int width = 24;
    for (int k = 0; k < l->count; k++) {
        all.forward.seconds += l->layer[k].forward.seconds;
        all.forward.flops += l->layer[k].forward.flops;
        all.backward.seconds += l->layer[k].backward.seconds;
        all.backward.flops += l->layer[k].backward.flops;
    }
    double whole = all.forward.seconds + all.backward.seconds;
    printf("\n%s, %d samples a step\n", backward ? "training" : "evaluation", l->batch);
    for (int k = 0; k < l->count; k++)
        width = wider(width, l->net->node[l->layer[k].node].name);
    print_head(width, backward);
    for (int k = 0; k < l->count; k++) {
        const bench_layer *layer = &l->layer[k];
        const nm_node *node = &l->net->node[layer->node];
        if (layer->forward.seconds + layer->backward.seconds >= 5e-7) /* what does not round to 0.000 ms */
            print_row(width, node->name, node->type->name, layer, whole, backward);
    }
    print_row(width, "all layers", "", &all, whole, backward);
    printf("ms: of one step. %%: of the time of all layers. GFLOP/s: counted as if summed directly, so Winograd can\n"
           "be above the machine's matrix product. A layer that is not listed is done by one before it, or takes no\n"
           "time.%s\n",
           backward ? " Adding up the gradients of several readers is backward of the layer that they read." : "");
}

json_t *bench_layers_json(const bench_layers *l)
{
    json_t *all = json_array();
    for (int k = 0; k < l->count; k++) {
        const bench_layer *layer = &l->layer[k];
        const nm_node *node = &l->net->node[layer->node];
        json_array_append_new(all, json_pack("{s:s, s:s, s:f, s:f, s:I, s:s}", "name", node->name, "type",
                                             node->type->name, "forward_seconds", layer->forward.seconds,
                                             "backward_seconds", layer->backward.seconds, "multiply_adds",
                                             (json_int_t)nm_node_cost(node), "chosen", layer->chosen));
    }
    return all;
}
