/* A DCGAN (Radford et al. 2016): two networks that train each other. The generator makes images of
 * noise; the discriminator learns to tell them from real ones, and its gradient by the image is
 * what the generator learns from.
 *
 *     dcgan [DATA [STEPS [SHEET]]]        preset: mnist 3000 dcgan.pgm
 *
 * DATA has images of 28x28x1 ("mnist:PATH"; "digits" needs no files). SHEET gets 64 samples, made
 * of the same noise each time it is written. Equal arguments give equal bytes. */
#include <norma/training.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOISE = 64, BATCH = 64, SIDE = 28, IMAGE = SIDE * SIDE, COLUMNS = 8 };

#define ADAM "train: {batch: 64, optimizer: {adam: {lr: 0.0005, beta1: 0.5}}, "
static const char generator_text[] =
    "name: generator\n"
    "input: {height: 1, width: 1, channels: 64}\n"
    "defaults: {deconv: {kernel: 4, stride: 2, pad: 1, init: normal, init_value: 0.02}}\n"
    "layers:\n"
    "- {name: d1, dense: {units: 3136, bias: false, init: normal, init_value: 0.02}}\n"
    "- reshape: {height: 7, width: 7, channels: 64}\n"
    "- batchnorm\n"
    "- relu\n"
    "- {name: up1, deconv: {filters: 32, bias: false}}\n"
    "- batchnorm\n"
    "- relu\n"
    "- {name: up2, deconv: {filters: 1}}\n"
    "- {name: image, tanh: {}}\n" ADAM "seed: 1}\n";

static const char discriminator_text[] =
    "name: discriminator\n"
    "input: {height: 28, width: 28, channels: 1}\n"
    "defaults: {conv: {kernel: 4, stride: 2, pad: 1, init: normal, init_value: 0.02}, leaky: {slope: 0.2}}\n"
    "layers:\n"
    "- {name: c1, conv: {filters: 32}}\n"
    "- leaky\n"
    "- {name: c2, conv: {filters: 64, bias: false}}\n"
    "- batchnorm\n"
    "- leaky\n"
    "- {name: score, dense: {units: 1, init: normal, init_value: 0.02}}\n"
    "loss: sigmoid_ce\n" ADAM "seed: 2}\n";

typedef struct gan {
    nm_context *ctx;
    nm_data *data;
    nm_network *networks[2];
    nm_trainer *generator, *discriminator;
    int *order; /* of the samples in this epoch */
    int at;     /* next in `order` */
    uint32_t epoch;
    nm_real noise[BATCH * NOISE], real[BATCH * IMAGE];
} gan;

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        nm_status status_ = (call);                                                                                    \
        if (status_ != NM_OK)                                                                                          \
            return status_;                                                                                            \
    } while (0)

/* ---- noise ---- */

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(*state >> 33) + 0.5) / 2147483648.0;
}

/* Normal numbers (Box-Muller). */
static void make_noise(uint64_t *state, nm_real *to)
{
    for (int i = 0; i < BATCH * NOISE; i++) {
        double radius = sqrt(-2 * log(uniform(state)));
        to[i] = (nm_real)(radius * cos(6.283185307179586 * uniform(state)));
    }
}

/* ---- opening ---- */

static nm_status open_trainer(nm_context *ctx, const char *text, bool input_gradients, nm_network **net,
                              nm_trainer **trainer)
{
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_model *model;
    options.input_gradients = input_gradients;
    TRY(nm_model_parse(ctx, text, &model));
    nm_status status = nm_network_new(ctx, model, net);
    nm_model_free(model);
    return status == NM_OK ? nm_trainer_new(ctx, *net, &options, trainer) : status;
}

static nm_status open_gan(gan *g, const char *data)
{
    const double half = 0.5; /* pixels to -1 .. 1, as tanh gives */
    TRY(nm_data_open(g->ctx, data, &g->data));
    TRY(nm_data_set_normalisation(g->ctx, g->data, &half, &half));
    int count = nm_data_count(g->data, NM_TRAIN_SPLIT), h, w, c;
    nm_data_shape(g->data, &h, &w, &c);
    if (h != SIDE || w != SIDE || c != 1 || count < BATCH) {
        fprintf(stderr, "%s: expected at least %d images of 28x28x1\n", data, BATCH);
        return NM_INVALID;
    }
    if (!(g->order = malloc((size_t)count * sizeof *g->order)))
        return NM_FAILED;
    nm_data_shuffle(g->data, 1, 0, g->order);
    TRY(open_trainer(g->ctx, generator_text, false, &g->networks[0], &g->generator));
    return open_trainer(g->ctx, discriminator_text, true, &g->networks[1], &g->discriminator);
}

