/* The checkpoints of a trainer. */
#include "own_trainer.h"

#include "alloc.h"
#include "divergence.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The names, one a line; nm_free. */
static nm_status join_classes(nm_context *ctx, const nm_data *data, char **text)
{
    size_t size = 1;
    for (int c = 0; c < data->classes; c++)
        size += strlen(nm_data_class_name(data, c)) + 1;
    if (!(*text = nm_alloc(ctx, size, 1)))
        return NM_FAILED;
    char *end = *text;
    for (int c = 0; c < data->classes; c++)
        end += sprintf(end, "%s%s", c ? "\n" : "", nm_data_class_name(data, c));
    return NM_OK;
}

static nm_train_state state_of(const nm_trainer *t)
{
    nm_train_state state = {.step = t->step,
                            .seed = t->options.seed,
                            .steps_per_epoch = t->steps_per_epoch,
                            .best_accuracy = (double)NAN,
                            .optimizer = "none"};
    if (t->optimization)
        nm_optimization_state(t->optimization, &state);
    return state;
}

/* A checkpoint that was good is not replaced by one that no training can go on from. */
static nm_status check_saved(const nm_trainer *t, const nm_train_state *state)
{
    char what[NM_CULPRIT];
    if (!nm_find_not_finite(t->net, state, what, sizeof what))
        return NM_OK;
    return nm_fail(t->ctx, NM_DIVERGED,
                   "not saved: %s holds NaN or infinity at step %llu; nm_trainer_resume goes on from a checkpoint that "
                   "was saved before",
                   what, (unsigned long long)t->step);
}

nm_status nm_trainer_save(nm_trainer *t, const char *path)
{
    const nm_data *data = t->options.data;
    char *classes = NULL;
    nm_errors_clear(t->ctx);
    nm_train_state state = state_of(t);
    NM_TRY(check_saved(t, &state));
    if (data) {
        state.data = data->name;
        state.normalisation = data->normalisation;
        NM_TRY(join_classes(t->ctx, data, &classes));
        state.classes = data->classes ? classes : NULL;
    }
    nm_status status = nm_checkpoint_save(t->ctx, path, t->net, &state);
    nm_free(classes);
    return status;
}

static nm_status check_same(const nm_trainer *t, const char *path, const char *what, uint64_t there, uint64_t here)
{
    return there == here ? NM_OK
                         : nm_fail(t->ctx, NM_INVALID, "%s: it was trained with %s %llu, the trainer has %llu", path,
                                   what, (unsigned long long)there, (unsigned long long)here);
}

static nm_status load_checkpoint(nm_trainer *t, const char *path, const nm_checkpoint *from, nm_train_state *state)
{
    NM_TRY(nm_checkpoint_load_state(t->ctx, from, t->net, state));
    NM_TRY(check_same(t, path, "seed", state->seed, t->options.seed));
    NM_TRY(check_same(t, path, "steps_per_epoch", state->steps_per_epoch, t->steps_per_epoch));
    return nm_checkpoint_load(t->ctx, from, t->net, false, NULL);
}

nm_status nm_trainer_resume(nm_trainer *t, const char *path)
{
    nm_checkpoint *from;
    nm_errors_clear(t->ctx);
    NM_TRY(nm_checkpoint_open(t->ctx, path, &from));
    nm_train_state state = state_of(t);
    nm_status status = load_checkpoint(t, path, from, &state);
    nm_checkpoint_free(from);
    nm_free(state.history); /* its normalisation was the checkpoint's */
    if (status == NM_OK) {
        t->step = state.step;
        t->keeps = false;
        t->phase = NM_IDLE;
    }
    return status;
}
