/* Going on from a checkpoint: what it was trained with is compared with what is asked, by the rules
 * of resume_rules.c. */
#include "resume.h"

#include "alloc.h"
#include "option_text.h"
#include "resume_rules.h"

#include <stdio.h>
#include <string.h>

static nm_status differs(nm_train_run *t, const char *what, uint64_t found, uint64_t wanted)
{
    if (found == wanted)
        return NM_OK;
    return nm_fail(t->ctx, NM_INVALID,
                   "%s/%s: it was trained with %s %llu, the run has %llu: it cannot go on; give what it was trained "
                   "with, or start another run (--run)",
                   t->run->path, t->run->last, what, (unsigned long long)found, (unsigned long long)wanted);
}

/* ---- data ---------------------------------------------------------------------------------- */

static nm_status other_data(nm_train_run *t, const char *what)
{
    return nm_fail(t->ctx, NM_INVALID,
                   "%s/%s: it was trained on other data: %s differ (%s): it cannot go on; give the data that it was "
                   "trained on (--data), or start another run (--run … --init-from %s/%s)",
                   t->run->path, t->run->last, what, t->data->found, t->run->path, t->run->last);
}

/* Two lists of names, one a line. */
static nm_status check_classes(nm_train_run *t, const char *old, const char *now)
{
    for (int c = 0; *old || *now; c++) {
        int a = (int)strcspn(old, "\n"), b = (int)strcspn(now, "\n");
        if (a != b || memcmp(old, now, (size_t)a) != 0) {
            char what[256];
            snprintf(what, sizeof what, "the names of class %d, '%.*s' then and '%.*s' here,", c, a < 80 ? a : 80, old,
                     b < 80 ? b : 80, now);
            return other_data(t, what);
        }
        old += old[a] ? a + 1 : a;
        now += now[b] ? b + 1 : b;
    }
    return NM_OK;
}

