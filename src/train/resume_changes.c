/* What changed between a run and its going on: settings, options and layers, by the rules of
 * resume_rules.c. */
#include "resume_changes.h"

#include "alloc.h"
#include "augment.h"
#include "option_text.h"
#include "resume_rules.h"

#include <stdio.h>
#include <string.h>

nm_status nm_resume_differs(nm_train_run *t, const char *what, uint64_t found, uint64_t wanted)
{
    if (found == wanted)
        return NM_OK;
    return nm_fail(t->ctx, NM_INVALID,
                   "%s/%s: it was trained with %s %llu, the run has %llu: it cannot go on; give what it was trained "
                   "with, or start another run (--run)",
                   t->run->path, t->run->last, what, (unsigned long long)found, (unsigned long long)wanted);
}

/* ---- settings ------------------------------------------------------------------------------- */

static int used_samples(const nm_train_run *t, const nm_train_settings *s)
{
    int count = t->data->train.count;
    return s->limit > 0 && s->limit < count ? s->limit : count;
}

static bool is_allowed(const nm_train_run *t, const char *name)
{
    for (const char *const *allowed = t->request->allow_change; allowed && *allowed; allowed++)
        if (strcmp(*allowed, name) == 0)
            return true;
    return false;
}

/* In what is saved from now on. */
static nm_status note_change(nm_train_run *t, const char *name, const char *from, const char *to)
{
    char *before = t->state.changes, *all = nm_format(t->ctx, "%sstep %llu: %s was %s, then %s\n", before ? before : "",
                                                      (unsigned long long)t->resumed_step, name, from, to);
    if (!all)
        return NM_FAILED;
    nm_free(before);
    t->state.changes = all;
    return NM_OK;
}

/* An option that is not what it was. */
static nm_status take_change(nm_train_run *t, nm_resume_rule rule, const char *name, const nm_option *o,
                             const void *old, const void *now)
{
    nm_text was = {.ctx = t->ctx}, is = {.ctx = t->ctx};
    nm_status status = NM_OK;
    nm_text_add_option(&was, o, old);
    nm_text_add_option(&is, o, now);
    const char *from = was.text && *was.text ? was.text : "nothing", *to = is.text && *is.text ? is.text : "nothing";
    if (rule == NM_RESUME_ALLOWED && is_allowed(t, name)) {
        nm_log(t->ctx, "%s/%s: %s was %s; going on with %s", t->run->path, t->run->last, name, from, to);
        status = note_change(t, name, from, to);
    } else if (rule == NM_RESUME_ALLOWED)
        status = nm_fail(t->ctx, NM_INVALID,
                         "%s/%s: it was trained with '%s': %s; found %s, which makes another experiment of it: give "
                         "what it was trained with, or --allow-change %s",
                         t->run->path, t->run->last, name, from, to, name);
    else if (rule != NM_RESUME_FREE)
        status = nm_fail(t->ctx, NM_INVALID,
                         "%s/%s: it was trained with '%s': %s; found %s: it cannot go on; give what it was trained "
                         "with, or start another run (--run)",
                         t->run->path, t->run->last, name, from, to);
    nm_free(was.text);
    nm_free(is.text);
    return status;
}

/* The options of one struct, NAME.OPTION; all that are refused are told. */
static nm_status check_options(nm_train_run *t, const nm_option *table, const char *name, const void *old,
                               const void *now)
{
    nm_status status = NM_OK;
    for (const nm_option *o = table; o && o->name; o++) {
        char path[256];
        nm_resume_rule rule = nm_resume_rule_of_option(o->name);
        snprintf(path, sizeof path, "%s.%s", name, o->name);
        if (!nm_option_same(t->ctx, o, old, now) &&
            take_change(t, rule == NM_RESUME_UNKNOWN ? NM_RESUME_ALLOWED : rule, path, o, old, now) != NM_OK)
            status = NM_INVALID;
    }
    return status;
}

static nm_status check_optimizer(nm_train_run *t, const nm_network *old)
{
    const nm_optimizer_type *was, *is;
    void *from = NULL, *to = NULL;
    nm_status status = nm_optimizer_read(t->ctx, nm_settings_of(old), old, &was, &from);
    if (status == NM_OK)
        status = nm_optimizer_read(t->ctx, t->settings, t->net, &is, &to);
    if (status == NM_OK && was == is) /* another type was refused by its slots */
        status = check_options(t, is->options, "optimizer", from, to);
    nm_optimizer_release(was, from);
    nm_optimizer_release(is, to);
    return status;
}

/* Words that mean the same (pad-crop, pad-crop=4), or patterns that fit the same parameters, are no
 * change. */
static bool same_effect(const nm_train_run *t, const char *setting, nm_network *before)
{
    if (strcmp(setting, "augment") == 0) {
        nm_augmentation was, is;
        return nm_augmentation_read(t->ctx, &nm_settings_of(before)->augment, &was) == NM_OK &&
               nm_augmentation_read(t->ctx, &t->settings->augment, &is) == NM_OK && was.flip == is.flip &&
               was.pad_crop == is.pad_crop && was.affine == is.affine && was.cutout == is.cutout;
    }
    if (strcmp(setting, "freeze") != 0 || nm_network_freeze(t->ctx, before) != NM_OK ||
        before->params != t->net->params)
        return false;
    for (int i = 0; i < before->params; i++)
        if (before->param[i].frozen != t->net->param[i].frozen)
            return false;
    return true;
}

