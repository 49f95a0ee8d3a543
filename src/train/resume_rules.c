/* One row for each setting: a new one that is not here is found by its test. */
#include "resume_rules.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    nm_resume_rule rule;
} rules[] = {
    {"data", NM_RESUME_FREE}, /* a path: what lies there is compared by its digest */
    {"epochs", NM_RESUME_FREE},       {"steps", NM_RESUME_FREE},
    {"batch", NM_RESUME_REFUSED},     {"micro_batch", NM_RESUME_FREE},
    {"recompute", NM_RESUME_FREE},    {"exact", NM_RESUME_FREE},
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

nm_resume_rule nm_resume_rule_of_option(const char *option)
{
    /* How passes are done; where values begin; the rate, which train.lr sets too. */
    static const char *const free_ones[] = {"algorithm", "init", "init_value", "lr"};
    for (size_t i = 0; i < sizeof free_ones / sizeof *free_ones; i++)
        if (strcmp(free_ones[i], option) == 0)
            return NM_RESUME_FREE;
    return NM_RESUME_ALLOWED;
}