static nm_status check_data(nm_train_run *t, const nm_checkpoint *last, const nm_train_state *loaded)
{
    const char *classes = nm_checkpoint_classes(last), *digest = nm_checkpoint_data_digest(last);
    if (!nm_normalisation_same(&loaded->normalisation, &t->state.normalisation))
        return other_data(t, "mean or deviation of the training images");
    if (classes)
        NM_TRY(check_classes(t, classes, t->classes));
    if (!digest)
        nm_log(t->ctx, "%s/%s: written by a norma that kept no digest of the data: that it is the same is not checked",
               t->run->path, t->run->last);
    else if (strcmp(digest, t->data_digest) != 0)
        return other_data(t, "pixels or labels");
    return NM_OK;
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
        snprintf(path, sizeof path, "%s.%s", name, o->name);
        if (!nm_option_same(t->ctx, o, old, now) &&
            take_change(t, nm_resume_rule_of_option(o->name), path, o, old, now) != NM_OK)
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

/* Settings that decide which samples make a batch and what the network sees of them come first. */
static nm_status check_settings(nm_train_run *t, const nm_network *before)
{
    const nm_train_settings *old = nm_settings_of(before);
    const nm_option *from = nm_option_find(nm_train_options, "init_from");
    if (t->settings->init_from && !nm_option_same(t->ctx, from, old, t->settings))
        nm_log(t->ctx, "train: 'init_from' has no effect: the run goes on from its own %s", t->run->last);
    nm_status status = differs(t, "batch", (uint64_t)old->batch, (uint64_t)t->settings->batch);
    if (status == NM_OK)
        status = differs(t, "a number of samples (limit) of", (uint64_t)used_samples(t, old),
                         (uint64_t)used_samples(t, t->settings));
    for (const nm_option *o = nm_train_options; o->name && status != NM_FAILED; o++) {
        /* compared by what they do: above, by the state, by the network and the optimizer */
        static const char *const elsewhere[] = {"batch", "limit", "seed", "without", "optimizer", "momentum"};
        bool other = false;
        for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
            other = other || strcmp(o->name, elsewhere[i]) == 0;
        if (!other && !nm_option_same(t->ctx, o, old, t->settings) &&
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

static nm_status check_node(nm_train_run *t, const nm_network *old, int i)
{
    const nm_node *was = &old->node[i], *is = &t->net->node[i];
    if (was->type != is->type || strcmp(was->name, is->name) != 0 || was->inputs != is->inputs)
        return another_network(t, "a layer", was->name, is->name);
    for (int k = 0; k < was->inputs; k++)
        if (was->from[k] != is->from[k])
            return another_network(t, is->label, old->node[was->from[k]].name, t->net->node[is->from[k]].name);
    return was->type ? check_options(t, was->type->options, is->name, was->self, is->self) : NM_OK;
}

static nm_status check_network(nm_train_run *t, const nm_network *old)
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

/* Against the settings and the network of the model file in the checkpoint. */
static nm_status check_model(nm_train_run *t, const nm_checkpoint *last)
{
    const char *text = nm_checkpoint_model(last);
    nm_yaml *document;
    nm_network *old = NULL;
    NM_TRY(nm_yaml_parse(t->ctx, "model.yaml", text, strlen(text), &document));
    NM_TRY(nm_network_open(t->ctx, document, &nm_train_section, &old));
    nm_status settings = check_settings(t, old), network = check_network(t, old);
    nm_status status = settings != NM_OK ? settings : network;
    nm_network_free(old);
    return status;
}

/* ---- loading ------------------------------------------------------------------------------- */

static nm_status check_all(nm_train_run *t, const nm_checkpoint *last, const nm_train_state *loaded)
{
    NM_TRY(differs(t, "seed", loaded->seed, t->state.seed));
    NM_TRY(check_data(t, last, loaded));
    NM_TRY(differs(t, "steps an epoch (batch, limit or data)", loaded->steps_per_epoch, t->state.steps_per_epoch));
    return check_model(t, last);
}

/* What a user may not expect of a run that goes on. */
static void report_position(nm_train_run *t)
{
    unsigned long long step = t->state.step, broken = nm_run_dir_diverged(t->run);
    if (step >= t->steps)
        nm_log(t->ctx,
               "%s: there is nothing to do: %llu steps are done, and training ends after %llu; more epochs or steps "
               "go on",
               t->run->path, step, (unsigned long long)t->steps);
    else if (broken > step)
        nm_log(t->ctx,
               "%s: the run diverged at step %llu; it goes on from step %llu, and will diverge again unless its "
               "settings change (a smaller --lr)",
               t->run->path, broken, step);
}

static nm_status load_last(nm_train_run *t, const nm_checkpoint *last)
{
    nm_train_state loaded = t->state;
    NM_TRY(nm_checkpoint_load(t->ctx, last, t->net, false, NULL));
    NM_TRY(nm_checkpoint_load_state(t->ctx, last, t->net, &loaded));
    t->state.changes = loaded.changes;
    t->resumed_step = loaded.step;
    nm_status status = check_all(t, last, &loaded);
    loaded.changes = t->state.changes;
    loaded.normalisation = t->state.normalisation; /* equal, and the trainer's own */
    if (loaded.counted < 0) {
        double places = (double)nm_label_places(&t->data->train);
        loaded.correct *= places;
        loaded.counted = (double)loaded.seen * places;
    }
    int rows = loaded.history_count;
    loaded.history_count = 0;
    nm_history_row *history = loaded.history;
    loaded.history = NULL;
    t->state = loaded;
    for (int i = 0; i < rows && status == NM_OK; i++)
        status = nm_train_run_add_row(t, &history[i], nm_run_dir_seconds(t->run, history[i].step));
    nm_free(history);
    t->seconds_before = rows && status == NM_OK ? nm_run_dir_seconds(t->run, t->state.history[rows - 1].step) : 0;
    if (strcmp(t->run->last, "last.h5") == 0) /* another is last.h5 soon */
        t->saved_step = t->state.step;
    return status;
}

nm_status nm_train_run_resume(nm_train_run *t)
{
    char *path = nm_run_dir_file(t->run, t->run->last);
    nm_checkpoint *last = NULL;
    nm_status status = path ? nm_checkpoint_open(t->ctx, path, &last) : NM_FAILED;
    nm_free(path);
    if (status == NM_INVALID)
        return nm_fail(
            t->ctx, NM_INVALID,
            "%s: so the run cannot go on; an earlier step-NNNNNNNN.h5 there may be whole: copied to last.h5 it "
            "can be gone on from",
            t->run->path);
    if (status == NM_OK)
        status = load_last(t, last);
    if (status == NM_OK)
        report_position(t);
    nm_checkpoint_free(last);
    return status;
}
