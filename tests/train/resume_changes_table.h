/* What may change between a run of SMALL_MODEL and its going on: a row for every setting. */
#ifndef RESUME_CHANGES_TABLE_H
#define RESUME_CHANGES_TABLE_H

#include "resume_rules.h"

#include <stddef.h>

/* A change between a run and its going on, and what becomes of it; name: of --allow-change, or
 * within the refusal. */
typedef struct change {
    const char *setting;
    nm_resume_rule rule;
    const char *name;
} change;

static const change resume_changes[] = {
    {"train.epochs=9", NM_RESUME_FREE, NULL},
    {"train.lr=0.02", NM_RESUME_FREE, NULL},
    {"train.schedule=cosine", NM_RESUME_FREE, NULL},
    {"train.warmup=3", NM_RESUME_FREE, NULL},
    {"train.l2=0.001", NM_RESUME_FREE, NULL},
    {"train.micro_batch=8", NM_RESUME_FREE, NULL},
    {"train.recompute=true", NM_RESUME_FREE, NULL},
    {"train.shards=2", NM_RESUME_ALLOWED, "shards"},
    {"train.exact=true", NM_RESUME_FREE, NULL},
    {"train.storage=bf16", NM_RESUME_ALLOWED, "storage"},
    {"train.no_fuse=true", NM_RESUME_FREE, NULL},
    {"train.eval_batch=7", NM_RESUME_FREE, NULL},
    {"train.eval_every=1", NM_RESUME_FREE, NULL},
    {"train.save_every=1s", NM_RESUME_FREE, NULL},
    {"train.keep=1", NM_RESUME_FREE, NULL},
    {"train.watch=[c1/0]", NM_RESUME_FREE, NULL},
    {"train.watch_every=2", NM_RESUME_FREE, NULL},
    {"train.population_batches=3", NM_RESUME_FREE, NULL},
    {"train.resize=bilinear", NM_RESUME_FREE, NULL},
    {"train.fit=crop", NM_RESUME_FREE, NULL},
    {"train.background=white", NM_RESUME_FREE, NULL},
    {"train.orient=true", NM_RESUME_FREE, NULL},
    {"train.optimizer={sgd: {lr: 0.3, momentum: 0.9}}", NM_RESUME_FREE, NULL},
    {"c1.algorithm=reference", NM_RESUME_FREE, NULL},
    {"c1.init=normal", NM_RESUME_FREE, NULL},
    {"c1.init_value=0.5", NM_RESUME_FREE, NULL},
    {"train.momentum=0.5", NM_RESUME_ALLOWED, "optimizer.momentum"},
    {"train.optimizer={sgd: {momentum: 0.5}}", NM_RESUME_ALLOWED, "optimizer.momentum"},
    {"train.optimizer={sgd: {momentum: 0.9, nesterov: true}}", NM_RESUME_ALLOWED, "optimizer.nesterov"},
    {"train.l2_all=true", NM_RESUME_ALLOWED, "l2_all"},
    {"train.clip_norm=1", NM_RESUME_ALLOWED, "clip_norm"},
    {"train.augment=[flip]", NM_RESUME_ALLOWED, "augment"},
    {"train.freeze=[c1/*]", NM_RESUME_ALLOWED, "freeze"},
    {"d1.dropout.rate=0.5", NM_RESUME_ALLOWED, "d1.dropout.rate"},
    {"c1.pad=1", NM_RESUME_REFUSED, "d1/weight"},
    {"c1.batchnorm.rate=0.5", NM_RESUME_ALLOWED, "c1.batchnorm.rate"},
    {"c1.batchnorm.epsilon=0.1", NM_RESUME_ALLOWED, "c1.batchnorm.epsilon"},
    {"c1.batchnorm.ghost=8", NM_RESUME_ALLOWED, "c1.batchnorm.ghost"},
    {"c1.batchnorm.statistics=population", NM_RESUME_ALLOWED, "c1.batchnorm.statistics"},
    {"loss={softmax_ce: {label_smoothing: 0.1}}", NM_RESUME_ALLOWED, "softmax_ce.label_smoothing"},
    {"train.batch=16", NM_RESUME_REFUSED, "batch"},
    {"train.batch=31", NM_RESUME_REFUSED, "batch"},
    {"train.limit=100", NM_RESUME_REFUSED, "limit"},
    {"train.seed=9", NM_RESUME_REFUSED, "seed"},
    {"train.shuffle=false", NM_RESUME_REFUSED, "shuffle"},
    {"train.binary=true", NM_RESUME_REFUSED, "trained"},
    {"train.optimizer=adam", NM_RESUME_REFUSED, "optimizer"},
    {"train.without=[batchnorm]", NM_RESUME_REFUSED, ""},
    {"c1.filters=5", NM_RESUME_REFUSED, "c1/weight"},
    {"c1.kernel=5", NM_RESUME_REFUSED, "c1/weight"},
    {"c1.bias=false", NM_RESUME_REFUSED, "c1/bias"},
    {"loss=hinge", NM_RESUME_REFUSED, "another model"},
    {"train.data=digits", NM_RESUME_REFUSED, "data set"},
};

#endif
