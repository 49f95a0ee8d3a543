/* The network of one layer, with values. */
#include "built_layer.h"
#include "parse.h"

#include "alloc.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static char *model_of(nm_context *ctx, const layer_case *c, int *inputs)
{
    char ins[512] = "inputs: {", from[128] = "";
    *inputs = 0;
    while (*inputs < MAX_INPUTS && c->in[*inputs].c > 0) {
        nm_shape s = c->in[*inputs];
        snprintf(ins + strlen(ins), sizeof ins - strlen(ins), "%sx%d: {height: %d, width: %d, channels: %d}",
                 *inputs ? ", " : "", *inputs, s.h, s.w, s.c);
        snprintf(from + strlen(from), sizeof from - strlen(from), "%sx%d", *inputs ? ", " : "", *inputs);
        ++*inputs;
    }
    return nm_format(ctx, "%s}\nlayers:\n- name: l\n  from: [%s]\n  %s\n", ins, from, c->layer);
}

nm_status build_case(nm_context *ctx, const layer_case *c, nm_network **net, int *inputs)
{
    char *model = model_of(ctx, c, inputs);
    nm_yaml *document = NULL;
    nm_status status = nm_yaml_parse(ctx, "case", model, strlen(model), &document);
    nm_free(model);
    return status == NM_OK ? nm_network_build(ctx, document, NULL, net) : status;
}

/* A random order of evenly spread numbers, none nearer to zero than half a gap. */
static void spread_numbers(nm_rng *r, real *x, size_t count)
{
    double gap = count > 1000 ? 0.004 : 4.0 / (double)(count + 1);
    for (size_t i = 0; i < count; i++)
        x[i] = (real)(gap * ((double)i - (double)(count / 2) + 0.5));
    for (size_t i = count; i-- > 1;) {
        size_t k = nm_rng_below(r, (uint32_t)i + 1);
        real kept = x[i];
        x[i] = x[k];
        x[k] = kept;
    }
}

static void fill_params(built_layer *b, nm_rng *r)
{
    for (int i = 0; i < b->net->params; i++) {
        const nm_param *param = &b->net->param[i];
        real *values = nm_param_values(b->net, param);
        bool positive = strstr(param->field, "var") != NULL;
        for (size_t k = 0; k < param->count; k++)
            values[k] = (real)(positive ? 0.5 + nm_rng_uniform(r) : nm_rng_normal(r) * 0.7);
    }
}

void open_built(built_layer *made, const layer_case *c)
{
    built_layer b = {.ctx = nm_context_new(), .c = c, .n = c->n ? c->n : 1};
    nm_status status = build_case(b.ctx, c, &b.net, &b.inputs);
    ck_assert_msg(status == NM_OK, "'%s' was refused: %s", c->layer, nm_error_message(b.ctx, 0));
    b.node = b.net->output;
    nm_rng r = nm_rng_stream(1, "test", c->layer);
    nm_rng_seek(&r, (uint32_t)c->in[0].h * 1000 + (uint32_t)c->in[0].w, (uint32_t)(c->in[0].c * 1000 + b.n));
    for (int i = 0; i < b.inputs; i++) {
        size_t count = (size_t)b.n * nm_shape_size(c->in[i]);
        b.x[i] = nm_alloc(b.ctx, count, sizeof(real));
        spread_numbers(&r, b.x[i], count);
        b.xs[i] = b.x[i];
    }
    fill_params(&b, &r);
    size_t out = (size_t)b.n * nm_shape_size(b.net->node[b.node].out);
    b.r = nm_alloc(b.ctx, out, sizeof(real));
    for (size_t i = 0; i < out; i++)
        b.r[i] = (real)nm_rng_normal(&r);
    b.states = nm_alloc(b.ctx, b.net->state_count + 1, sizeof(real));
    memcpy(b.states, b.net->states, b.net->state_count * sizeof(real));
    b.batch = (nm_batch){.n = b.n, .x = made->xs, .seed = 7, .step = 3, .dy = b.r};
    *made = b;
}

void close_built(built_layer *b)
{
    for (int i = 0; i < b->inputs; i++)
        nm_free(b->x[i]);
    nm_free(b->r);
    nm_free(b->states);
    nm_network_free(b->net);
    nm_context_free(b->ctx);
}

nm_plan *plan_built(built_layer *b, int threads, bool keep_all)
{
    nm_plan *plan = NULL;
    nm_request request = {.mode = b->c->mode,
                          .batch = b->n,
                          .threads = threads,
                          .keep_all = keep_all,
                          .poison = true, /* what a pass leaves out is NaN */
                          .gradients = true,
                          .input_gradients = true};
    nm_status status = nm_plan_new(b->net, &request, &plan);
    ck_assert_msg(status == NM_OK, "'%s' could not be planned: %s", b->c->layer, nm_error_message(b->ctx, 0));
    return plan;
}

void run_forward(built_layer *b, nm_plan *plan)
{
    memcpy(b->net->states, b->states, b->net->state_count * sizeof(real));
    nm_plan_run(plan, &b->batch, NM_PHASE_FORWARD);
}

double *widen(built_layer *b, const real *from, size_t count)
{
    double *to = nm_alloc(b->ctx, count + 1, sizeof *to);
    for (size_t i = 0; i < count; i++)
        to[i] = (double)from[i];
    return to;
}
