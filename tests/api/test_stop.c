/* Training that another thread, or a signal handler on one, asks to stop. */
#include <norma/norma.h>

#include "train_support.h"

#include <pthread.h>
#include <signal.h>

static volatile int stop;

typedef struct asker {
    pthread_mutex_t lock;
    pthread_cond_t made; /* a row */
    bool first;
    bool by_signal;
} asker;

static void on_signal(int number)
{
    (void)number;
    nm_request_stop(&stop);
}

static void first_row(void *arg, const nm_metrics *row)
{
    asker *a = arg;
    (void)row;
    pthread_mutex_lock(&a->lock);
    a->first = true;
    pthread_cond_signal(&a->made);
    pthread_mutex_unlock(&a->lock);
}

static void *ask(void *arg)
{
    asker *a = arg;
    pthread_mutex_lock(&a->lock);
    while (!a->first)
        pthread_cond_wait(&a->made, &a->lock);
    pthread_mutex_unlock(&a->lock);
    if (a->by_signal)
        pthread_kill(pthread_self(), SIGUSR1);
    else
        nm_request_stop(&stop);
    return NULL;
}

/* Without the request it would train for days: that it returns is the test. */
static void stop_from_a_thread(bool by_signal)
{
    asker a = {.lock = PTHREAD_MUTEX_INITIALIZER, .made = PTHREAD_COND_INITIALIZER, .by_signal = by_signal};
    pthread_t thread;
    nm_model *model;
    nm_outcome outcome = NM_OUTCOME_INIT;
    signal(SIGUSR1, on_signal);
    ck_assert_done(nm_model_parse(ctx, SMALL_MODEL, &model));
    ck_assert_done(nm_model_set(ctx, model, "train.epochs", "100000"));
    ck_assert_int_eq(pthread_create(&thread, NULL, ask, &a), 0);
    nm_training how = NM_TRAINING_INIT;
    how.run = in_folder("run");
    how.on_row = first_row;
    how.arg = &a;
    how.stop = &stop;
    ck_assert_done(nm_model_train(ctx, model, &how, &outcome));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(outcome.stopped && outcome.step >= outcome.last->step && outcome.last->step > 0);
    nm_outcome_free(&outcome);
    nm_model_free(model);
}

START_TEST(another_thread)
{
    stop_from_a_thread(false);
}
END_TEST

START_TEST(a_handler_on_another_thread)
{
    stop_from_a_thread(true);
}
END_TEST

START_TEST(before_it_begins)
{
    nm_model *model;
    nm_training how = NM_TRAINING_INIT;
    nm_outcome outcome = NM_OUTCOME_INIT;
    how.stop = &stop;
    nm_request_stop(&stop);
    ck_assert_done(nm_model_parse(ctx, SMALL_MODEL, &model));
    ck_assert_done(nm_model_train(ctx, model, &how, &outcome));
    ck_assert(outcome.stopped && outcome.step == 0);
    nm_outcome_free(&outcome);
    nm_model_free(model);
}
END_TEST

SUITE_WITH("stop", with_folder, another_thread, a_handler_on_another_thread, before_it_begins)
