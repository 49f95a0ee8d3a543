/* The functions of objective.h. */
#include <norma/objective.h>

#include "own_trainer.h"

int nm_network_objectives(const nm_network *net)
{
    return net->objectives;
}

static nm_status check_index(nm_context *ctx, const nm_network *net, int index)
{
    return index >= 0 && index < net->objectives
               ? NM_OK
               : nm_fail(ctx, NM_INVALID, "there is no objective %d: the network has %d", index, net->objectives);
}

nm_status nm_network_objective(nm_context *ctx, const nm_network *net, int index, nm_objective_info *out)
{
    nm_errors_clear(ctx);
    NM_TRY(check_index(ctx, net, index));
    const nm_objective *o = &net->objective[index];
    nm_objective_info info = {.loss = o->type->name,
                              .weight = o->weight,
                              .layer = o->from,
                              .target_layer = o->target,
                              .classifies = o->type->classifies,
                              .soft = o->type->soft};
    return nm_sized_write(ctx, "NM_OBJECTIVE_INFO_INIT", out, &info, sizeof info);
}

/* Trainers make values of labels for losses that take values; a loss alone does not. */
static nm_status choose_targets(nm_context *ctx, const nm_network *net, const nm_objective *o, const nm_minibatch *b,
                                nm_targets *out)
{
    bool values_only = o->target >= 0;
    *out = (nm_targets){.labels = values_only ? NULL : b->labels, .values = b->values};
    if (!b->values && (values_only || !o->type->classifies))
        return nm_fail(ctx, NM_INVALID, "%s: takes values; there are %s", o->who, b->labels ? "labels" : "no targets");
    return values_only ? NM_OK : nm_objective_check_targets(ctx, net, o, b);
}

nm_status nm_objective_run(nm_context *ctx, const nm_network *net, int index, const nm_real *prediction,
                           const nm_minibatch *targets, double *losses, nm_real *gradient)
{
    nm_minibatch b;
    nm_targets chosen;
    nm_errors_clear(ctx);
    NM_TRY(check_index(ctx, net, index));
    NM_TRY(nm_sized_read(ctx, "NM_MINIBATCH_INIT", targets, &b, sizeof b));
    if (b.n < 1)
        return nm_fail(ctx, NM_INVALID, "expected targets of at least 1 sample, found %d", b.n);
    const nm_objective *o = &net->objective[index];
    NM_TRY(choose_targets(ctx, net, o, &b, &chosen));
    nm_loss_pass pass = {.n = b.n,
                         .xs = net->node[o->from].out,
                         .x = prediction,
                         .targets = chosen,
                         .dx = gradient,
                         .scale = o->weight / b.n,
                         .threads = nm_context_threads(ctx),
                         .sample_loss = losses};
    o->type->run(&pass, o->self);
    return NM_OK;
}
