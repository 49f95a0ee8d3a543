/* Settings that have no effect: one table of rules. A rule looks at a run that is set up, and where
 * the setting does nothing in it says why. */
#include "idle.h"

#include "alloc.h"
#include "option_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct idle_rule {
    const char *setting;
    bool (*idle)(nm_train_run *t, nm_text *why);
    bool at_preset;   /* reported also where the value given is the preset */
    const char *what; /* begins the message in place of "'SETTING' has no effect" */
} idle_rule;

#define STEPS(t) ((unsigned long long)(t)->steps)

/* ---- length and intervals ------------------------------------------------------------------- */

static bool epochs(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "steps: %d says when training ends", t->settings->steps);
    return t->settings->steps > 0;
}

static bool eval_every(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "training ends after %llu steps, and is evaluated then", STEPS(t));
    return (uint64_t)t->settings->eval_every > t->steps;
}

static bool save_every(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "training ends after %llu steps, and is saved then", STEPS(t));
    return t->save_every > t->steps;
}

static bool keep(nm_train_run *t, nm_text *why)
{
    uint64_t saves = t->save_every ? (t->steps + t->save_every - 1) / t->save_every : 1;
    nm_text_add(why, "only %llu checkpoints are made", (unsigned long long)saves);
    return (uint64_t)t->settings->keep > saves;
}

static bool watch_every(nm_train_run *t, nm_text *why)
{
    if (t->settings->watch.count == 0)
        nm_text_add(why, "no unit is watched (watch)");
    else
        nm_text_add(why, "training ends after %llu steps: watch.csv gets no row", STEPS(t));
    return t->settings->watch.count == 0 || (uint64_t)t->settings->watch_every > t->steps;
}

static bool population_batches(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "no batchnorm has `statistics: population`");
    return !t->population;
}

/* ---- samples --------------------------------------------------------------------------------- */

static bool limit(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "the data has %d training samples", t->data->train.count);
    return t->settings->limit >= t->data->train.count;
}

static bool batch(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "there are %d training samples: a batch is all of them", t->loading.batch);
    return t->loading.batch < t->settings->batch;
}

static bool micro_batch(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "a batch has %d samples", t->loading.batch);
    return t->settings->micro_batch >= t->loading.batch;
}

static bool eval_batch(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "the data has no test split");
    return !t->evaluator;
}

/* ---- optimizer and schedule ---------------------------------------------------------------- */

static bool momentum(nm_train_run *t, nm_text *why)
{
    const nm_optimizer_type *type = nm_optimization_type(t->optimization);
    nm_text_add(why, "the optimizer %s has none", type->name);
    return !nm_option_find(type->options, "momentum");
}

/* An option of the optimizer beside the setting of the same name. */
static bool overruled(const nm_train_run *t, const char *name, double setting, nm_text *why)
{
    nm_text_add(why, "%s: %g stands beside it and wins", name, setting);
    return setting >= 0 && nm_yaml_get(t->settings->optimizer.options, name);
}

static bool optimizer_lr(nm_train_run *t, nm_text *why)
{
    return overruled(t, "lr", t->settings->lr, why);
}

static bool optimizer_momentum(nm_train_run *t, nm_text *why)
{
    return overruled(t, "momentum", t->settings->momentum, why);
}

static bool nesterov(nm_train_run *t, nm_text *why)
{
    const nm_optimizer_type *type = nm_optimization_type(t->optimization);
    const char *self = nm_optimization_options(t->optimization);
    const nm_option *ahead = nm_option_find(type->options, "nesterov"),
                    *kept = nm_option_find(type->options, "momentum");
    nm_text_add(why, "it looks ahead along the momentum, which is 0");
    return ahead && kept && *(const bool *)(self + ahead->offset) && *(const double *)(self + kept->offset) == 0;
}

static bool schedule(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "the learning rate stays what it is over all %llu steps", STEPS(t));
    return t->steps > 1 && strcmp(t->settings->schedule.name, "constant") != 0 &&
           nm_optimization_steady(t->optimization);
}

static bool milestones(nm_train_run *t, nm_text *why)
{
    double end = (double)t->steps / (double)t->state.steps_per_epoch, late = 0;
    const nm_yaml *given = nm_yaml_get(t->settings->schedule.options, "milestones");
    for (int i = 0; given && given->kind == NM_YAML_LIST && i < given->count; i++)
        if (given->items[i]->kind == NM_YAML_SCALAR)
            late = fmax(late, strtod(given->items[i]->text, NULL));
    nm_text_add(why, "training ends with epoch %g, before the milestone %g", ceil(end), late);
    return late >= end && !nm_optimization_steady(t->optimization);
}

static bool every(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "its milestones win");
    return nm_yaml_get(t->settings->schedule.options, "milestones") &&
           nm_yaml_get(t->settings->schedule.options, "every");
}

static bool warmup(nm_train_run *t, nm_text *why)
{
    if (t->settings->warmup == 1)
        nm_text_add(why, "of one step, it begins where it ends");
    else
        nm_text_add(why, "training ends after %llu steps, before the learning rate has risen", STEPS(t));
    return t->settings->warmup == 1 || (uint64_t)t->settings->warmup >= t->steps;
}

static bool l2_all(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "l2 is 0");
    return t->settings->l2 == 0;
}

/* ---- the network and its plan -------------------------------------------------------------- */

