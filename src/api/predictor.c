/* The public functions of norma.h that predict. */
#include "predictor.h"

#include "alloc.h"
#include "api_types.h"
#include "evaluate.h"
#include "outputs.h"

#include <math.h>
#include <string.h>

/* Images at once, where there is memory for them; more are taken in pieces. */
enum { MOST_AT_ONCE = 64 };

static nm_status prepare(nm_context *ctx, nm_predictor *p)
{
    nm_network *net = p->net;
    if (p->plan)
        return NM_OK;
    const nm_beside beside = {.per_sample = p->inputs * sizeof(real), .flag = "a batch of "};
    nm_request request = nm_evaluation_request(net, MOST_AT_ONCE, nm_context_threads(ctx), &beside);
    nm_status status = nm_plan_new(net, &request, &p->plan);
    for (; status == NM_FAILED && request.batch > 1; status = nm_plan_new(net, &request, &p->plan)) {
        nm_errors_clear(net->ctx);
        request.batch /= 2;
    }
    NM_TRY(status);
    p->at_once = request.batch;
    if (!p->x && !(p->x = nm_alloc(ctx, (size_t)p->at_once * p->inputs, sizeof(real)))) {
        nm_plan_free(p->plan);
        p->plan = NULL;
        return NM_FAILED;
    }
    return NM_OK;
}

/* The names in p->classes, apart. */
static nm_status split_names(nm_context *ctx, nm_predictor *p)
{
    size_t size = strlen(p->classes);
    if (!(p->names = nm_alloc(ctx, size + 2, 1))) /* one that is empty ends them */
        return NM_FAILED;
    for (size_t i = 0; i < size; i++)
        p->names[i] = (char)(p->classes[i] == '\n' ? '\0' : p->classes[i]);
    return NM_OK;
}

/* Who names a run's folder is told which of its files it is. */
static nm_status check_finite(nm_context *ctx, const nm_predictor *p)
{
    int first = nm_error_count(ctx);
    nm_status status = nm_check_finite(ctx, p->net);
    nm_errors_place(ctx, first, p->file);
    return status;
}

static nm_status read_checkpoint(nm_context *ctx, const nm_checkpoint *checkpoint, nm_predictor *p)
{
    const char *classes = nm_checkpoint_classes(checkpoint);
    NM_TRY(nm_checkpoint_network(ctx, checkpoint, &p->net));
    p->settings = nm_settings_of(p->net);
    NM_TRY(nm_normalisation_copy(ctx, nm_checkpoint_normalisation(checkpoint), &p->normalisation));
    if (classes && !(p->classes = nm_strdup(ctx, classes)))
        return NM_FAILED;
    if (classes)
        NM_TRY(split_names(ctx, p));
    p->step = nm_checkpoint_step(checkpoint);
    p->epoch = nm_checkpoint_epoch(checkpoint);
    if (p->net->inputs != 1)
        return nm_fail(ctx, NM_INVALID, "the network has %d inputs; one that takes images has one", p->net->inputs);
    p->inputs = nm_shape_size(p->net->node[0].out);
    p->outputs = nm_shape_size(p->net->node[p->net->output].out);
    p->images = (nm_image_reader){.ctx = ctx, .rules = p->settings->images};
    return check_finite(ctx, p);
}

nm_status nm_predictor_open(nm_context *ctx, const char *path, nm_predictor **out)
{
    nm_checkpoint *checkpoint;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_checkpoint_open(ctx, path, &checkpoint));
    nm_predictor *p = nm_alloc(ctx, 1, sizeof *p);
    nm_status status = p && (p->file = nm_strdup(ctx, path)) ? read_checkpoint(ctx, checkpoint, p) : NM_FAILED;
    nm_checkpoint_free(checkpoint);
    if (status == NM_OK)
        *out = p;
    else
        nm_predictor_free(p);
    return status;
}

void nm_predictor_free(nm_predictor *p)
{
    if (!p)
        return;
    nm_plan_free(p->plan);
    nm_network_free(p->net);
    nm_normalisation_free(&p->normalisation);
    nm_free(p->table);
    nm_free(p->file);
    nm_free(p->classes);
    nm_free(p->names);
    nm_free(p->x);
    nm_free(p);
}

void nm_predictor_input(const nm_predictor *p, int *height, int *width, int *channels)
{
    nm_shape in = p->net->node[0].out;
    *height = in.h;
    *width = in.w;
    *channels = in.c;
}

