/* What a network is to predict: whether it can, and the arrays for its losses. */
#include "targets.h"

#include "alloc.h"

#include <string.h>

/* ---- does the network fit the data? ------------------------------------------------------ */

static nm_status check_objective(nm_context *ctx, const nm_network *net, const nm_objective *objective,
                                 const nm_samples *samples, int classes)
{
    nm_shape out = net->node[objective->from].out;
    int h = samples->pixel_labels ? samples->shape.h : 1, w = samples->pixel_labels ? samples->shape.w : 1;
    if (objective->target >= 0)
        return NM_OK;
    if (!samples->labels)
        return nm_fail(ctx, NM_INVALID, "%s: the data set has no labels", objective->who);
    if (out.h != h || out.w != w)
        return nm_fail(ctx, NM_INVALID,
                       "%s: its prediction '%s' is " NM_SHAPE_FMT "; the data has one label %s: expected %dx%dx%d",
                       objective->who, net->node[objective->from].name, NM_SHAPE_ARGS(out),
                       samples->pixel_labels ? "a pixel" : "an image", h, w, classes);
    if (samples->pixel_labels && !objective->type->classifies)
        return nm_fail(ctx, NM_INVALID, "%s: takes values; the data has a label for each pixel", objective->who);
    if (out.c < classes)
        return nm_fail(ctx, NM_INVALID, "%s: its prediction '%s' has %d classes; the data has %d", objective->who,
                       net->node[objective->from].name, out.c, classes);
    return NM_OK;
}

/* Labels become values once for all losses that take values: they must agree on the number of
 * classes. */
static nm_status check_values(nm_context *ctx, const nm_network *net)
{
    const nm_objective *first = NULL;
    for (int i = 0; i < net->objectives; i++) {
        const nm_objective *o = &net->objective[i];
        if (o->type->classifies || o->target >= 0)
            continue;
        int c = net->node[o->from].out.c;
        if (first && net->node[first->from].out.c != c)
            return nm_fail(ctx, NM_INVALID,
                           "%s: its prediction '%s' has %d channels, '%s' of another loss of values has %d: labels "
                           "become values of one number of classes",
                           o->who, net->node[o->from].name, c, net->node[first->from].name,
                           net->node[first->from].out.c);
        first = first ? first : o;
    }
    return NM_OK;
}

nm_status nm_check_fit(nm_context *ctx, const nm_network *net, const nm_samples *samples, int classes)
{
    if (net->inputs != 1)
        return nm_fail(ctx, NM_INVALID, "%s: the network has %d inputs; a data set of images feeds one",
                       net->document->file, net->inputs);
    nm_status status = NM_OK;
    if (!nm_shape_same(net->node[0].out, samples->shape))
        status = nm_fail(ctx, NM_INVALID, "%s: expected images of " NM_SHAPE_FMT "; the data has " NM_SHAPE_FMT,
                         net->node[0].who, NM_SHAPE_ARGS(net->node[0].out), NM_SHAPE_ARGS(samples->shape));
    if (net->objectives == 0)
        return nm_fail(ctx, NM_INVALID, "%s: the model has no `loss:`", net->document->file);
    for (int i = 0; i < net->objectives; i++)
        if (check_objective(ctx, net, &net->objective[i], samples, classes) != NM_OK)
            status = nm_failed_status(ctx);
    return status == NM_OK ? check_values(ctx, net) : status;
}

/* ---- targets ----------------------------------------------------------------------------- */

nm_status nm_target_maker_new(nm_context *ctx, const nm_network *net, int batch, nm_target_maker *out)
{
    *out = (nm_target_maker){0};
    for (int i = 0; i < net->objectives; i++)
        if (!net->objective[i].type->classifies && net->objective[i].target < 0)
            out->classes = net->node[net->objective[i].from].out.c;
    if (!out->classes)
        return NM_OK;
    out->values = nm_alloc(ctx, (size_t)batch * (size_t)out->classes, sizeof(real));
    return out->values ? NM_OK : NM_FAILED;
}

nm_targets nm_target_maker_make(const nm_target_maker *maker, const nm_loaded *loaded)
{
    if (maker->values) {
        memset(maker->values, 0, (size_t)loaded->n * (size_t)maker->classes * sizeof(real));
        for (int i = 0; i < loaded->n; i++)
            maker->values[(size_t)i * (size_t)maker->classes + (size_t)loaded->labels[i]] = 1;
    }
    return (nm_targets){.labels = loaded->labels, .values = maker->values};
}

void nm_target_maker_free(nm_target_maker *maker)
{
    nm_free(maker->values);
    *maker = (nm_target_maker){0};
}
