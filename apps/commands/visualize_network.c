/* What norma visualize looks at: the network's layers, the data, a batch and an image that went
 * through it. */
#include "visualize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nm_status no_memory(const view *v)
{
    return nm_fail(v->ctx, NM_FAILED, "out of memory");
}

/* ---- opening ---- */

static nm_status read_layers(view *v)
{
    v->net = nm_predictor_network(v->predictor);
    v->layers = nm_network_layers(v->net);
    v->inputs = nm_network_inputs(v->net);
    v->parameters = nm_network_parameters(v->net);
    v->layer = calloc((size_t)v->layers, sizeof *v->layer);
    v->parameter = calloc((size_t)v->parameters + 1, sizeof *v->parameter);
    v->field = calloc((size_t)v->layers, sizeof *v->field);
    if (!v->layer || !v->parameter || !v->field)
        return no_memory(v);
    for (int i = 0; i < v->layers; i++) {
        v->layer[i] = (nm_layer_info)NM_LAYER_INFO_INIT;
        NM_TRY(nm_network_layer(v->ctx, v->net, i, &v->layer[i]));
    }
    for (int i = 0; i < v->parameters; i++) {
        v->parameter[i] = (nm_parameter)NM_PARAMETER_INIT;
        NM_TRY(nm_network_parameter(v->ctx, v->net, i, &v->parameter[i]));
    }
    return nm_network_receptive_fields(v->ctx, v->net, v->field);
}

nm_status view_open(view *v)
{
    NM_TRY(open_predictor(v->ctx, v->args->checkpoint, &v->predictor));
    print_predictor(v->predictor);
    return read_layers(v);
}

void view_close(view *v)
{
    nm_trainer_free(v->train);
    nm_trainer_free(v->one);
    nm_data_free(v->data);
    nm_predictor_free(v->predictor);
    free(v->layer);
    free(v->parameter);
    free(v->field);
    free(v->order);
    free(v->x);
    free(v->labels);
    free(v->image);
    free(v->folder);
}

/* ---- the image and the batches ---- */

static nm_status read_image_file(view *v)
{
    uint8_t *pixels = malloc(nm_shape_size(shape_of(v, 0)));
    if (!pixels)
        return no_memory(v);
    nm_status status = nm_predictor_read_image(v->ctx, v->predictor, v->args->image, pixels);
    nm_predictor_log_images(v->predictor);
    if (status == NM_OK)
        status = nm_predictor_normalise(v->ctx, v->predictor, 1, pixels, v->image);
    free(pixels);
    return status;
}

static nm_status load_image(view *v)
{
    int count = nm_data_count(v->data, NM_TEST_SPLIT);
    if (!(v->image = malloc(nm_shape_size(shape_of(v, 0)) * sizeof *v->image)))
        return no_memory(v);
    if (v->args->image)
        return read_image_file(v);
    if (v->args->sample >= count)
        return nm_fail(v->ctx, NM_INVALID, "--sample %d: the test split has %d", v->args->sample, count);
    return nm_data_batch(v->ctx, v->data, NM_TEST_SPLIT, 1, &v->args->sample, v->image, NULL, NULL);
}

static nm_status make_batches(view *v)
{
    int count = nm_data_count(v->data, NM_TRAIN_SPLIT), labels = nm_data_labels(v->data, NM_TRAIN_SPLIT);
    if (count < BATCH)
        return nm_fail(v->ctx, NM_INVALID, "%s: fewer than %d training samples", nm_data_source(v->data), BATCH);
    v->order = malloc((size_t)count * sizeof *v->order);
    v->x = malloc(BATCH * nm_shape_size(shape_of(v, 0)) * sizeof *v->x);
    v->labels = labels ? malloc(BATCH * (size_t)labels * sizeof *v->labels) : NULL;
    return v->order && v->x && (v->labels || !labels) ? NM_OK : no_memory(v);
}

nm_status view_batch(view *v, uint64_t step, nm_minibatch *out)
{
    int count = nm_data_count(v->data, NM_TRAIN_SPLIT), steps = (count + BATCH - 1) / BATCH;
    int first = (int)(step % (uint64_t)steps) * BATCH;
    *out = (nm_minibatch)NM_MINIBATCH_INIT;
    out->n = count - first < BATCH ? count - first : BATCH;
    out->x = v->x;
    out->labels = v->labels;
    nm_data_shuffle(v->data, 1, (uint32_t)(step / (uint64_t)steps), v->order);
    return nm_data_batch(v->ctx, v->data, NM_TRAIN_SPLIT, out->n, v->order + first, v->x, v->labels, NULL);
}

