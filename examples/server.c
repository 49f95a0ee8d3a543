/* Like a server: requests wait in a queue, and four threads answer them from one network, each in a
 * session of its own. At the end each answer is compared with what the network gives one by one:
 * the same bits.
 *
 *     server [CHECKPOINT [REQUESTS]]
 *
 * Without a CHECKPOINT a small network is trained on digits first, in server-run. Exit status 0:
 * all answers are the same. */
#include <norma/inference.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, MOST_AT_ONCE = 8 };

/* ---- the queue: image i is request i, its answer goes beside it ------------------------------ */

typedef struct queue {
    pthread_mutex_t lock;
    const nm_predictor *predictor;
    int requests, next;
    size_t inputs, outputs; /* numbers of an image, of an answer */
    const uint8_t *images;  /* [requests][inputs] */
    float *answers;         /* [requests][outputs] */
} queue;

/* Takes up to `most` requests, those that wait; gives how many, from *first on. */
static int take(queue *q, int most, int *first)
{
    pthread_mutex_lock(&q->lock);
    int left = q->requests - q->next, n = left < most ? left : most;
    *first = q->next;
    q->next += n;
    pthread_mutex_unlock(&q->lock);
    return n;
}

static int answer_all(queue *q, nm_context *ctx, nm_session *session, int most)
{
    int first, n, answered = 0;
    while ((n = take(q, most, &first)) > 0) {
        size_t count = (size_t)n * q->inputs, outputs = (size_t)n * q->outputs;
        if (nm_session_run_u8(ctx, session, n, q->images + (size_t)first * q->inputs, count,
                              q->answers + (size_t)first * q->outputs, outputs) != NM_OK)
            return -1;
        answered += n;
    }
    return answered;
}

typedef struct worker {
    pthread_t thread;
    queue *queue;
    int number, answered; /* answered: -1 where it failed */
} worker;

static void *work(void *arg)
{
    worker *w = arg;
    nm_context *ctx = nm_context_new(); /* messages of this thread */
    nm_session *session = NULL;
    nm_session_options options = NM_SESSION_OPTIONS_INIT;
    options.batch = 1 + w->number * 2 % MOST_AT_ONCE; /* how many a worker takes at once changes no answer */
    w->answered = -1;
    if (nm_session_new(ctx, w->queue->predictor, &options, &session) == NM_OK)
        w->answered = answer_all(w->queue, ctx, session, options.batch);
    for (int i = 0; i < nm_error_count(ctx); i++)
        fprintf(stderr, "worker %d: %s\n", w->number, nm_error_message(ctx, i));
    nm_session_free(session);
    nm_context_free(ctx);
    return NULL;
}

static bool serve(queue *q)
{
    worker workers[WORKERS];
    bool done = true;
    pthread_mutex_init(&q->lock, NULL);
    for (int i = 0; i < WORKERS; i++) {
        workers[i].queue = q;
        workers[i].number = i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            fprintf(stderr, "no thread for worker %d\n", i);
            exit(1);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        printf("worker %d answered %d requests\n", i, workers[i].answered);
        done = done && workers[i].answered >= 0;
    }
    pthread_mutex_destroy(&q->lock);
    return done;
}

/* ---- a network to ask ---------------------------------------------------------------------- */

static const char model_text[] = "input: {height: 28, width: 28, channels: 1}\n"
                                 "layers:\n"
                                 "- {name: c1, conv: {filters: 8, kernel: 3, stride: 2, pad: same}}\n"
                                 "- batchnorm\n"
                                 "- relu\n"
                                 "- {name: c2, conv: {filters: 16, kernel: 3, stride: 2, pad: same}}\n"
                                 "- batchnorm\n"
                                 "- relu\n"
                                 "- {name: scores, dense: {units: 10}}\n"
                                 "loss: softmax_ce\n"
                                 "train: {data: digits, limit: 4000, batch: 32, epochs: 1}\n";

static nm_status train(nm_context *ctx)
{
    nm_model *model = NULL;
    nm_training how = NM_TRAINING_INIT;
    how.run = "server-run";
    how.resume = true;
    nm_status status = nm_model_parse(ctx, model_text, &model);
    if (status == NM_OK)
        status = nm_model_train(ctx, model, &how, NULL);
    nm_model_free(model);
    return status;
}

/* Images of stripes, each with its own angle and width. */
static void draw(uint8_t *image, size_t count, int number)
{
    for (size_t i = 0; i < count; i++)
        image[i] = (uint8_t)(i * (size_t)(1 + number % 7) / 3 + i / 28 * (size_t)number);
}

static nm_status run(nm_context *ctx, const char *checkpoint, int requests, bool *same)
{
    int height, width, channels;
    nm_predictor *predictor;
    nm_status status = nm_predictor_open(ctx, checkpoint, &predictor);
    if (status != NM_OK)
        return status;
    nm_predictor_input(predictor, &height, &width, &channels);
    queue q = {.predictor = predictor, .requests = requests};
    q.inputs = (size_t)height * (size_t)width * (size_t)channels;
    q.outputs = (size_t)nm_predictor_outputs(predictor);
    uint8_t *images = calloc((size_t)requests, q.inputs);
    float *answers = calloc((size_t)requests * q.outputs, sizeof *answers);
    float *alone = calloc((size_t)requests * q.outputs, sizeof *alone);
    if (!images || !answers || !alone)
        exit(1);
    for (int i = 0; i < requests; i++)
        draw(images + (size_t)i * q.inputs, q.inputs, i);
    q.images = images;
    q.answers = answers;
    *same = serve(&q);
    for (int i = 0; i < requests && status == NM_OK; i++)
        status = nm_predict_u8(ctx, predictor, 1, images + (size_t)i * q.inputs, alone + (size_t)i * q.outputs);
    *same = *same && memcmp(answers, alone, (size_t)requests * q.outputs * sizeof *answers) == 0;
    free(images);
    free(answers);
    free(alone);
    nm_predictor_free(predictor);
    return status;
}

int main(int argc, char **argv)
{
    int requests = argc > 2 ? atoi(argv[2]) : 2000;
    bool same = false;
    nm_context *ctx = nm_context_new();
    nm_status status = argc > 1 ? NM_OK : train(ctx);
    if (status == NM_OK)
        status = run(ctx, argc > 1 ? argv[1] : "server-run/last.h5", requests > 0 ? requests : 1, &same);
    for (int i = 0; i < nm_error_count(ctx); i++)
        fprintf(stderr, "%s\n", nm_error_message(ctx, i));
    if (status == NM_OK)
        printf("%d answers: %s\n", requests, same ? "the same bits as one by one" : "NOT the same as one by one");
    nm_context_free(ctx);
    return status == NM_OK && same ? 0 : 1;
}
