/* A layer and a loss of one's own, outside the library: the layer has a parameter, the loss takes
 * labels. Their gradients are compared with differences; then a network with both is trained, and
 * its checkpoint predicts.
 *
 *     own_layer [EPOCHS [RUN]]        presets: 3, own-layer-run
 *
 * Exit status 0: the gradients are right, and the network has learnt. */
#include <norma/extending.h>
#include <norma/norma.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- swish: y = x * s(b_c * x), s(z) = 1 / (1 + exp(-z)), b_c learnt for each channel -----------
 *
 *     dx = dy * (s + b x s (1 - s)),     db_c = sum of dy * x^2 s (1 - s)      (s at b_c x) */

typedef struct swish {
    double slope; /* b at the start */
} swish;

static const nm_option swish_options[] = {
    {.name = "slope", .type = NM_OPT_REAL, .offset = offsetof(swish, slope), .preset = "1", .help = "b at the start"},
    {0},
};

static nm_status swish_infer(nm_infer *e, void *self)
{
    nm_init init = {.kind = NM_INIT_CONSTANT, .value = ((const swish *)self)->slope};
    return nm_declare(e, "slope", NM_BIAS, "C", &e->in[0].c, init);
}

/* Backward's tasks are the channels: each adds up its own gradient, in the order of the pixels, so
 * that the bits do not depend on threads. Forward's are the samples. */
static void swish_forward_sample(void *arg, int sample, int thread)
{
    const nm_pass *p = arg;
    size_t count = nm_shape_size(p->ys), channels = (size_t)p->ys.c;
    const nm_real *x = p->x[0] + (size_t)sample * count, *slope = p->w[0];
    nm_real *y = p->y + (size_t)sample * count;
    (void)thread;
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] / (1 + expf(-slope[i % channels] * x[i]));
}

static void swish_forward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n, swish_forward_sample, (void *)p);
}

static void swish_backward_channel(void *arg, int channel, int thread)
{
    const nm_pass *p = arg;
    size_t count = (size_t)p->n * nm_shape_size(p->ys), channels = (size_t)p->ys.c;
    double b = p->w[0][channel], sum = 0;
    (void)thread;
    for (size_t i = (size_t)channel; i < count; i += channels) {
        double x = p->x[0][i], s = 1 / (1 + exp(-b * x)), slope = x * s * (1 - s);
        sum += p->dy[i] * x * slope;
        if (p->dx[0])
            p->dx[0][i] = (nm_real)(p->dy[i] * (s + b * slope));
    }
    if (p->dw[0])
        p->dw[0][channel] += (nm_real)sum;
}

static void swish_backward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->ys.c, swish_backward_channel, (void *)p);
}

static const nm_layer_type swish_type = {
    .name = "swish",
    .help = "y = x / (1 + exp(-b x)), b learnt for each channel (Ramachandran et al. 2017)",
    .size = sizeof(swish),
    .options = swish_options,
    .least_inputs = 1,
    .most_inputs = 1,
    .role = NM_ROLE_RECTIFIER, /* so that the layer before it is initialised as before a relu */
    .memory = NM_BACK_X,
    .infer = swish_infer,
    .forward = swish_forward,
    .backward = swish_backward,
};

/* ---- brier: sum over the classes of (p_c - t_c)^2, p = softmax(x), t = 1 at the label -----------
 *
 *     dx_k = 2 p_k ((p_k - t_k) - sum over c of p_c (p_c - t_c)) */

enum { MOST_CLASSES = 1000 };

static nm_status brier_infer(nm_context *ctx, const char *who, nm_shape prediction, void *self)
{
    (void)self;
    if (prediction.h != 1 || prediction.w != 1 || prediction.c > MOST_CLASSES)
        return nm_fail(ctx, NM_INVALID, "%s: expected a score for each of at most %d classes; found " NM_SHAPE_FMT, who,
                       MOST_CLASSES, NM_SHAPE_ARGS(prediction));
    return NM_OK;
}

