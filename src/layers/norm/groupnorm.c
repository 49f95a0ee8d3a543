/* Group normalisation (Wu, He 2018): each sample by itself, groups of channels over height and
 * width, with a scale and a shift per channel. It does not depend on the batch, so that it serves
 * where batches are small. */
#include "sample_norm_template.h"

static const nm_option options[] = {
    {"groups", NM_OPT_INT, offsetof(nm_sample_norm, groups), NULL, 1, 1 << 20, .help = "groups of channels"},
    NM_SAMPLE_NORM_OPTIONS("true", "channel"),
    {0},
};

static nm_status groupnorm_infer(nm_infer *e, void *private)
{
    const nm_sample_norm *self = private;
    if (e->in[0].c % self->groups)
        return nm_fail(e->ctx, NM_INVALID, "%s: groups must divide the channels; found %d groups and %d channels",
                       e->who, self->groups, e->in[0].c);
    return NM_ISA(nm_sample_norm_declare)(e, self);
}

NM_SAMPLE_NORM_TYPE(groupnorm, "Normalises groups of channels of each sample");
