/* The public functions of norma.h that train and predict: thin ones over this room. */
#include "alloc.h"
#include "evaluate.h"
#include "train.h"

#include <math.h>
#include <string.h>

/* ---- models ---------------------------------------------------------------------------------- */

struct nm_model {
    nm_yaml *document;
};

/* Takes the document. */
static nm_status wrap(nm_context *ctx, nm_yaml *document, nm_model **out)
{
    *out = nm_alloc(ctx, 1, sizeof **out);
    if (*out)
        (*out)->document = document;
    else
        nm_yaml_free(document);
    return *out ? NM_OK : NM_FAILED;
}

nm_status nm_model_load(nm_context *ctx, const char *name, nm_model **out)
{
    char *path;
    nm_yaml *document = NULL;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_model_path(ctx, name, &path));
    nm_status status = nm_yaml_load(ctx, path, &document);
    nm_free(path);
    return status == NM_OK ? wrap(ctx, document, out) : status;
}

nm_status nm_model_parse(nm_context *ctx, const char *text, nm_model **out)
{
    nm_yaml *document;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_yaml_parse(ctx, "model", text, strlen(text), &document));
    return wrap(ctx, document, out);
}

void nm_model_free(nm_model *model)
{
    if (!model)
        return;
    nm_yaml_free(model->document);
    nm_free(model);
}

nm_status nm_model_set(nm_context *ctx, nm_model *model, const char *key, const char *value)
{
    nm_errors_clear(ctx);
    NM_TRY(nm_document_set(ctx, model->document, key, value));
    nm_settings_settle(model->document, &key, 1);
    return NM_OK;
}

/* ---- training -------------------------------------------------------------------------------- */

static nm_metrics metrics(const nm_history_row *row, double seconds)
{
    return (nm_metrics){.step = row->step,
                        .epoch = (int)row->epoch,
                        .lr = row->lr,
                        .train_loss = row->train_loss,
                        .train_accuracy = row->train_accuracy,
                        .test_loss = row->test_loss,
                        .test_accuracy = row->test_accuracy,
                        .seconds = seconds};
}

static void pass_row(void *arg, const nm_progress *progress)
{
    const nm_training *how = arg;
    if (!progress->row || !how->on_row)
        return;
    nm_metrics row = metrics(&progress->history, progress->seconds);
    how->on_row(how->arg, &row);
}

static void fill_outcome(const nm_train_result *result, nm_outcome *outcome)
{
    *outcome = (nm_outcome){.step = result->step,
                            .stopped = result->stopped,
                            .diverged = result->diverged,
                            .best_accuracy = (double)NAN,
                            .seconds = result->seconds};
    int best = nm_best_row(result->history, result->rows), last = result->rows - 1;
    if (best >= 0)
        outcome->best_accuracy = result->history[best].test_accuracy;
    if (last >= 0)
        outcome->last = metrics(&result->history[last], result->row_seconds[last]);
}

nm_status nm_model_train(nm_context *ctx, const nm_model *model, const nm_training *how, nm_outcome *outcome)
{
    nm_training plain = {0};
    how = how ? how : &plain;
    nm_train_request request = {.document = model->document,
                                .run = how->run,
                                .resume = how->resume,
                                .progress = pass_row,
                                .arg = (void *)how,
                                .stop = how->stop};
    nm_train_result result;
    *outcome = (nm_outcome){.best_accuracy = (double)NAN};
    nm_errors_clear(ctx);
    NM_TRY(nm_train(ctx, &request, &result));
    fill_outcome(&result, outcome);
    nm_train_result_free(&result);
    if (outcome->diverged)
        return nm_fail(ctx, NM_DIVERGED, "training diverged: the loss of step %llu is not a finite number",
                       (unsigned long long)outcome->step);
    return NM_OK;
}

/* ---- prediction ---------------------------------------------------------------------------- */

/* Images at once; more are taken in pieces. */
enum { PIECE = 64 };

struct nm_predictor {
    nm_network *net;
    const nm_train_settings *settings; /* the network's */
    nm_normalisation normalisation;    /* of no channels where the checkpoint has none */
    real *table;                       /* of pixels; NULL until the first are given */
    nm_plan *plan;
    real *x;       /* [PIECE][h][w][c] */
    char *classes; /* names, one a line; NULL: the checkpoint has none */
    size_t inputs, outputs;
};

static nm_status prepare(nm_context *ctx, nm_predictor *p)
{
    nm_network *net = p->net;
    if (net->inputs != 1)
        return nm_fail(ctx, NM_INVALID, "the network has %d inputs; one that takes images has one", net->inputs);
    p->inputs = nm_shape_size(net->node[0].out);
    p->outputs = nm_shape_size(net->node[net->output].out);
    nm_request request = {
        .mode = NM_EVAL, .batch = PIECE, .threads = nm_context_threads(ctx), .keep = &net->output, .keeps = 1};
    NM_TRY(nm_plan_new(net, &request, &p->plan));
    p->x = nm_alloc(ctx, PIECE * p->inputs, sizeof(real));
    return p->x ? NM_OK : NM_FAILED;
}

