/* Looking into a network: its layers, what a trainer left there, the data that a predictor was
 * trained for, images as it sees them. */
#include <norma/tools.h>

#include "own_trainer.h"
#include "predictor.h"

#include "alloc.h"
#include "file.h"
#include "targets.h"

/* ---- networks ---- */

nm_status nm_network_receptive_fields(nm_context *ctx, const nm_network *net, nm_receptive_field *out)
{
    nm_errors_clear(ctx);
    nm_receptive *found = nm_alloc(ctx, (size_t)net->nodes, sizeof *found);
    nm_status status = found ? nm_network_receptive(net, found) : NM_FAILED;
    for (int i = 0; status == NM_OK && i < net->nodes; i++) {
        const nm_receptive *r = &found[i];
        out[i] = (nm_receptive_field){.extent = {r->size[0], r->size[1]},
                                      .jump = {r->jump[0], r->jump[1]},
                                      .start = {r->start[0], r->start[1]},
                                      .whole = r->whole,
                                      .gaps = r->gaps};
    }
    nm_free(found);
    return status;
}

nm_network *nm_predictor_network(nm_predictor *p)
{
    return p->net;
}

/* ---- trainers ---- */

nm_real *nm_trainer_gradient(nm_trainer *t, int index)
{
    if (index < 0 || index >= t->net->params || t->net->param[index].kind == NM_STATE)
        return NULL;
    return nm_plan_gradients(t->plan) + t->net->param[index].offset;
}

const nm_real *nm_trainer_input_gradient(const nm_trainer *t, int input)
{
    bool there = t->options.input_gradients && input >= 0 && input < t->net->inputs;
    return there ? nm_plan_output_gradient(t->plan, input) : NULL;
}

const nm_real *nm_trainer_layer_gradient(const nm_trainer *t, int layer)
{
    return t->options.keep_all && layer >= 0 && layer < t->net->nodes ? nm_plan_output_gradient(t->plan, layer) : NULL;
}

const nm_real *nm_trainer_layer_output(const nm_trainer *t, int layer)
{
    if (t->held.n == 0 || t->sliced || layer < 0 || layer >= t->net->nodes)
        return NULL;
    if (layer < t->net->inputs)
        return t->held_x[layer];
    bool kept = t->options.keep_all;
    for (int i = 0; i < t->readables; i++)
        kept = kept || t->readable[i] == layer;
    return kept ? nm_plan_output(t->plan, layer) : NULL;
}

/* ---- data ---- */

nm_status nm_predictor_data(nm_context *ctx, nm_predictor *p, const char *data, nm_data **out)
{
    nm_dataset *set;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_trained_data_open(ctx, data, p->settings, p->net, p->classes, &set));
    nm_status status = nm_check_fit(ctx, p->net, &set->train, set->classes);
    if (status == NM_OK)
        return nm_data_from_set(ctx, set, &p->normalisation, p->settings->binary, out);
    nm_dataset_free(set);
    return status;
}

/* ---- images ---- */

nm_status nm_predictor_need_table(nm_context *ctx, nm_predictor *p)
{
    int channels = p->net->node[0].out.c;
    return p->table ? NM_OK : nm_pixel_table_new(ctx, &p->normalisation, channels, p->settings->binary, &p->table);
}

nm_status nm_predictor_normalise(nm_context *ctx, nm_predictor *p, int n, const uint8_t *pixels, nm_real *values)
{
    nm_errors_clear(ctx);
    if (n < 1)
        return nm_fail(ctx, NM_INVALID, "expected at least one image, found %d", n);
    NM_TRY(nm_predictor_need_table(ctx, p));
    nm_normalise(p->table, p->net->node[0].out.c, pixels, (size_t)n * p->inputs, values);
    return NM_OK;
}

nm_status nm_predictor_read_image(nm_context *ctx, nm_predictor *p, const char *path, uint8_t *pixels)
{
    nm_errors_clear(ctx);
    p->images.ctx = ctx;
    return nm_image_read(&p->images, path, p->net->node[0].out, pixels);
}

/* ---- files ---- */

nm_status nm_write_file(nm_context *ctx, const char *path, const void *bytes, size_t size)
{
    nm_errors_clear(ctx);
    return nm_file_replace(ctx, path, &(nm_bytes){bytes, size}, 1);
}
