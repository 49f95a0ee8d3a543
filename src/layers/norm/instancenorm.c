/* Instance normalisation (Ulyanov et al. 2016): each channel of each sample by itself, over height
 * and width. As in PyTorch, scale and shift are there only when asked for. */
#include "sample_norm_template.h"

static const nm_option options[] = {NM_SAMPLE_NORM_OPTIONS("false", "channel"), {0}};

static nm_status instancenorm_infer(nm_infer *e, void *private)
{
    nm_sample_norm *self = private;
    self->groups = e->in[0].c;
    if (e->in[0].h * e->in[0].w == 1)
        return nm_fail(e->ctx, NM_INVALID,
                       "%s: its input " NM_SHAPE_FMT " has one number a channel: nothing to normalise", e->who,
                       NM_SHAPE_ARGS(e->in[0]));
    return NM_ISA(nm_sample_norm_declare)(e, self);
}

NM_SAMPLE_NORM_TYPE(instancenorm, "Normalises each channel of each sample");