int nm_predictor_outputs(const nm_predictor *p)
{
    return (int)p->outputs;
}

bool nm_predictor_probabilities(const nm_predictor *p)
{
    return p->net->apply != NM_LINEAR || p->net->node[p->net->output].activation != NM_LINEAR;
}

/* Of the images in p->x; gives how many have outputs that are not finite. */
static int predict_piece(nm_predictor *p, int n, float *outputs)
{
    const real *x = p->x;
    nm_batch batch = {.n = n, .x = &x};
    nm_plan_run(p->plan, &batch, NM_PHASE_FORWARD);
    const real *y = p->net->output < p->net->inputs ? x : nm_plan_output(p->plan, p->net->output);
    int broken = 0, first = 0;
    for (int i = 0; i < n; i++)
        if (!nm_finish_outputs(p->net, y + (size_t)i * p->outputs, outputs + (size_t)i * p->outputs) && broken++ == 0)
            first = i;
    x += (size_t)first * p->inputs;
    if (broken)
        (void)nm_find_culprit(p->net, NM_EVAL, &(nm_batch){.n = 1, .x = &x}, p->culprit);
    return broken;
}

static nm_status check_outputs(nm_context *ctx, const nm_predictor *p, int broken, int n)
{
    const char *first = *p->culprit ? "; the first to hold it is " : "";
    return broken ? nm_fail(ctx, NM_DIVERGED, "the network yields NaN or infinity for %d of %d images%s%s", broken, n,
                            first, p->culprit)
                  : NM_OK;
}

nm_status nm_predict_u8(nm_context *ctx, nm_predictor *p, int n, const uint8_t *pixels, float *outputs)
{
    nm_errors_clear(ctx);
    int channels = p->net->node[0].out.c, broken = 0;
    if (n < 1)
        return nm_fail(ctx, NM_INVALID, "expected at least one image, found %d", n);
    NM_TRY(prepare(ctx, p));
    NM_TRY(nm_predictor_need_table(ctx, p));
    for (int first = 0; first < n; first += p->at_once) {
        int part = n - first < p->at_once ? n - first : p->at_once;
        const uint8_t *from = pixels + (size_t)first * p->inputs;
        nm_normalise(p->table, channels, from, (size_t)part * p->inputs, p->x);
        broken += predict_piece(p, part, outputs + (size_t)first * p->outputs);
    }
    return check_outputs(ctx, p, broken, n);
}

nm_status nm_predict_f32(nm_context *ctx, nm_predictor *p, int n, const float *values, float *outputs)
{
    int broken = 0;
    nm_errors_clear(ctx);
    if (n < 1)
        return nm_fail(ctx, NM_INVALID, "expected at least one image, found %d", n);
    NM_TRY(prepare(ctx, p));
    for (int first = 0; first < n; first += p->at_once) {
        int part = n - first < p->at_once ? n - first : p->at_once;
        for (size_t i = 0; i < (size_t)part * p->inputs; i++)
            p->x[i] = (real)values[(size_t)first * p->inputs + i];
        broken += predict_piece(p, part, outputs + (size_t)first * p->outputs);
    }
    return check_outputs(ctx, p, broken, n);
}

/* ---- evaluation ---------------------------------------------------------------------------- */

nm_status nm_predictor_score(nm_context *ctx, nm_predictor *p, const char *data, nm_score *out)
{
    nm_dataset *set;
    nm_score score = NM_SCORE_INIT;
    nm_errors_clear(ctx);
    NM_TRY(nm_sized_write(ctx, "NM_SCORE_INIT", out, &score, sizeof score));
    NM_TRY(nm_trained_data_open(ctx, data, p->settings, p->net, p->classes, &set));
    nm_evaluation e = {0};
    nm_status status =
        nm_evaluate(ctx, p->net, &set->test, 0, p->settings->eval_batch, &p->normalisation, p->settings->binary, &e);
    if (status == NM_OK) {
        score = (nm_score){sizeof score, e.samples, e.classes, e.loss, e.accuracy, e.confusion};
        e.confusion = NULL;
        status = nm_sized_write(ctx, "NM_SCORE_INIT", out, &score, sizeof score);
    }
    nm_evaluation_free(&e);
    nm_dataset_free(set);
    return status;
}

void nm_score_free(nm_score *score)
{
    nm_free(score->confusion);
    score->confusion = NULL;
}
