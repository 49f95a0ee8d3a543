/* Training with signals caught and progress shown. */
#include "clock.h"
#include "command.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int caught; /* the signal's number; nm_train reads it on whatever thread */

/* The first asks training to save and stop; a second one leaves at once. A terminal that closes may
 * send SIGHUP more than once: it only ever asks. */
static void on_signal(int number)
{
    if (nm_stop_wanted(&caught) && number != SIGHUP)
        _exit(128 + number);
    __atomic_store_n(&caught, number, __ATOMIC_RELEASE);
}

static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOPPING = sizeof stopping / sizeof *stopping };
static struct sigaction before[STOPPING];

/* SIGHUP stays ignored where it is (nohup). SIGINT does not: shells start jobs in the background
 * with it ignored. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < STOPPING; i++)
        if (sigaction(stopping[i], NULL, &before[i]) == 0 &&
            !(stopping[i] == SIGHUP && before[i].sa_handler == SIG_IGN))
            sigaction(stopping[i], &action, NULL);
}

static void release_signals(void)
{
    for (int i = 0; i < STOPPING; i++)
        sigaction(stopping[i], &before[i], NULL);
}

typedef struct screen {
    bool terminal, colour, headed;
    double drawn; /* when the progress line was drawn last */
} screen;

/* "97.31 %", or "-" where there is no accuracy. */
static const char *percent(double accuracy, char text[16])
{
    if (isnan(accuracy))
        return "-";
    snprintf(text, 16, "%.2f %%", 100 * accuracy);
    return text;
}

static void draw_line(screen *s, const nm_progress *p)
{
    double now = nm_clock();
    if (now - s->drawn < 0.2)
        return;
    s->drawn = now;
    int left = p->seconds_left < 0 || !isfinite(p->seconds_left) ? 0 : (int)p->seconds_left;
    char accuracy[16];
    fprintf(stderr, "\r\033[Kepoch %d/%d  step %llu/%llu  loss %.4f  accuracy %s  %.0f images/s  %d:%02d left",
            p->epoch, p->epochs, (unsigned long long)p->step, (unsigned long long)p->steps, p->loss,
            percent(p->accuracy, accuracy), p->images_per_second, left / 60, left % 60);
    fflush(stderr);
}

static void print_row(screen *s, const nm_progress *p)
{
    const nm_history_row *r = &p->history;
    if (s->terminal)
        fprintf(stderr, "\r\033[K");
    if (!s->headed)
        fprintf(
            stderr,
            "epoch      step          lr  train loss  accuracy   test loss  accuracy   seconds  images/s  waited\n");
    s->headed = true;
    char train[16], test[16], waited[16];
    fprintf(stderr, "%5u  %8llu  %10.4g  %10.4f  %8s  %10.4f  %s%8s%s  %8.1f  %8.0f  %s\n", r->epoch,
            (unsigned long long)r->step, r->lr, r->train_loss, percent(r->train_accuracy, train), r->test_loss,
            s->colour ? "\033[1m" : "", percent(r->test_accuracy, test), s->colour ? "\033[0m" : "", p->seconds,
            p->images_per_second, percent(p->waited, waited));
}

static void on_progress(void *arg, const nm_progress *p)
{
    screen *s = arg;
    if (p->row)
        print_row(s, p);
    else if (s->terminal)
        draw_line(s, p);
}

nm_status train_shown(nm_context *ctx, const nm_train_request *request, nm_train_result *result, int *signalled)
{
    bool terminal = isatty(STDERR_FILENO);
    screen s = {.terminal = terminal, .colour = terminal && !getenv("NO_COLOR")};
    nm_train_request shown = *request;
    shown.progress = on_progress;
    shown.arg = &s;
    shown.stop = &caught;
    catch_signals();
    nm_status status = nm_train(ctx, &shown, result);
    release_signals();
    if (terminal)
        fprintf(stderr, "\r\033[K");
    int number = __atomic_load_n(&caught, __ATOMIC_ACQUIRE);
    *signalled = number ? 128 + number : 0;
    return status;
}
