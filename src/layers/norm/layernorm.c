/* Layer normalisation (Ba et al. 2016): each sample by itself, over height, width and channels,
 * with a scale and a shift for each number (PyTorch's LayerNorm over the whole sample). */
#include "sample_norm_template.h"

static const nm_option options[] = {NM_SAMPLE_NORM_OPTIONS("true", "number"), {0}};

static nm_status layernorm_infer(nm_infer *e, void *private)
{
    nm_sample_norm *self = private;
    self->groups = 1;
    self->elements = true;
    return NM_ISA(nm_sample_norm_declare)(e, self);
}

NM_SAMPLE_NORM_TYPE(layernorm, "Normalises each sample as a whole");