/* ---- running ---- */

static nm_status run_image(view *v)
{
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_minibatch batch = NM_MINIBATCH_INIT;
    options.batch = batch.n = 1;
    options.evaluation = options.keep_all = options.no_optimizer = true;
    batch.x = v->image;
    NM_TRY(nm_trainer_new(v->ctx, v->net, &options, &v->one));
    return nm_trainer_forward(v->one, &batch);
}

static nm_status run_training(view *v)
{
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_minibatch batch;
    options.batch = BATCH;
    options.keep_all = options.no_optimizer = true;
    options.seed = 1;
    NM_TRY(nm_trainer_new(v->ctx, v->net, &options, &v->train));
    NM_TRY(view_batch(v, 0, &batch));
    NM_TRY(nm_trainer_forward(v->train, &batch));
    nm_status status = nm_trainer_loss(v->train, NULL);
    if (status != NM_OK && status != NM_DIVERGED) /* what diverged is drawn too: that shows where */
        return status;
    return nm_trainer_backward(v->train);
}

/* --unit names no layer: says which there are. */
static nm_status refuse_unit(const view *v)
{
    const char **names = calloc((size_t)v->layers, sizeof *names);
    char hint[NM_HINT];
    int count = 0;
    if (!names)
        return no_memory(v);
    for (int i = v->inputs; i < v->layers; i++)
        names[count++] = v->layer[i].name;
    const char *known = nm_did_you_mean(hint, v->args->unit, names, count);
    nm_status status = nm_fail(v->ctx, NM_INVALID, "--unit %s: there is no such layer%s", v->args->unit,
                               *known ? known : "; 'norma summary MODEL' lists them");
    free(names);
    return status;
}

nm_status view_run(view *v)
{
    NM_TRY(nm_predictor_data(v->ctx, v->predictor, v->args->data, &v->data));
    NM_TRY(load_image(v));
    if (v->args->unit && nm_network_layer_index(v->net, v->args->unit) < v->inputs)
        return refuse_unit(v);
    NM_TRY(make_batches(v));
    NM_TRY(run_image(v));
    return run_training(v);
}

/* ---- layers ---- */

nm_shape shape_of(const view *v, int layer)
{
    const nm_layer_info *l = &v->layer[layer];
    return (nm_shape){l->height, l->width, l->channels};
}

int weight_of(const view *v, int layer)
{
    const nm_layer_info *l = &v->layer[layer];
    return l->parameters > 0 && v->parameter[l->first_parameter].weight ? l->first_parameter : -1;
}

int first_conv(const view *v)
{
    for (int i = 0; i < v->parameters; i++) {
        const nm_parameter *p = &v->parameter[i];
        if (strcmp(p->layout, "HWIO") == 0 && p->dims[0] * p->dims[1] > 1)
            return i;
    }
    return -1;
}

bool reads_colours(const view *v, int parameter)
{
    const nm_layer_info *l = &v->layer[v->parameter[parameter].layer];
    return l->from[0] < v->inputs && v->layer[l->from[0]].channels == 3 && v->parameter[parameter].dims[2] == 3;
}

enum { MOST_LAYERS = 512 };

/* Layers of more than a pixel that have weights or, with `windows`, that look at a pixel's
 * surroundings: pools too. */
static int layers_with_maps(const view *v, bool windows, int found[MOST_LAYERS])
{
    int count = 0;
    for (int i = v->inputs; i < v->layers && count < MOST_LAYERS; i++)
        if (v->layer[i].height > 1 && (weight_of(v, i) >= 0 || (windows && v->layer[i].window)))
            found[count++] = i;
    return count;
}

/* How many pixels of the image a unit may read. */
static double field_of(const view *v, int layer)
{
    return v->field[layer].whole ? (double)INFINITY : v->field[layer].extent[0] * v->field[layer].extent[1];
}

/* The layers with the smallest, a middle and the largest field: where paths join, the last layer by
 * order need not be the deepest. Pools count too where there would not be three without. */
int pick_maps(const view *v, int out[3])
{
    int found[MOST_LAYERS], count = layers_with_maps(v, false, found);
    if (count < 3)
        count = layers_with_maps(v, true, found);
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

int unit_of(const view *v)
{
    if (v->args->unit)
        return nm_network_layer_index(v->net, v->args->unit);
    int best = -1;
    for (int i = v->inputs; i < v->layers; i++)
        if (!v->field[i].whole && v->field[i].extent[0] > 1)
            best = i;
    return best;
}