/* Settings that decide which samples make a batch and what the network sees of them come first. */
nm_status nm_resume_check_settings(nm_train_run *t, nm_network *before)
{
    const nm_train_settings *old = nm_settings_of(before);
    const nm_option *from = nm_option_find(nm_train_options, "init_from");
    if (t->settings->init_from && !nm_option_same(t->ctx, from, old, t->settings))
        nm_log(t->ctx, "train: 'init_from' has no effect: the run goes on from its own %s", t->run->last);
    nm_status status = nm_resume_differs(t, "batch", (uint64_t)old->batch, (uint64_t)t->settings->batch);
    if (status == NM_OK)
        status = nm_resume_differs(t, "a number of samples (limit) of", (uint64_t)used_samples(t, old),
                                   (uint64_t)used_samples(t, t->settings));
    for (const nm_option *o = nm_train_options; o->name && status != NM_FAILED; o++) {
        /* compared by what they do: above, by the state, by the network and the optimizer */
        static const char *const elsewhere[] = {"batch", "limit", "seed", "without", "optimizer", "momentum"};
        bool other = false;
        for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
            other = other || strcmp(o->name, elsewhere[i]) == 0;
        if (!other && !nm_option_same(t->ctx, o, old, t->settings) && !same_effect(t, o->name, before) &&
            take_change(t, nm_resume_rule_of(o->name), o->name, o, old, t->settings) != NM_OK)
            status = NM_INVALID;
    }
    nm_status optimizer = status == NM_FAILED ? NM_OK : check_optimizer(t, before);
    return status != NM_OK ? status : optimizer;
}

/* ---- the network ----------------------------------------------------------------------------- */

static nm_status another_network(nm_train_run *t, const char *where, const char *was, const char *is)
{
    return nm_fail(t->ctx, NM_INVALID, "%s/%s: of another model: %s was '%s', in the model it is '%s': it cannot go on",
                   t->run->path, t->run->last, where, was, is);
}

/* The name of a node, "" of none. */
static const char *name_of(const nm_network *net, int node)
{
    return node < 0 ? "" : net->node[node].name;
}

static nm_status check_input(nm_train_run *t, const nm_node *was, const nm_node *is)
{
    if (nm_shape_same(was->out, is->out))
        return NM_OK;
    return nm_fail(t->ctx, NM_INVALID,
                   "%s/%s: it was trained with '%s': " NM_SHAPE_FMT "; found " NM_SHAPE_FMT
                   ": it cannot go on; give what it was trained with, or start another run (--run)",
                   t->run->path, t->run->last, was->name, NM_SHAPE_ARGS(was->out), NM_SHAPE_ARGS(is->out));
}

static nm_status check_node(nm_train_run *t, const nm_network *old, int i)
{
    const nm_node *was = &old->node[i], *is = &t->net->node[i];
    if (was->type != is->type || strcmp(was->name, is->name) != 0 || was->inputs != is->inputs)
        return another_network(t, "a layer", was->name, is->name);
    for (int k = 0; k < was->inputs; k++)
        if (was->from[k] != is->from[k])
            return another_network(t, is->label, old->node[was->from[k]].name, t->net->node[is->from[k]].name);
    if (was->share != is->share || was->pair != is->pair)
        return was->share != is->share
                   ? another_network(t, is->label, name_of(old, was->share), name_of(t->net, is->share))
                   : another_network(t, is->label, name_of(old, was->pair), name_of(t->net, is->pair));
    return was->type ? check_options(t, was->type->options, is->name, was->self, is->self) : NM_OK;
}

nm_status nm_resume_check_network(nm_train_run *t, const nm_network *old)
{
    static const nm_option weight[] = {
        {"weight", NM_OPT_REAL, offsetof(nm_objective, weight), "1", .help = "factor of the loss"}, {0}};
    const nm_network *net = t->net;
    nm_status status = NM_OK;
    for (int i = 0; i < old->nodes && i < net->nodes; i++)
        if (check_node(t, old, i) != NM_OK)
            status = NM_INVALID;
    NM_TRY(status);
    if (old->nodes != net->nodes) {
        const nm_network *longer = old->nodes > net->nodes ? old : net;
        const char *name = longer->node[longer->nodes < 1 ? 0 : longer->nodes - 1].name;
        return another_network(t, "the last layer", longer == old ? name : "", longer == net ? name : "");
    }
    if (old->output != net->output)
        return another_network(t, "the output", name_of(old, old->output), name_of(net, net->output));
    for (int i = 0; i < old->objectives || i < net->objectives; i++) {
        const nm_objective *was = i < old->objectives ? &old->objective[i] : NULL;
        const nm_objective *is = i < net->objectives ? &net->objective[i] : NULL;
        if (!was || !is || was->type != is->type || was->from != is->from || was->target != is->target)
            return another_network(t, "a loss", was ? was->type->name : "", is ? is->type->name : "");
        NM_TRY(check_options(t, was->type->options, was->type->name, was->self, is->self));
        NM_TRY(check_options(t, weight, was->type->name, was, is));
    }
    return NM_OK;
}

nm_status nm_resume_check_inputs(nm_train_run *t, const nm_network *old)
{
    for (int i = 0; i < old->inputs && i < t->net->inputs; i++)
        NM_TRY(check_input(t, &old->node[i], &t->net->node[i]));
    return NM_OK;
}
