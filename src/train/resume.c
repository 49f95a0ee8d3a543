/* Going on from a checkpoint: what it was trained with is compared with what is asked, and refused
 * where it would not be the same run. */
#include "resume.h"

#include "alloc.h"
#include "resume_changes.h"

#include <stdio.h>
#include <string.h>

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

/* ---- loading ------------------------------------------------------------------------------- */

/* The network of the model file in the checkpoint, without values. */
static nm_status open_old(nm_train_run *t, const nm_checkpoint *last, nm_network **old)
{
    const char *text = nm_checkpoint_model(last);
    nm_yaml *document;
    NM_TRY(nm_yaml_parse(t->ctx, "model.yaml", text, strlen(text), &document));
    return nm_network_open(t->ctx, document, &nm_train_section, old);
}

/* What the network takes comes before the data, whose form it is. */
static nm_status check_all(nm_train_run *t, const nm_checkpoint *last, const nm_train_state *loaded)
{
    nm_network *old = NULL;
    NM_TRY(nm_resume_differs(t, "seed", loaded->seed, t->state.seed));
    NM_TRY(open_old(t, last, &old));
    nm_status status = nm_resume_check_inputs(t, old);
    if (status == NM_OK)
        status = check_data(t, last, loaded);
    if (status == NM_OK)
        status = nm_resume_differs(t, "steps an epoch (batch, limit or data)", loaded->steps_per_epoch,
                                   t->state.steps_per_epoch);
    if (status == NM_OK) {
        nm_status settings = nm_resume_check_settings(t, old), network = nm_resume_check_network(t, old);
        status = settings != NM_OK ? settings : network;
    }
    nm_network_free(old);
    return status;
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
