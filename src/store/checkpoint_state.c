/* Reading the state of training from a checkpoint, to go on from it. */
#include "alloc.h"
#include "checkpoint_read.h"
#include "gemm.h"
#include "number_text.h"

#include <float.h>
#include <limits.h>
#include <math.h>
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

/* ---- numbers: nothing that a training could not have written ----------------------------- */

static const uint64_t MOST_STEPS = (uint64_t)1 << 53; /* all that a double counts */

static nm_status refuse_number(const nm_checkpoint *c, const char *path, double found, const char *expected)
{
    char text[NM_NUMBER_TEXT];
    nm_number_text(found, text);
    return nm_fail(c->ctx, NM_INVALID, "%s: %s is %s; expected %s", c->path, path, text, expected);
}

/* A row is of a step behind the one before, and no later than the state. */
static nm_status check_row(const nm_checkpoint *c, const nm_history_row *row, const nm_history_row *before,
                           uint64_t step)
{
    const double values[] = {row->train_loss, row->train_accuracy, row->test_loss, row->test_accuracy};
    if (row->step > step || (before && row->step <= before->step))
        return refuse_number(c, "/history/step", (double)row->step, "growing numbers up to /train/step");
    if (!isfinite(row->lr) || row->lr < 0)
        return refuse_number(c, "/history/lr", row->lr, "a number from 0");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (isinf(values[i]))
            return refuse_number(c, "/history", values[i], "numbers, or NaN for what was not measured");
    return NM_OK;
}

static nm_status read_column(const nm_checkpoint *c, const nm_history_column *which, size_t rows, uint64_t *column,
                             nm_history_row *history)
{
    NM_TRY(nm_h5_read(c->h5, which->path, which->type, 1, &rows, column));
    for (size_t r = 0; r < rows; r++) {
        char *field = (char *)&history[r] + which->offset;
        if (which->narrow && column[r] > UINT32_MAX)
            return refuse_number(c, which->path, (double)column[r], "a number below 2^32");
        if (which->narrow)
            *(uint32_t *)field = (uint32_t)column[r];
        else
            memcpy(field, &column[r], sizeof *column); /* uint64 or the bits of a double */
    }
    return NM_OK;
}

static nm_status load_history(nm_context *ctx, const nm_checkpoint *c, nm_train_state *state)
{
    nm_h5_shape shape;
    NM_TRY(nm_h5_look(c->h5, "/history/step", &shape));
    size_t rows = shape.count;
    char found[NM_H5_DESCRIPTION];
    if (shape.rank != 1 || rows > INT_MAX)
        return nm_fail(ctx, NM_INVALID, "%s: /history/step: expected a number a row, found %s", c->path,
                       nm_h5_describe(&shape, found));
    uint64_t *column = nm_alloc(ctx, rows + 1, sizeof *column);
    nm_history_row *history = nm_alloc(ctx, rows + 1, sizeof *history);
    nm_status status = column && history ? NM_OK : NM_FAILED;
    for (int i = 0; i < NM_HISTORY_COLUMNS && status == NM_OK; i++)
        status = read_column(c, &nm_history_columns[i], rows, column, history);
    for (size_t r = 0; r < rows && status == NM_OK; r++)
        status = check_row(c, &history[r], r ? &history[r - 1] : NULL, state->step);
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
        uint64_t *value, most;
    } counts[] = {
        {"/train/step", &state->step, MOST_STEPS},
        {"/train/seed", &state->seed, UINT64_MAX},
        {"/train/steps_per_epoch", &state->steps_per_epoch, MOST_STEPS},
        {"/train/seen", &state->seen, MOST_STEPS},
        {"/train/best_step", &state->best_step, MOST_STEPS},
    };
    const struct {
        const char *path;
        double *value, least, most;
        bool may_be_absent;
    } sums[] = {
        {"/train/loss_sum", &state->loss_sum, -DBL_MAX, DBL_MAX, false},
        {"/train/correct", &state->correct, 0, DBL_MAX, false},
        {"/train/counted", &state->counted, -1, DBL_MAX, true},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        NM_TRY(nm_h5_read(c->h5, counts[i].path, NM_H5_U64, 0, NULL, counts[i].value));
        if (*counts[i].value > counts[i].most)
            return refuse_number(c, counts[i].path, (double)*counts[i].value, "at most 2^53");
    }
    state->counted = -1;
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        if (sums[i].may_be_absent && !nm_h5_has(c->h5, sums[i].path))
            continue;
        NM_TRY(nm_h5_read(c->h5, sums[i].path, NM_H5_F64, 0, NULL, sums[i].value));
        if (!(*sums[i].value >= sums[i].least && *sums[i].value <= sums[i].most))
            return refuse_number(c, sums[i].path, *sums[i].value, "a finite number that a sum can have");
    }
    NM_TRY(nm_h5_read(c->h5, "/train/best_accuracy", NM_H5_F64, 0, NULL, &state->best_accuracy));
    if (state->best_accuracy < 0 || state->best_accuracy > 1)
        return refuse_number(c, "/train/best_accuracy", state->best_accuracy, "a share, from 0 to 1");
    if (state->best_step > state->step)
        return refuse_number(c, "/train/best_step", (double)state->best_step, "at most /train/step");
    state->normalisation = c->normalisation;
    state->changes = NULL;
    return nm_h5_has(c->h5, "/train/changes") ? nm_h5_read_text(c->h5, "/train/changes", &state->changes) : NM_OK;
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
    NM_TRY(load_slots(ctx, c, net, state));
    NM_TRY(load_numbers(c, state));
    status = load_history(ctx, c, state);
    if (status != NM_OK) {
        nm_free(state->changes);
        state->changes = NULL;
    }
    return status;
}
