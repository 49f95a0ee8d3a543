/* One row for each setting: a new one that is not here is found by its test. */
#include "resume_rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    nm_resume_rule rule;
} rules[] = {
    {"data", NM_RESUME_FREE}, /* a path: what lies there is compared by its digest */
    {"epochs", NM_RESUME_FREE},       {"steps", NM_RESUME_FREE},
    {"batch", NM_RESUME_REFUSED},     {"micro_batch", NM_RESUME_FREE},
    {"shards", NM_RESUME_ALLOWED}, /* other bits, never other numbers */
    {"recompute", NM_RESUME_FREE},    {"exact", NM_RESUME_FREE},
    {"storage", NM_RESUME_ALLOWED}, /* numbers that are rounded otherwise */
    {"no_fuse", NM_RESUME_FREE},      {"eval_batch", NM_RESUME_FREE},
    {"optimizer", NM_RESUME_REFUSED}, /* its options: see below */
    {"schedule", NM_RESUME_FREE},     {"lr", NM_RESUME_FREE},
    {"momentum", NM_RESUME_ALLOWED},  {"l2", NM_RESUME_FREE},
    {"l2_all", NM_RESUME_ALLOWED},    {"clip_norm", NM_RESUME_ALLOWED},
    {"warmup", NM_RESUME_FREE},       {"augment", NM_RESUME_ALLOWED},
    {"resize", NM_RESUME_FREE}, /* of image files: the digest is of what they become */
    {"fit", NM_RESUME_FREE},          {"background", NM_RESUME_FREE},
    {"orient", NM_RESUME_FREE},       {"binary", NM_RESUME_REFUSED},
    {"seed", NM_RESUME_REFUSED},      {"limit", NM_RESUME_REFUSED},
    {"shuffle", NM_RESUME_REFUSED},   {"save_every", NM_RESUME_FREE},
    {"keep", NM_RESUME_FREE},         {"init_from", NM_RESUME_FREE}, /* taken over at the start alone */
    {"freeze", NM_RESUME_ALLOWED},    {"without", NM_RESUME_REFUSED},
    {"watch", NM_RESUME_FREE},        {"watch_every", NM_RESUME_FREE},
    {"eval_every", NM_RESUME_FREE},   {"population_batches", NM_RESUME_FREE},
};

nm_resume_rule nm_resume_rule_of(const char *setting)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].name, setting) == 0)
            return rules[i].rule;
    return NM_RESUME_UNKNOWN;
}

/* Of layers, losses and optimizers: by name, which means one thing wherever it stands. Where an
 * option decides shapes of parameters, these refuse before it is looked at. */
static const char *const free_options[] = {
    "algorithm",                /* how passes are done */
    "init",       "init_value", /* where values begin */
    "lr",                       /* train.lr sets it too */
    "activation",               /* a layer of its own, which is compared */
    "pool",                     /* a name: which layer it is of is compared */
    "scale",                    /* the size that it gives is compared */
};
static const char *const allowed_options[] = {
    "affine",
    "align_corners",
    "alpha",
    "approximate",
    "beta",
    "beta1",
    "beta2",
    "bias",
    "ceil",
    "channels",
    "class_weights",
    "count",
    "count_pad",
    "crop",
    "dilation",
    "epsilon",
    "filters",
    "first",
    "gamma",
    "ghost",
    "groups",
    "height",
    "ignore",
    "k",
    "kernel",
    "margin",
    "mode",
    "momentum",
    "label_smoothing",
    "nesterov",
    "output_pad",
    "p",
    "pad",
    "positive_weight",
    "rate",
    "shared",
    "size",
    "slope",
    "standardise",
    "statistics",
    "stride",
    "units",
    "weight",
    "weight_decay",
    "width",
};

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

nm_resume_rule nm_resume_rule_of_option(const char *option)
{
    if (is_among(option, free_options, sizeof free_options / sizeof *free_options))
        return NM_RESUME_FREE;
    return is_among(option, allowed_options, sizeof allowed_options / sizeof *allowed_options) ? NM_RESUME_ALLOWED
                                                                                               : NM_RESUME_UNKNOWN;
}