/* Whether a type that is left out is in the model at all. */
static bool without(nm_train_run *t, nm_text *why)
{
    nm_yaml *copy;
    nm_network *whole = NULL;
    if (nm_yaml_copy(t->ctx, t->document, &copy) != NM_OK)
        return false;
    if (nm_document_set(t->ctx, copy, "train.without", "[]") != NM_OK) {
        nm_yaml_free(copy);
        return false;
    }
    if (nm_network_open(t->ctx, copy, &nm_train_section, &whole) != NM_OK)
        return false;
    const char *missing = NULL;
    for (int i = 0; i < t->settings->without.count && !missing; i++) {
        missing = t->settings->without.values[i];
        for (int k = whole->inputs; k < whole->nodes && missing; k++)
            missing = strcmp(whole->node[k].type->name, missing) == 0 ? NULL : missing;
    }
    nm_network_free(whole);
    nm_text_add(why, "the network has no layer of type %s", missing ? missing : "");
    return missing;
}

/* Whether the plan would be the same without a setting, which is off in the request and the network
 * now. (A setting that is off has no effect anyway.) */
static bool same_plan(nm_train_run *t, bool recompute)
{
    nm_request request = {.mode = NM_TRAIN,
                          .batch = t->loading.batch,
                          .threads = nm_context_threads(t->ctx),
                          .micro = t->settings->micro_batch,
                          .shards = t->settings->shards,
                          .recompute = recompute,
                          .dry = true};
    nm_plan *plan;
    if (nm_plan_new(t->net, &request, &plan) != NM_OK)
        return false;
    nm_plan_memory a = nm_plan_memory_use(plan), b = nm_plan_memory_use(t->plan);
    bool same = a.activations == b.activations && a.saved == b.saved;
    for (int i = t->net->inputs; i < t->net->nodes && same; i++) {
        char here[256] = "", there[256] = "";
        nm_plan_describe(plan, i, here, sizeof here);
        nm_plan_describe(t->plan, i, there, sizeof there);
        same = nm_plan_head(plan, i) == nm_plan_head(t->plan, i) && strcmp(here, there) == 0;
    }
    nm_plan_free(plan);
    return same;
}

static bool recompute(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "nothing in this network is worth computing again");
    return !t->settings->recompute || same_plan(t, false);
}

static bool exact(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "no layer would take another algorithm");
    if (!t->settings->exact)
        return true;
    t->net->exact = false;
    bool same = same_plan(t, t->settings->recompute);
    t->net->exact = true;
    return same;
}

static bool storage(nm_train_run *t, nm_text *why)
{
    bool off = t->settings->exact;
    nm_text_add(why, off ? "with 'exact' all is kept in float32" : "nothing in this network can be kept in bfloat16");
    t->net->bf16 = false;
    bool same = off || same_plan(t, t->settings->recompute);
    t->net->bf16 = t->settings->storage == NM_STORAGE_BF16;
    return same;
}

static bool no_fuse(nm_train_run *t, nm_text *why)
{
    nm_text_add(why, "no layer would do another's work");
    if (!t->settings->no_fuse)
        return true;
    t->net->no_fuse = false;
    bool same = same_plan(t, t->settings->recompute);
    t->net->no_fuse = true;
    return same;
}

/* ---- the table ----------------------------------------------------------------------------- */

static const idle_rule rules[] = {
    {"epochs", epochs, true},
    {"eval_every", eval_every},
    {"save_every", save_every},
    {"keep", keep},
    {"watch_every", watch_every},
    {"population_batches", population_batches},
    {"limit", limit},
    {"batch", batch},
    {"micro_batch", micro_batch},
    {"eval_batch", eval_batch},
    {"momentum", momentum},
    {"optimizer", optimizer_lr, true, "the optimizer's own 'lr' has no effect"},
    {"optimizer", optimizer_momentum, true, "the optimizer's own 'momentum' has no effect"},
    {"optimizer", nesterov, true, "the optimizer's 'nesterov' has no effect"},
    {"schedule", schedule, true},
    {"schedule", milestones, true, "the schedule is cut short"},
    {"schedule", every, true, "the schedule's 'every' has no effect"},
    {"warmup", warmup, false, "'warmup' is cut short"},
    {"l2_all", l2_all},
    {"without", without},
    {"recompute", recompute},
    {"exact", exact},
    {"storage", storage},
    {"no_fuse", no_fuse},
};

static void report_idle(const nm_train_run *t, const idle_rule *rule, const char *why)
{
    if (rule->what)
        nm_log(t->ctx, "train: %s: %s", rule->what, why);
    else
        nm_log(t->ctx, "train: '%s' has no effect: %s", rule->setting, why);
}

nm_status nm_idle_report(nm_train_run *t)
{
    nm_train_settings presets = {0};
    const nm_yaml *given = nm_yaml_get(t->document, "train");
    nm_status status = nm_options_read(t->ctx, nm_train_options, &presets, NULL, NULL, "train");
    for (size_t i = 0; i < sizeof rules / sizeof *rules && status == NM_OK; i++) {
        const nm_option *option = nm_option_find(nm_train_options, rules[i].setting);
        nm_text why = {.ctx = t->ctx};
        if (nm_yaml_get(given, rules[i].setting) &&
            (rules[i].at_preset || !nm_option_same(t->ctx, option, &presets, t->settings)) && rules[i].idle(t, &why))
            report_idle(t, &rules[i], why.text ? why.text : "");
        nm_free(why.text);
    }
    nm_options_free(nm_train_options, &presets);
    return status;
}

bool nm_idle(nm_train_run *t, const char *setting)
{
    bool idle = false;
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !idle; i++) {
        nm_text why = {.ctx = t->ctx};
        idle = strcmp(rules[i].setting, setting) == 0 && rules[i].idle(t, &why);
        nm_free(why.text);
    }
    return idle;
}
