/* Own data and an own loop: learns to tell rings from discs, drawn into the program's own memory,
 * and halves the learning rate whenever the test loss has not fallen.
 *
 *     own_loop [EPOCHS [CHECKPOINT]]        preset: 6 own_loop.h5 */
#include <norma/training.h>

#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 16, TRAIN = 1024, TEST = 256, BATCH = 32 };

static const char model_text[] = "name: rings\n"
                                 "input: {height: 16, width: 16, channels: 1}\n"
                                 "layers:\n"
                                 "- {name: c1, conv: {filters: 8, kernel: 3, pad: same, bias: false}}\n"
                                 "- batchnorm\n"
                                 "- relu\n"
                                 "- {name: p1, maxpool: {size: 2}}\n"
                                 "- {name: c2, conv: {filters: 16, kernel: 3, pad: same}}\n"
                                 "- relu\n"
                                 "- gap\n"
                                 "- {name: scores, dense: {units: 2}}\n"
                                 "loss: softmax_ce\n"
                                 "train: {batch: 32, optimizer: {sgd: {lr: 0.1, momentum: 0.9}}}\n";

static const char *const class_names[] = {"ring", "disc"};

/* The same numbers on every machine. */
static unsigned below(unsigned limit)
{
    static unsigned state = 12345;
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % limit;
}

/* Rings and discs of random place and size in noise. */
static void draw(int count, unsigned char *pixels, unsigned char *labels)
{
    for (int i = 0; i < count; i++) {
        int y0 = 5 + (int)below(6), x0 = 5 + (int)below(6), radius = 3 + (int)below(3), outer = radius * radius;
        int inner = (radius - 2) * (radius - 2);
        labels[i] = (unsigned char)below(2);
        for (int k = 0; k < SIDE * SIDE; k++) {
            int y = k / SIDE - y0, x = k % SIDE - x0, square = y * y + x * x;
            int on = square <= outer && (labels[i] == 1 || square > inner);
            pixels[i * SIDE * SIDE + k] = (unsigned char)((on ? 120 : 0) + (int)below(130));
        }
    }
}

static nm_arrays arrays(int count, const unsigned char *pixels, const unsigned char *labels)
{
    nm_arrays a = NM_ARRAYS_INIT;
    a.count = count;
    a.height = a.width = SIDE;
    a.channels = 1;
    a.images = pixels;
    a.images_type = NM_UINT8;
    a.targets = labels;
    a.targets_type = NM_UINT8;
    a.borrow = true; /* static memory: it outlives the data set */
    return a;
}

static nm_status open_data(nm_context *ctx, nm_data **data)
{
    static unsigned char train[TRAIN * SIDE * SIDE], test[TEST * SIDE * SIDE], labels[TRAIN + TEST];
    draw(TRAIN, train, labels);
    draw(TEST, test, labels + TRAIN);
    nm_arrays a = arrays(TRAIN, train, labels), b = arrays(TEST, test, labels + TRAIN);
    return nm_data_from_arrays(ctx, &a, &b, 2, class_names, data);
}

/* One pass over the training samples, in a new order. */
static nm_status epoch(nm_context *ctx, const nm_data *data, nm_trainer *trainer, int number, double *loss)
{
    static int order[TRAIN];
    static nm_real x[BATCH * SIDE * SIDE];
    int32_t labels[BATCH];
    nm_minibatch batch = NM_MINIBATCH_INIT;
    nm_step_result result = NM_STEP_RESULT_INIT;
    batch.n = BATCH;
    batch.x = x;
    batch.labels = labels;
    *loss = 0;
    nm_data_shuffle(data, 1, (uint32_t)number, order);
    for (int first = 0; first < TRAIN; first += BATCH) {
        nm_status status = nm_data_batch(ctx, data, NM_TRAIN_SPLIT, BATCH, order + first, x, labels, NULL);
        if (status == NM_OK)
            status = nm_trainer_step(trainer, &batch, &result);
        if (status != NM_OK)
            return status;
        *loss += result.loss_sum / TRAIN;
    }
    return NM_OK;
}

static nm_status train(nm_context *ctx, const nm_data *data, nm_trainer *trainer, int epochs)
{
    double before = 1e9, loss;
    for (int e = 0; e < epochs; e++) {
        nm_evaluation_result test = NM_EVALUATION_RESULT_INIT;
        nm_status status = epoch(ctx, data, trainer, e, &loss);
        if (status == NM_OK)
            status = nm_trainer_evaluate(trainer, data, NM_TEST_SPLIT, &test);
        if (status != NM_OK)
            return status;
        printf("epoch %d  lr %.4f  train loss %.4f  test loss %.4f  test accuracy %.1f %%\n", e + 1,
               nm_trainer_lr(trainer), loss, test.loss, 100 * test.accuracy);
        if (test.loss > before)
            nm_trainer_set_lr(trainer, nm_trainer_lr(trainer) / 2);
        before = test.loss;
    }
    return NM_OK;
}

int main(int argc, char **argv)
{
    int epochs = argc > 1 ? atoi(argv[1]) : 6;
    const char *checkpoint = argc > 2 ? argv[2] : "own_loop.h5";
    nm_context *ctx = nm_context_new();
    nm_model *model = NULL;
    nm_data *data = NULL;
    nm_network *net = NULL;
    nm_trainer *trainer = NULL;
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_status status = nm_model_parse(ctx, model_text, &model);
    if (status == NM_OK)
        status = open_data(ctx, &data);
    if (status == NM_OK)
        status = nm_network_new(ctx, model, &net);
    options.data = data;
    if (status == NM_OK)
        status = nm_trainer_new(ctx, net, &options, &trainer);
    if (status == NM_OK)
        status = train(ctx, data, trainer, epochs);
    if (status == NM_OK)
        status = nm_trainer_save(trainer, checkpoint); /* nm_predictor_open and `norma` read it */
    for (int i = 0; i < nm_error_count(ctx); i++)
        fprintf(stderr, "%s\n", nm_error_message(ctx, i));
    nm_trainer_free(trainer);
    nm_network_free(net);
    nm_data_free(data);
    nm_model_free(model);
    nm_context_free(ctx);
    return (int)status;
}