static void brier_sample(const nm_loss_pass *p, int sample)
{
    int classes = p->xs.c, label = p->targets.labels[sample], best = 0;
    const nm_real *x = p->x + (size_t)sample * (size_t)classes;
    double e[MOST_CLASSES], sum = 0, loss = 0, mean = 0;
    for (int c = 1; c < classes; c++)
        best = x[c] > x[best] ? c : best;
    for (int c = 0; c < classes; c++)
        sum += e[c] = exp((double)(x[c] - x[best]));
    for (int c = 0; c < classes; c++) {
        double error = e[c] / sum - (c == label);
        loss += error * error;
        mean += e[c] / sum * error;
    }
    p->sample_loss[sample] = loss;
    if (p->correct)
        p->correct[sample] = best == label;
    if (p->counted)
        p->counted[sample] = 1;
    for (int c = 0; c < classes && p->dx; c++)
        p->dx[(size_t)sample * (size_t)classes + (size_t)c] =
            (nm_real)(p->scale * 2 * e[c] / sum * (e[c] / sum - (c == label) - mean));
}

static void brier_run(const nm_loss_pass *p, const void *self)
{
    (void)self;
    for (int i = 0; i < p->n; i++)
        brier_sample(p, i);
}

static const nm_loss_type brier_type = {
    .name = "brier",
    .help = "squared distance of the softmax from the right class (Brier 1950)",
    .classifies = true,
    .activation = NM_SOFTMAX,
    .infer = brier_infer,
    .run = brier_run,
};

/* ---- their gradients against differences ----------------------------------------------------- */

enum { SAMPLES = 2, CHANNELS = 5, VALUES = SAMPLES * 2 * 2 * CHANNELS };

/* sum of dy * y of a call of swish by hand, with everything that it reads and writes. */
typedef struct swish_call {
    nm_real x[VALUES], y[VALUES], dy[VALUES], dx[VALUES], w[CHANNELS], dw[CHANNELS];
} swish_call;

static double swish_sum(swish_call *v, bool backward)
{
    nm_shape shape = {2, 2, CHANNELS};
    const nm_real *x = v->x;
    nm_real *dx = v->dx, *w = v->w, *dw = v->dw;
    nm_pass pass = {.mode = NM_TRAIN, .n = SAMPLES, .batch = SAMPLES, .inputs = 1, .xs = &shape, .ys = shape};
    pass.x = &x;
    pass.y = v->y;
    pass.dy = v->dy;
    pass.dx = &dx;
    pass.w = &w;
    pass.dw = &dw;
    pass.threads = 2;
    swish_forward(&pass, NULL);
    if (backward)
        swish_backward(&pass, NULL);
    double sum = 0;
    for (int i = 0; i < VALUES; i++)
        sum += (double)v->dy[i] * v->y[i];
    return sum;
}

static double error_of(double analytic, double numeric)
{
    return fabs(analytic - numeric) / (1 + fabs(numeric));
}

/* The largest error of `count` gradients, by central differences of the values at `v`. */
static double swish_error(swish_call *call, nm_real *v, const nm_real *gradient, int count)
{
    double worst = 0, h = 1.0 / 64;
    for (int i = 0; i < count; i++) {
        nm_real at = v[i];
        v[i] = at + (nm_real)h;
        double above = swish_sum(call, false);
        v[i] = at - (nm_real)h;
        double below = swish_sum(call, false);
        v[i] = at;
        worst = fmax(worst, error_of(gradient[i], (above - below) / (2 * h)));
    }
    return worst;
}

static double brier_error(void)
{
    nm_real x[2 * CHANNELS], dx[2 * CHANNELS];
    int32_t labels[2] = {1, 3};
    double losses[2], worst = 0, h = 1.0 / 64;
    nm_loss_pass pass = {.n = 2, .xs = {1, 1, CHANNELS}, .x = x, .scale = 1, .sample_loss = losses};
    pass.targets.labels = labels;
    for (int i = 0; i < 2 * CHANNELS; i++)
        x[i] = (nm_real)sin(3.0 * i);
    pass.dx = dx;
    brier_run(&pass, NULL);
    pass.dx = NULL;
    for (int i = 0; i < 2 * CHANNELS; i++) {
        nm_real at = x[i];
        x[i] = at + (nm_real)h;
        brier_run(&pass, NULL);
        double above = losses[i / CHANNELS];
        x[i] = at - (nm_real)h;
        brier_run(&pass, NULL);
        x[i] = at;
        worst = fmax(worst, error_of(dx[i], (above - losses[i / CHANNELS]) / (2 * h)));
    }
    return worst;
}

