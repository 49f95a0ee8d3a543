/* Reading the state of training from a checkpoint, to go on from it. */
#include "alloc.h"
#include "checkpoint_read.h"
#include "gemm.h"

#include <string.h>

/* The same bits are promised only on the same kind of machine and library; a difference is logged,
 * not refused.
 */
static nm_status report_difference(const nm_checkpoint *c, const char *name, const char *here)
{
    char *there;
    NM_TRY(nm_h5_read_note_text(c->h5, "/", name, &there));
    if (strcmp(there, here) != 0)
        nm_log(c->ctx, "%s: %s was '%s' and is '%s' here: the last bits of what follows may differ", c->path, name,
               there, here);
    nm_free(there);
    return NM_OK;
}

static nm_status same_text(const nm_checkpoint *c, const char *what, const char *found, const char *wanted)
{
    if (strcmp(found, wanted) == 0)
        return NM_OK;
    return nm_fail(
        c->ctx, NM_INVALID,
        "%s: its %s is '%s', the run's is '%s': it cannot go on; give what it was trained with, or start another run "
        "(--run)",
        c->path, what, found, wanted);
}

static nm_status load_slots(nm_context *ctx, const nm_checkpoint *c, const nm_network *net, nm_train_state *state)
{
    char *type;
    NM_TRY(nm_h5_read_note_text(c->h5, "/optimizer", "type", &type));
    nm_status status = same_text(c, "optimizer", type, state->optimizer);
    nm_free(type);
    for (int i = 0; i < net->params && status == NM_OK; i++)
        for (int s = 0; s < state->slots && status == NM_OK && net->param[i].kind != NM_STATE; s++) {
            char *path = nm_format(ctx, "/optimizer/%s/%s", net->param[i].name, state->slot_names[s]);
            status =
                path ? nm_checkpoint_values(c, path, &net->param[i], state->slot[s] + net->param[i].offset) : NM_FAILED;
            nm_free(path);
        }
    return status;
}

static nm_status load_history(nm_context *ctx, const nm_checkpoint *c, nm_train_state *state)
{
    nm_h5_shape shape;
    NM_TRY(nm_h5_look(c->h5, "/history/step", &shape));
    size_t rows = shape.rank == 1 ? shape.count : 0;
    uint64_t *column = nm_alloc(ctx, rows + 1, sizeof *column);
    nm_history_row *history = nm_alloc(ctx, rows + 1, sizeof *history);
    nm_status status = column && history ? NM_OK : NM_FAILED;
    for (int i = 0; i < NM_HISTORY_COLUMNS && status == NM_OK; i++) {
        const nm_history_column *which = &nm_history_columns[i];
        status = nm_h5_read(c->h5, which->path, which->type, 1, &rows, column);
        for (size_t r = 0; r < rows && status == NM_OK; r++) {
            char *field = (char *)&history[r] + which->offset;
            if (which->narrow)
                *(uint32_t *)field = (uint32_t)column[r];
            else
                memcpy(field, &column[r], sizeof *column); /* uint64 or the bits of a double */
        }
    }
    nm_free(column);
    if (status != NM_OK) {
        nm_free(history);
        return status;
    }
    state->history = history;
    state->history_count = (int)rows;
    return NM_OK;
}

static nm_status load_numbers(const nm_checkpoint *c, nm_train_state *state)
{
    const struct {
        const char *path;
        nm_h5_type type;
        void *value;
    } numbers[] = {
        {"/train/step", NM_H5_U64, &state->step},
        {"/train/seed", NM_H5_U64, &state->seed},
        {"/train/steps_per_epoch", NM_H5_U64, &state->steps_per_epoch},
        {"/train/loss_sum", NM_H5_F64, &state->loss_sum},
        {"/train/correct", NM_H5_F64, &state->correct},
        {"/train/seen", NM_H5_U64, &state->seen},
        {"/train/best_accuracy", NM_H5_F64, &state->best_accuracy},
        {"/train/best_step", NM_H5_U64, &state->best_step},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        NM_TRY(nm_h5_read(c->h5, numbers[i].path, numbers[i].type, 0, NULL, numbers[i].value));
    state->normalisation = c->normalisation;
    state->counted = -1;
    if (nm_h5_has(c->h5, "/train/counted"))
        NM_TRY(nm_h5_read(c->h5, "/train/counted", NM_H5_F64, 0, NULL, &state->counted));
    return NM_OK;
}

nm_status nm_checkpoint_load_state(nm_context *ctx, const nm_checkpoint *c, const nm_network *net,
                                   nm_train_state *state)
{
    if (!nm_h5_has(c->h5, "/train/step"))
        return nm_fail(ctx, NM_INVALID, "%s: it holds parameters only, no state of training to go on from", c->path);
    NM_TRY(report_difference(c, "norma_version", nm_version()));
    NM_TRY(report_difference(c, "openblas_core", nm_gemm_core()));
    NM_TRY(report_difference(c, "isa", nm_isa_name(nm_isa_level())));
    char *data;
    NM_TRY(nm_h5_read_text(c->h5, "/train/data", &data));
    nm_status status = state->data ? same_text(c, "data set", data, state->data) : NM_OK;
    nm_free(data);
    NM_TRY(status);
    NM_TRY(load_numbers(c, state));
    NM_TRY(load_slots(ctx, c, net, state));
    return load_history(ctx, c, state);
}
