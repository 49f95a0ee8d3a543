/* Training with signals caught and progress shown. */
#include "command.h"
#include "timing.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int caught; /* the signal's number */

/* The first asks training to save and stop, the second leaves at once. */
static void on_signal(int number)
{
    if (caught)
        _exit(128 + number);
    caught = number;
}

static void catch_signals(bool on)
{
    struct sigaction action = {.sa_handler = on ? on_signal : SIG_DFL};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

typedef struct screen {
    const char *label;
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
    double now = seconds();
    if (now - s->drawn < 0.2)
        return;
    s->drawn = now;
    int left = p->seconds_left < 0 || !isfinite(p->seconds_left) ? 0 : (int)p->seconds_left;
    char accuracy[16];
    fprintf(stderr, "\r\033[K%s%sepoch %d/%d  step %llu/%llu  loss %.4f  accuracy %s  %.0f images/s  %d:%02d left",
            s->label ? s->label : "", s->label ? ": " : "", p->epoch, p->epochs, (unsigned long long)p->step,
            (unsigned long long)p->steps, p->loss, percent(p->accuracy, accuracy), p->images_per_second, left / 60,
            left % 60);
    fflush(stderr);
}

static void print_row(screen *s, const nm_progress *p)
{
    const nm_history_row *r = &p->history;
    if (s->terminal)
        fprintf(stderr, "\r\033[K");
    if (!s->headed)
        fprintf(stderr,
                "%s%sepoch      step          lr  train loss  accuracy   test loss  accuracy   seconds  images/s  waited\n",
                s->label ? s->label : "", s->label ? ": " : "");
    s->headed = true;
    char train[16], test[16], waited[16];
    fprintf(stderr, "%s%s%5u  %8llu  %10.4g  %10.4f  %8s  %10.4f  %s%8s%s  %8.1f  %8.0f  %s\n", s->label ? s->label : "",
            s->label ? ": " : "", r->epoch, (unsigned long long)r->step, r->lr, r->train_loss,
            percent(r->train_accuracy, train), r->test_loss, s->colour ? "\033[1m" : "",
            percent(r->test_accuracy, test), s->colour ? "\033[0m" : "", p->seconds,
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

nm_status train_shown(nm_context *ctx, nm_yaml *document, const char *run, bool resume, const char *label,
                      nm_train_result *result, int *signalled)
{
    bool terminal = isatty(STDERR_FILENO);
    screen s = {.label = label, .terminal = terminal, .colour = terminal && !getenv("NO_COLOR")};
    nm_train_request request = {.document = document, .run = run, .resume = resume, .progress = on_progress, .arg = &s,
                                .stop = &caught};
    catch_signals(true);
    nm_status status = nm_train(ctx, &request, result);
    catch_signals(false);
    if (terminal)
        fprintf(stderr, "\r\033[K");
    *signalled = caught ? 128 + caught : 0;
    return status;
}