static bool gradients_are_right(void)
{
    static swish_call call;
    for (int i = 0; i < VALUES; i++) {
        call.x[i] = (nm_real)(3 * sin(1.7 * i));
        call.dy[i] = (nm_real)cos(2.3 * i);
    }
    for (int c = 0; c < CHANNELS; c++)
        call.w[c] = (nm_real)(0.5 + 0.3 * c);
    swish_sum(&call, true);
    double by_x = swish_error(&call, call.x, call.dx, VALUES), by_b = swish_error(&call, call.w, call.dw, CHANNELS);
    double by_score = brier_error();
    printf("largest errors of gradients: swish by x %.1e, by b %.1e; brier %.1e\n", by_x, by_b, by_score);
    return by_x < 1e-3 && by_b < 1e-3 && by_score < 1e-3;
}

/* ---- training ------------------------------------------------------------------------------- */

static const char model_text[] = "input: {height: 28, width: 28, channels: 1}\n"
                                 "layers:\n"
                                 "- {name: c1, conv: {filters: 8, kernel: 3, stride: 2, pad: same}}\n"
                                 "- swish: {slope: 1.5}\n"
                                 "- {name: c2, conv: {filters: 16, kernel: 3, stride: 2, pad: same}}\n"
                                 "- swish\n"
                                 "- {name: scores, dense: {units: 10}}\n"
                                 "loss: brier\n"
                                 "train: {data: digits, limit: 4000, batch: 32, optimizer: {adam: {lr: 0.003}}}\n";

static nm_status train(nm_context *ctx, const char *epochs, const char *run, nm_outcome *outcome)
{
    nm_model *model = NULL;
    nm_training how = NM_TRAINING_INIT;
    how.run = run;
    nm_status status = nm_model_parse(ctx, model_text, &model);
    if (status == NM_OK)
        status = nm_model_set(ctx, model, "train.epochs", epochs);
    if (status == NM_OK)
        status = nm_model_train(ctx, model, &how, outcome);
    nm_model_free(model);
    return status;
}

/* The checkpoint names the types; a context that knows them opens it. */
static nm_status score(nm_context *ctx, const char *run, nm_score *out)
{
    char path[1000];
    nm_predictor *predictor = NULL;
    snprintf(path, sizeof path, "%s/last.h5", run);
    nm_status status = nm_predictor_open(ctx, path, &predictor);
    if (status == NM_OK)
        status = nm_predictor_score(ctx, predictor, NULL, out);
    nm_predictor_free(predictor);
    return status;
}

int main(int argc, char **argv)
{
    const char *epochs = argc > 1 ? argv[1] : "3", *run = argc > 2 ? argv[2] : "own-layer-run";
    nm_context *ctx = nm_context_new();
    nm_outcome outcome = NM_OUTCOME_INIT;
    nm_score result = NM_SCORE_INIT;
    bool right = gradients_are_right();
    nm_status status = nm_register_layer(ctx, &swish_type);
    if (status == NM_OK)
        status = nm_register_loss(ctx, &brier_type);
    if (status == NM_OK)
        status = train(ctx, epochs, run, &outcome);
    if (status == NM_OK)
        status = score(ctx, run, &result);
    if (status == NM_OK)
        printf("%llu steps: loss %.4f, %.1f %% right\n", (unsigned long long)outcome.step, result.loss,
               100 * result.accuracy);
    for (int i = 0; i < nm_error_count(ctx); i++)
        fprintf(stderr, "%s\n", nm_error_message(ctx, i));
    bool learnt = status == NM_OK && result.accuracy > 0.5;
    nm_score_free(&result);
    nm_outcome_free(&outcome);
    nm_context_free(ctx);
    return right && learnt ? 0 : 1;
}