nm_status nm_predictor_open(nm_context *ctx, const char *path, nm_predictor **out)
{
    nm_checkpoint *checkpoint;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_checkpoint_open(ctx, path, &checkpoint));
    nm_predictor *p = nm_alloc(ctx, 1, sizeof *p);
    nm_status status = p ? nm_checkpoint_network(ctx, checkpoint, &p->net) : NM_FAILED;
    if (status == NM_OK)
        p->settings = nm_settings_of(p->net);
    if (status == NM_OK)
        status = nm_normalisation_copy(ctx, nm_checkpoint_normalisation(checkpoint), &p->normalisation);
    const char *classes = status == NM_OK ? nm_checkpoint_classes(checkpoint) : NULL;
    if (classes && !(p->classes = nm_strdup(ctx, classes)))
        status = NM_FAILED;
    nm_checkpoint_free(checkpoint);
    if (status == NM_OK)
        status = nm_check_finite(ctx, p->net);
    if (status == NM_OK)
        status = prepare(ctx, p);
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
    nm_free(p->classes);
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

/* Over the channels of each place, in double; shifted by the largest, so that nothing overflows. */
static void softmax(const real *y, int channels, float *out)
{
    double largest = (double)y[0], sum = 0;
    for (int c = 1; c < channels; c++)
        largest = (double)y[c] > largest ? (double)y[c] : largest;
    for (int c = 0; c < channels; c++)
        sum += exp((double)y[c] - largest);
    for (int c = 0; c < channels; c++)
        out[c] = (float)(exp((double)y[c] - largest) / sum);
}

static double sigmoid(double x)
{
    return x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

/* What the loss would make of the scores of one image. False: they hold NaN or infinity, and so
 * `out` is all NaN. */
static bool finish_image(const nm_predictor *p, const real *y, float *out)
{
    size_t channels = (size_t)p->net->node[p->net->output].out.c;
    bool finite = true;
    for (size_t i = 0; i < p->outputs; i++)
        finite = finite && isfinite((double)y[i]);
    for (size_t i = 0; i < p->outputs; i++)
        out[i] = !finite ? NAN : p->net->apply == NM_SIGMOID ? (float)sigmoid((double)y[i]) : (float)y[i];
    for (size_t i = 0; i < p->outputs && finite && p->net->apply == NM_SOFTMAX; i += channels)
        softmax(y + i, (int)channels, out + i);
    return finite;
}

/* Of the images in p->x; gives how many have outputs that are not finite. */
static int predict_piece(nm_predictor *p, int n, float *outputs)
{
    const real *x = p->x;
    nm_batch batch = {.n = n, .x = &x};
    nm_plan_forward(p->plan, &batch);
    const real *y = p->net->output < p->net->inputs ? x : nm_plan_output(p->plan, p->net->output);
    int broken = 0;
    for (int i = 0; i < n; i++)
        broken += !finish_image(p, y + (size_t)i * p->outputs, outputs + (size_t)i * p->outputs);
    return broken;
}

static nm_status check_outputs(nm_context *ctx, int broken, int n)
{
    return broken ? nm_fail(ctx, NM_DIVERGED, "the network yields NaN or infinity for %d of %d images", broken, n)
                  : NM_OK;
}

nm_status nm_predict_u8(nm_context *ctx, nm_predictor *p, int n, const uint8_t *pixels, float *outputs)
{
    nm_errors_clear(ctx);
    int channels = p->net->node[0].out.c, broken = 0;
    if (n < 1)
        return nm_fail(ctx, NM_INVALID, "expected at least one image, found %d", n);
    if (!p->table)
        NM_TRY(nm_pixel_table_new(ctx, &p->normalisation, channels, p->settings->binary, &p->table));
    for (int first = 0; first < n; first += PIECE) {
        int part = n - first < PIECE ? n - first : PIECE;
        const uint8_t *from = pixels + (size_t)first * p->inputs;
        nm_normalise(p->table, channels, from, (size_t)part * p->inputs, p->x);
        broken += predict_piece(p, part, outputs + (size_t)first * p->outputs);
    }
    return check_outputs(ctx, broken, n);
}

nm_status nm_predict_f32(nm_context *ctx, nm_predictor *p, int n, const float *values, float *outputs)
{
    int broken = 0;
    nm_errors_clear(ctx);
    if (n < 1)
        return nm_fail(ctx, NM_INVALID, "expected at least one image, found %d", n);
    for (int first = 0; first < n; first += PIECE) {
        int part = n - first < PIECE ? n - first : PIECE;
        for (size_t i = 0; i < (size_t)part * p->inputs; i++)
            p->x[i] = (real)values[(size_t)first * p->inputs + i];
        broken += predict_piece(p, part, outputs + (size_t)first * p->outputs);
    }
    return check_outputs(ctx, broken, n);
}

/* ---- evaluation ---------------------------------------------------------------------------- */

nm_status nm_predictor_score(nm_context *ctx, nm_predictor *p, const char *data, nm_score *out)
{
    nm_dataset *set;
    *out = (nm_score){0};
    nm_errors_clear(ctx);
    NM_TRY(nm_trained_data_open(ctx, data, p->settings, p->net, p->classes, &set));
    nm_evaluation e = {0};
    nm_status status =
        nm_evaluate(ctx, p->net, &set->test, 0, p->settings->eval_batch, &p->normalisation, p->settings->binary, &e);
    if (status == NM_OK) {
        *out = (nm_score){e.samples, e.classes, e.loss, e.accuracy, e.confusion};
        e.confusion = NULL;
    }
    nm_evaluation_free(&e);
    nm_dataset_free(set);
    return status;
}

void nm_score_free(nm_score *score)
{
    nm_free(score->confusion);
    *score = (nm_score){0};
}