static void close_gan(gan *g)
{
    nm_trainer_free(g->generator);
    nm_trainer_free(g->discriminator);
    nm_network_free(g->networks[0]);
    nm_network_free(g->networks[1]);
    nm_data_free(g->data);
    free(g->order);
}

/* ---- a step ---- */

static nm_status next_real(gan *g)
{
    if (g->at + BATCH > nm_data_count(g->data, NM_TRAIN_SPLIT)) {
        nm_data_shuffle(g->data, 1, ++g->epoch, g->order);
        g->at = 0;
    }
    g->at += BATCH;
    return nm_data_batch(g->ctx, g->data, NM_TRAIN_SPLIT, BATCH, g->order + g->at - BATCH, g->real, NULL, NULL);
}

/* The discriminator's loss on images that it shall call `target` (1: real), and its gradients. */
static nm_status judge(gan *g, const nm_real *images, nm_real target, double *loss)
{
    nm_real targets[BATCH];
    nm_minibatch batch = NM_MINIBATCH_INIT;
    nm_step_result result = NM_STEP_RESULT_INIT;
    for (int i = 0; i < BATCH; i++)
        targets[i] = target;
    batch.n = BATCH;
    batch.x = images;
    batch.values = targets;
    TRY(nm_trainer_forward(g->discriminator, &batch));
    TRY(nm_trainer_loss(g->discriminator, &result));
    *loss = result.loss;
    return nm_trainer_backward(g->discriminator);
}

static nm_status step(gan *g, uint64_t *state, double loss[3])
{
    nm_minibatch noise = NM_MINIBATCH_INIT;
    make_noise(state, g->noise);
    noise.n = BATCH;
    noise.x = g->noise;
    TRY(nm_trainer_forward(g->generator, &noise));
    const nm_real *images = nm_trainer_layer_output(g->generator, nm_network_output(g->networks[0]));

    /* the discriminator: real ones are real, made ones are not; the gradients of both are added */
    TRY(next_real(g));
    TRY(judge(g, g->real, 1, &loss[0]));
    TRY(nm_trainer_accumulate(g->discriminator));
    TRY(judge(g, images, 0, &loss[1]));
    TRY(nm_trainer_update(g->discriminator));

    /* the generator: what would make the discriminator call its images real? */
    TRY(judge(g, images, 1, &loss[2]));
    TRY(nm_trainer_backward_from(g->generator, nm_trainer_input_gradient(g->discriminator, 0)));
    return nm_trainer_update(g->generator);
}

/* ---- samples ---- */

static nm_status write_sheet(gan *g, const char *path)
{
    static nm_real noise[BATCH * NOISE], images[BATCH * IMAGE];
    uint64_t state = 99;
    make_noise(&state, noise);
    TRY(nm_trainer_predict(g->generator, BATCH, noise, images));
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        return NM_FAILED;
    }
    fprintf(f, "P5\n%d %d\n255\n", COLUMNS * SIDE, BATCH / COLUMNS * SIDE);
    for (int y = 0; y < BATCH / COLUMNS * SIDE; y++)
        for (int x = 0; x < COLUMNS * SIDE; x++) {
            int sample = y / SIDE * COLUMNS + x / SIDE;
            fputc((int)lround(127.5 * ((double)images[sample * IMAGE + y % SIDE * SIDE + x % SIDE] + 1)), f);
        }
    return fclose(f) == 0 ? NM_OK : NM_FAILED;
}

static nm_status train(gan *g, int steps, const char *sheet)
{
    uint64_t state = 1;
    double loss[3];
    for (int i = 1; i <= steps; i++) {
        TRY(step(g, &state, loss));
        if (i % 100 && i != steps)
            continue;
        printf("step %d  discriminator: real %.3f, made %.3f  generator %.3f\n", i, loss[0], loss[1], loss[2]);
        fflush(stdout);
        TRY(write_sheet(g, sheet));
    }
    return NM_OK;
}

int main(int argc, char **argv)
{
    const char *data = argc > 1 ? argv[1] : "mnist", *sheet = argc > 3 ? argv[3] : "dcgan.pgm";
    int steps = argc > 2 ? atoi(argv[2]) : 3000;
    static gan g;
    g.ctx = nm_context_new();
    nm_status status = open_gan(&g, data);
    if (status == NM_OK)
        status = train(&g, steps, sheet);
    for (int i = 0; i < nm_error_count(g.ctx); i++)
        fprintf(stderr, "%s\n", nm_error_message(g.ctx, i));
    close_gan(&g);
    nm_context_free(g.ctx);
    return (int)status;
}
