/* Trains a small network on a data set, then asks it about a few images: norma as a library.
 *
 *     train_mnist [DATA [RUN]]        DATA: mnist, fashion-mnist, … (preset: digits, which needs no
 * files) */
#include <norma/norma.h>

#include <signal.h>
#include <stdio.h>

/* Two convolutions and two dense layers with batch norm; each unnamed layer follows the one above.
 */
static const char model_text[] = "name: example\n"
                                 "input: {height: 28, width: 28, channels: 1}\n"
                                 "defaults: {conv: {kernel: 3, pad: same, bias: false}}\n"
                                 "layers:\n"
                                 "- {name: c1, conv: {filters: 16}}\n"
                                 "- batchnorm\n"
                                 "- relu\n"
                                 "- {name: p1, maxpool: {size: 2}}\n"
                                 "- {name: c2, conv: {filters: 32}}\n"
                                 "- batchnorm\n"
                                 "- relu\n"
                                 "- {name: p2, maxpool: {size: 2}}\n"
                                 "- {name: d1, dense: {units: 64, bias: false}}\n"
                                 "- batchnorm\n"
                                 "- relu\n"
                                 "- {name: logits, dense: {units: 10}}\n"
                                 "loss: softmax_ce\n"
                                 "train: {epochs: 2, batch: 64, optimizer: {sgd: {lr: 0.05, momentum: 0.9}}}\n";

static volatile int stop;

static void interrupted(int signal)
{
    (void)signal;
    nm_request_stop(&stop);
}

static void show_row(void *arg, const nm_metrics *row)
{
    (void)arg;
    printf("epoch %d  step %llu  train loss %.4f  test loss %.4f  test accuracy %.2f %%  %.1f s\n", row->epoch,
           (unsigned long long)row->step, row->train_loss, row->test_loss, 100 * row->test_accuracy, row->seconds);
}

/* A cross in the middle: what does the network take it for? */
static nm_status ask(nm_context *ctx, const char *checkpoint)
{
    nm_predictor *predictor;
    unsigned char image[28 * 28] = {0};
    float probabilities[10];
    for (int i = 6; i < 22; i++)
        image[28 * 14 + i] = image[28 * i + 14] = 255;
    nm_status status = nm_predictor_open(ctx, checkpoint, &predictor);
    if (status == NM_OK)
        status = nm_predict_u8(ctx, predictor, 1, image, probabilities);
    for (int c = 0; c < 10 && status == NM_OK; c++)
        printf("class %d: %.3f\n", c, (double)probabilities[c]);
    nm_predictor_free(predictor);
    return status;
}

int main(int argc, char **argv)
{
    const char *data = argc > 1 ? argv[1] : "digits", *run = argc > 2 ? argv[2] : "example-run";
    char checkpoint[1024];
    nm_context *ctx = nm_context_new();
    nm_model *model = NULL;
    nm_training how = NM_TRAINING_INIT;
    nm_outcome outcome = NM_OUTCOME_INIT;
    how.run = run;
    how.resume = true;
    how.on_row = show_row;
    how.stop = &stop;
    signal(SIGINT, interrupted); /* training saves and returns; the next start goes on from there */
    nm_status status = nm_model_parse(ctx, model_text, &model);
    if (status == NM_OK)
        status = nm_model_set(ctx, model, "train.data", data);
    if (status == NM_OK)
        status = nm_model_train(ctx, model, &how, &outcome);
    if (status == NM_OK && !outcome.stopped) {
        snprintf(checkpoint, sizeof checkpoint, "%s/best.h5", run);
        status = ask(ctx, checkpoint);
    }
    for (int i = 0; i < nm_error_count(ctx); i++)
        fprintf(stderr, "%s\n", nm_error_message(ctx, i));
    nm_outcome_free(&outcome);
    nm_model_free(model);
    nm_context_free(ctx);
    return (int)status;
}
