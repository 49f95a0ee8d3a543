/* Writing checkpoints. docs/checkpoint.md describes the format for those who read them elsewhere.
 */
#include "checkpoint.h"

#include "alloc.h"
#include "checkpoint_format.h"
#include "gemm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Any NaN is stored as the same bits: which NaN an operation gives is the processor's business. */
static double plain(double value)
{
    return isnan(value) ? (double)NAN : value;
}

/* The text that parsing and writing leaves as it is: a run that was resumed from it writes the same
 * bytes. */
nm_status nm_model_text(nm_context *ctx, const nm_yaml *document, char **text)
{
    char *first = NULL;
    nm_yaml *again = NULL;
    *text = NULL;
    NM_TRY(nm_yaml_write(ctx, document, &first));
    nm_status status = nm_yaml_parse(ctx, "model.yaml", first, strlen(first), &again);
    if (status == NM_OK)
        status = nm_yaml_write(ctx, again, text);
    nm_yaml_free(again);
    nm_free(first);
    return status;
}

static nm_status write_facts(nm_h5 *h5)
{
    NM_TRY(nm_h5_note_text(h5, "/", "format", NM_CHECKPOINT_FORMAT));
    NM_TRY(nm_h5_note_int(h5, "/", "format_version", NM_CHECKPOINT_VERSION));
    NM_TRY(nm_h5_note_text(h5, "/", "norma_version", nm_version()));
    NM_TRY(nm_h5_note_text(h5, "/", "openblas_core", nm_gemm_core()));
    NM_TRY(nm_h5_note_text(h5, "/", "isa", nm_isa_name(nm_isa_level())));
    return nm_h5_note_text(h5, "/", "real", NM_REAL_NAME);
}

/* ---- parameters and the optimizer's memory of them ------------------------------------ */

static nm_status write_values(nm_h5 *h5, const char *path, const nm_param *param, const real *values)
{
    size_t dims[NM_MAX_RANK];
    for (int i = 0; i < param->rank; i++)
        dims[i] = (size_t)param->dims[i];
    NM_TRY(nm_h5_write(h5, path, NM_H5_REAL, param->rank, dims, values));
    return nm_h5_note_text(h5, path, "layout", param->layout);
}

static nm_status write_param(nm_h5 *h5, nm_context *ctx, const nm_network *net, const nm_param *param)
{
    static const char *const kinds[] = {[NM_WEIGHT] = "weight", [NM_BIAS] = "bias", [NM_STATE] = "state"};
    char *path = nm_format(ctx, "/model/%s", param->name);
    nm_status status = path ? write_values(h5, path, param, nm_param_values(net, param)) : NM_FAILED;
    if (status == NM_OK)
        status = nm_h5_note_text(h5, path, "kind", kinds[param->kind]);
    nm_free(path);
    return status;
}

static nm_status write_slots(nm_h5 *h5, nm_context *ctx, const nm_network *net, const nm_train_state *state)
{
    NM_TRY(nm_h5_group(h5, "/optimizer"));
    NM_TRY(nm_h5_note_text(h5, "/optimizer", "type", state->optimizer));
    for (int i = 0; i < net->params; i++) {
        const nm_param *param = &net->param[i];
        if (param->kind == NM_STATE)
            continue;
        for (int s = 0; s < state->slots; s++) {
            char *path = nm_format(ctx, "/optimizer/%s/%s", param->name, state->slot_names[s]);
            nm_status status = path ? write_values(h5, path, param, state->slot[s] + param->offset) : NM_FAILED;
            nm_free(path);
            NM_TRY(status);
        }
    }
    return NM_OK;
}

/* ---- the state of training ------------------------------------------------------------- */

