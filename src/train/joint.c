/* What processes that train together do as one: they compare what they are about to train, begin
 * with process 0's state, follow it where it writes files, and stop together. */
#include "train_run.h"

#include "alloc.h"
#include "gemm.h"
#include "isa.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the same everywhere ------------------------------------------------------------------- */

/* Setting by setting, so that what differs has a name. */
static nm_status agree_on_settings(const nm_train_run *t)
{
    const nm_yaml *train = nm_yaml_get(t->document, "train");
    char names[2048] = "", what[160];
    size_t used = 0;
    for (int i = 0; train && i < train->count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s ", train->keys[i]->text);
    NM_TRY(nm_processes_agree(t->processes, "what is given in train", names));
    for (int i = 0; train && i < train->count; i++) {
        char *value;
        NM_TRY(nm_model_text(t->ctx, train->items[i], &value));
        snprintf(what, sizeof what, "train.%s", train->keys[i]->text);
        nm_status status = nm_processes_agree(t->processes, what, value);
        nm_free(value);
        NM_TRY(status);
    }
    return NM_OK;
}

static nm_status agree_on_all(const nm_train_run *t)
{
    nm_processes *p = t->processes;
    char *model, text[128];
    NM_TRY(nm_processes_agree(p, "version of norma", nm_version()));
    snprintf(text, sizeof text, "%s, %s", nm_isa_name(nm_isa_level()), nm_gemm_core());
    NM_TRY(nm_processes_agree(p, "instruction set and OpenBLAS's kernels (NORMA_ISA, OPENBLAS_CORETYPE)", text));
    NM_TRY(agree_on_settings(t));
    NM_TRY(nm_processes_agree(p, "data (its digest)", t->data_digest));
    NM_TRY(nm_model_text(t->ctx, t->document, &model));
    nm_status status = nm_processes_agree(p, "model", model);
    nm_free(model);
    return status;
}

nm_status nm_train_together(const nm_train_run *t, nm_status status)
{
    nm_processes *p = t->processes;
    if (!p)
        return status;
    int errors = nm_error_count(t->ctx);
    const char *said = status == NM_OK || !errors ? "ready" : nm_error_message(t->ctx, errors - 1);
    char text[512];
    snprintf(text, sizeof text, "%s", said);
    NM_TRY(nm_processes_agree(p, "start of training", text));
    NM_TRY(status);
    if (t->settings->watch.count)
        return nm_fail(t->ctx, NM_INVALID,
                       "train.watch: not with several processes, each of which has some samples only");
    return agree_on_all(t);
}

/* ---- process 0 leads ----------------------------------------------------------------------- */

nm_status nm_train_follow(const nm_train_run *t, nm_status status)
{
    int lead = (int)status;
    NM_TRY(nm_processes_broadcast(t->processes, &lead, sizeof lead, 0));
    return status != NM_OK ? status : (nm_status)lead;
}

typedef struct block {
    void *data;
    size_t bytes;
} block;

static nm_status take_rows(nm_train_run *t, int rows)
{
    if (!t->processes)
        return NM_OK;
    for (int i = 0; i < rows; i++) {
        nm_history_row row = {0};
        double seconds = 0;
        if (nm_processes_rank(t->processes) == 0) {
            row = t->state.history[i];
            seconds = t->row_seconds[i];
        }
        NM_TRY(nm_processes_broadcast(t->processes, &row, sizeof row, 0));
        if (nm_processes_rank(t->processes) > 0)
            NM_TRY(nm_train_run_add_row(t, &row, seconds));
    }
    return NM_OK;
}

nm_status nm_train_take_state(nm_train_run *t)
{
    nm_train_state *s = &t->state;
    int rows = s->history_count;
    size_t weights = t->net->weight_count * sizeof(real);
    const block taken[] = {{&s->step, sizeof s->step},
                           {&s->seen, sizeof s->seen},
                           {&s->loss_sum, sizeof s->loss_sum},
                           {&s->correct, sizeof s->correct},
                           {&s->counted, sizeof s->counted},
                           {&s->best_accuracy, sizeof s->best_accuracy},
                           {&s->best_step, sizeof s->best_step},
                           {&t->resumed_step, sizeof t->resumed_step},
                           {&t->saved_step, sizeof t->saved_step},
                           {&t->seconds_before, sizeof t->seconds_before},
                           {&rows, sizeof rows},
                           {t->net->weights, weights},
                           {t->net->states, t->net->state_count * sizeof(real)}};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        NM_TRY(nm_processes_broadcast(t->processes, taken[i].data, taken[i].bytes, 0));
    for (int i = 0; i < s->slots; i++)
        NM_TRY(nm_processes_broadcast(t->processes, s->slot[i], weights, 0));
    return take_rows(t, rows);
}

/* ---- what is sent --------------------------------------------------------------------------- */

void nm_train_count_traffic(nm_train_run *t, const nm_traffic *before)
{
    nm_traffic now = nm_processes_traffic(t->processes);
    t->sent.messages += now.messages - before->messages;
    t->sent.bytes += now.bytes - before->bytes;
    t->sent_steps++;
}

/* ---- stopping ------------------------------------------------------------------------------ */

nm_status nm_train_stop_together(const nm_train_run *t, bool *stop)
{
    size_t offset[NM_MOST_SHARDS + 1];
    char wanted[NM_MOST_SHARDS] = {0};
    int count = nm_processes_count(t->processes);
    if (count == 1)
        return NM_OK;
    for (int r = 0; r <= count; r++)
        offset[r] = (size_t)r;
    wanted[nm_processes_rank(t->processes)] = *stop;
    NM_TRY(nm_processes_gather(t->processes, wanted, offset));
    *stop = memchr(wanted, 1, (size_t)count) != NULL;
    return NM_OK;
}
