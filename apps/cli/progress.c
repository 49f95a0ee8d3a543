/* Training with signals caught and progress shown. */
#include "cli.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int caught; /* the signal's number; training reads it on whatever thread */
const volatile int *const stop_signal = &caught;

static int caught_signal(void)
{
    return __atomic_load_n(&caught, __ATOMIC_ACQUIRE);
}

/* The first asks training to save and stop; a second one leaves at once. A terminal that closes may
 * send SIGHUP more than once: it only ever asks. */
static void on_signal(int number)
{
    if (caught_signal() && number != SIGHUP)
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

/* "97.31 %", or "-" where there is no accuracy. */
static const char *percent(double accuracy, char text[16])
{
    if (isnan(accuracy))
        return "-";
    snprintf(text, 16, "%.2f %%", 100 * accuracy);
    return text;
}

static void draw_line(training_screen *s, const nm_progress *p)
{
    if (p->seconds - s->drawn < 0.2)
        return;
    s->drawn = p->seconds;
    int left = p->seconds_left < 0 || !isfinite(p->seconds_left) ? 0 : (int)p->seconds_left;
    char accuracy[16];
    fprintf(stderr, "\r\033[Kepoch %d/%d  step %llu/%llu  loss %.4f  accuracy %s  %.0f images/s  %d:%02d left",
            p->epoch, p->epochs, (unsigned long long)p->step, (unsigned long long)p->steps, p->loss,
            percent(p->accuracy, accuracy), p->images_per_second, left / 60, left % 60);
    fflush(stderr);
}

static void print_row(training_screen *s, const nm_progress *p)
{
    const nm_metrics *r = p->row;
    if (s->terminal)
        fprintf(stderr, "\r\033[K");
    if (!s->headed)
        fprintf(
            stderr,
            "epoch      step          lr  train loss  accuracy   test loss  accuracy   seconds  images/s  waited\n");
    s->headed = true;
    char train[16], test[16], waited[16];
    fprintf(stderr, "%5d  %8llu  %10.4g  %10.4f  %8s  %10.4f  %s%8s%s  %8.1f  %8.0f  %s\n", r->epoch,
            (unsigned long long)r->step, r->lr, r->train_loss, percent(r->train_accuracy, train), r->test_loss,
            s->colour ? "\033[1m" : "", percent(r->test_accuracy, test), s->colour ? "\033[0m" : "", p->seconds,
            p->images_per_second, percent(p->waited, waited));
}

void show_progress(void *screen, const nm_progress *p)
{
    training_screen *s = screen;
    if (p->row)
        print_row(s, p);
    else if (s->terminal)
        draw_line(s, p);
}

void begin_screen(training_screen *s)
{
    bool terminal = isatty(STDERR_FILENO);
    *s = (training_screen){.terminal = terminal, .colour = terminal && !getenv("NO_COLOR"), .drawn = -1};
    catch_signals();
}

int end_screen(const training_screen *s)
{
    release_signals();
    if (s->terminal)
        fprintf(stderr, "\r\033[K");
    int number = caught_signal();
    return number ? 128 + number : 0;
}
