/* What a trainer is given: whether the network can take it, and targets for its losses. */
#include "own_trainer.h"

/* Labels that a loss takes as they are, or one-hot: one a place of the prediction, below its
 * channels. Which below 0 it passes over is the loss's; one-hot has none. */
static nm_status check_labels(nm_context *ctx, const nm_network *net, const nm_objective *o, const nm_minibatch *b)
{
    nm_shape shape = net->node[o->from].out;
    size_t count = (size_t)b->n * (size_t)shape.h * (size_t)shape.w;
    if (!o->type->classifies && (shape.h != 1 || shape.w != 1))
        return nm_fail(ctx, NM_INVALID, "%s: takes values of " NM_SHAPE_FMT "; the batch has labels", o->who,
                       NM_SHAPE_ARGS(shape));
    for (size_t i = 0; i < count; i++)
        if (b->labels[i] >= shape.c || (b->labels[i] < 0 && !o->type->classifies))
            return nm_fail(ctx, NM_INVALID, "%s: label %zu of the batch is %d; its prediction '%s' has %d classes",
                           o->who, i, (int)b->labels[i], net->node[o->from].name, shape.c);
    return NM_OK;
}

nm_status nm_objective_check_targets(nm_context *ctx, const nm_network *net, const nm_objective *o,
                                     const nm_minibatch *b)
{
    bool takes_values = !o->type->classifies || o->type->soft;
    if (!b->labels && !(b->values && takes_values))
        return nm_fail(ctx, NM_INVALID, "%s: takes %s; the batch has %s", o->who,
                       o->type->classifies ? "labels" : "values", b->values ? "values" : "no targets");
    return b->labels && (o->type->classifies || !b->values) ? check_labels(ctx, net, o, b) : NM_OK;
}

static nm_status check_targets(const nm_trainer *t, const nm_minibatch *b)
{
    for (int i = 0; i < t->net->objectives; i++)
        if (t->net->objective[i].target < 0)
            NM_TRY(nm_objective_check_targets(t->ctx, t->net, &t->net->objective[i], b));
    return NM_OK;
}

static nm_status take_inputs(const nm_trainer *t, const nm_minibatch *b, const real **x)
{
    for (int i = 0; i < t->net->inputs; i++) {
        x[i] = b->inputs ? b->inputs[i] : b->x;
        if (!x[i] || (!b->inputs && t->net->inputs > 1))
            return nm_fail(t->ctx, NM_INVALID, "the network has %d input%s; the batch lacks '%s'", t->net->inputs,
                           t->net->inputs > 1 ? "s, to be given in `inputs`" : "", t->net->node[i].name);
    }
    return NM_OK;
}

/* Losses are given the batch's own values, or its labels one-hot. */
static nm_targets make_targets(const nm_minibatch *b, nm_target_maker *maker)
{
    if (b->values || !b->labels)
        return (nm_targets){.labels = b->labels, .values = b->values};
    return nm_target_maker_make(maker, &(nm_loaded){.n = b->n, .labels = b->labels});
}

nm_status nm_trainer_take_batch(const nm_trainer *t, const nm_minibatch *given, int most, nm_target_maker *targets,
                                const real **x, nm_batch *batch)
{
    nm_minibatch b;
    NM_TRY(nm_sized_read(t->ctx, "NM_MINIBATCH_INIT", given, &b, sizeof b));
    if (b.n < 1 || b.n > most)
        return nm_fail(t->ctx, NM_INVALID, "expected a batch of 1 to %d samples, found %d", most, b.n);
    NM_TRY(take_inputs(t, &b, x));
    if (b.labels || b.values)
        NM_TRY(check_targets(t, &b));
    *batch = (nm_batch){.n = b.n, .x = x, .seed = t->options.seed, .step = (uint32_t)t->step};
    if (b.labels || b.values)
        batch->targets = make_targets(&b, targets);
    return NM_OK;
}

nm_status nm_trainer_need_targets(const nm_trainer *t, const nm_batch *batch)
{
    if (t->options.output)
        return nm_fail(t->ctx, NM_INVALID, "options.output: there are no losses; backward starts from a gradient");
    if (t->net->objectives == 0)
        return nm_fail(t->ctx, NM_INVALID, "%s: the model has no `loss:`", t->net->document->file);
    return batch->targets.labels || batch->targets.values ? NM_OK : check_targets(t, &(nm_minibatch){.n = batch->n});
}