static nm_status write_train(nm_h5 *h5, const nm_train_state *state)
{
    uint64_t epoch = state->steps_per_epoch ? state->step / state->steps_per_epoch : 0;
    double loss_sum = plain(state->loss_sum), best = plain(state->best_accuracy);
    const struct {
        const char *path;
        nm_h5_type type;
        const void *value;
    } numbers[] = {
        {"/train/step", NM_H5_U64, &state->step},       {"/train/epoch", NM_H5_U64, &epoch},
        {"/train/seed", NM_H5_U64, &state->seed},       {"/train/steps_per_epoch", NM_H5_U64, &state->steps_per_epoch},
        {"/train/loss_sum", NM_H5_F64, &loss_sum},      {"/train/correct", NM_H5_F64, &state->correct},
        {"/train/counted", NM_H5_F64, &state->counted}, {"/train/seen", NM_H5_U64, &state->seen},
        {"/train/best_accuracy", NM_H5_F64, &best},     {"/train/best_step", NM_H5_U64, &state->best_step},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        NM_TRY(nm_h5_write(h5, numbers[i].path, numbers[i].type, 0, NULL, numbers[i].value));
    size_t channels = (size_t)state->normalisation.channels;
    if (channels) { /* trained on what was not normalised: there are none */
        NM_TRY(nm_h5_write(h5, "/train/mean", NM_H5_F64, 1, &channels, state->normalisation.mean));
        NM_TRY(nm_h5_write(h5, "/train/deviation", NM_H5_F64, 1, &channels, state->normalisation.deviation));
    }
    NM_TRY(nm_h5_write_text(h5, "/train/classes", state->classes ? state->classes : ""));
    NM_TRY(nm_h5_write_text(h5, "/train/data_digest", state->data_digest ? state->data_digest : ""));
    if (state->changes)
        NM_TRY(nm_h5_write_text(h5, "/train/changes", state->changes));
    return nm_h5_write_text(h5, "/train/data", state->data ? state->data : "");
}

/* One dataset a column. */
static nm_status write_history(nm_h5 *h5, nm_context *ctx, const nm_train_state *state)
{
    size_t rows = (size_t)state->history_count;
    double *column = nm_alloc(ctx, rows + 1, sizeof *column);
    uint64_t *whole = (uint64_t *)column;
    if (!column)
        return NM_FAILED;
    nm_status status = NM_OK;
    for (int c = 0; c < NM_HISTORY_COLUMNS && status == NM_OK; c++) {
        const nm_history_column *which = &nm_history_columns[c];
        for (size_t r = 0; r < rows; r++) {
            const char *field = (const char *)&state->history[r] + which->offset;
            if (which->type == NM_H5_F64)
                column[r] = plain(*(const double *)field);
            else
                whole[r] = which->narrow ? *(const uint32_t *)field : *(const uint64_t *)field;
        }
        status = nm_h5_write(h5, which->path, which->type, 1, &rows, column);
    }
    nm_free(column);
    return status;
}

static nm_status fill(nm_h5 *h5, nm_context *ctx, const nm_network *net, const nm_train_state *state)
{
    NM_TRY(write_facts(h5));
    NM_TRY(nm_h5_group(h5, "/model"));
    for (int i = 0; i < net->params; i++)
        NM_TRY(write_param(h5, ctx, net, &net->param[i]));
    char *text;
    NM_TRY(nm_model_text(ctx, net->document, &text));
    nm_status status = nm_h5_write_text(h5, "/model_yaml", text);
    nm_free(text);
    NM_TRY(status);
    if (!state)
        return NM_OK;
    NM_TRY(write_slots(h5, ctx, net, state));
    NM_TRY(write_train(h5, state));
    return write_history(h5, ctx, state);
}

nm_status nm_checkpoint_save(nm_context *ctx, const char *path, const nm_network *net, const nm_train_state *state)
{
    nm_h5 *h5;
    NM_TRY(nm_h5_new(ctx, path, &h5));
    nm_status status = fill(h5, ctx, net, state);
    if (status == NM_OK)
        status = nm_h5_save(h5, path, true);
    nm_h5_free(h5);
    return status;
}
