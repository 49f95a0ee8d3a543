/* Times algorithms at their passes, on one thread. The candidates for a piece of work take turns,
 * so that what else the machine does hits all of them alike. */
#include "alloc.h"
#include "calibrate.h"
#include "clock.h"
#include "gemm.h"
#include "threads.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_ROUNDS = 25, FEWEST_ROUNDS = 5 };

typedef struct timer {
    nm_context *ctx;
    works *all;
    double seconds;
    FILE *known;  /* times are added to it; NULL: to none */
    real *memory; /* x or dy, then y, w, and scratch */
    size_t size;
    bool failed;
} timer;

/* ---- a call ---------------------------------------------------------------------------------- */

/* What a call reads and writes, in `memory` or (base NULL) only counted. Large outputs are streamed
 * as in training: nm_vector_streams. */
static nm_conv_call call_of(const work *w, const nm_conv_algorithm *by, nm_scratch *memory)
{
    enum { STREAMED = 8 << 20, WHOLE = 16 };
    const nm_conv_geometry *g = &w->g;
    size_t n = (size_t)w->n, x = n * nm_shape_size(g->in), y = n * nm_shape_size(g->out), shared, thread;
    by->reserve(g, w->kind, w->n, &shared, &thread);
    nm_conv_call call = {.g = g, .n = w->n, .most = w->n, .threads = 1, .by_sample = w->evaluation};
    real *in = nm_scratch_reals(memory, x), *out = nm_scratch_reals(memory, y);
    call.x = nm_stored_of(in, false);
    call.y = w->kind == NM_CONV_DATA ? in : out;
    call.dy = out;
    call.w = nm_scratch_reals(memory, nm_conv_weight_count(g));
    call.dw = nm_scratch_reals(memory, nm_conv_weight_count(g));
    call.db = nm_scratch_reals(memory, (size_t)g->out.c);
    call.shared = nm_scratch_bytes(memory, shared);
    call.thread_base = nm_scratch_bytes(memory, thread);
    call.thread_size = thread;
    call.stream =
        nm_isa_level() == NM_ISA_V4 && !w->evaluation && y * sizeof(real) >= STREAMED && g->out.c % WHOLE == 0;
    return call;
}

static void run(const work *w, const nm_conv_algorithm *by, const nm_conv_call *call)
{
    if (w->kind == NM_CONV_WEIGHTS)
        by->weights(call);
    else if (w->kind == NM_CONV_DATA)
        by->data(call);
    else
        by->forward(call);
}

/* Seconds of one of `count` calls. */
static double time_of(const work *w, const nm_conv_algorithm *by, const nm_conv_call *call, int count)
{
    double start = nm_clock();
    for (int i = 0; i < count; i++)
        run(w, by, call);
    return (nm_clock() - start) / count;
}

/* ---- a piece of work ------------------------------------------------------------------------- */

static bool reserve_memory(timer *t, const work *w)
{
    size_t most = 0;
    for (int i = 0; i < w->candidates; i++) {
        nm_scratch counted = {0};
        (void)call_of(w, w->of[i].by, &counted);
        most = counted.size > most ? counted.size : most;
    }
    if (most <= t->size)
        return true;
    nm_free(t->memory);
    t->size = 0;
    t->memory = nm_alloc(t->ctx, most / sizeof(real) + 1, sizeof(real));
    if (!t->memory)
        return false;
    t->size = most;
    for (size_t i = 0; i < most / sizeof(real); i++)
        t->memory[i] = (real)((double)(i * 2654435761u % 1024) / 512 - 1);
    return true;
}

/* Candidates that take far longer than the fastest at first are timed once. */
static void time_work(timer *t, work *w)
{
    enum { FAR = 2 };
    const double least = 2e-3; /* seconds that a time is taken of */
    static double took[MOST_CANDIDATES][MOST_ROUNDS];
    int repeat[MOST_CANDIDATES], rounds = 0;
    nm_conv_call call[MOST_CANDIDATES];
    double fastest = 0;
    for (int i = 0; i < w->candidates; i++) {
        nm_scratch memory = {.base = (char *)t->memory};
        call[i] = call_of(w, w->of[i].by, &memory);
        run(w, w->of[i].by, &call[i]);
        w->of[i].seconds = time_of(w, w->of[i].by, &call[i], 1);
        repeat[i] = 1 + (int)(least / w->of[i].seconds);
        fastest = i == 0 || w->of[i].seconds < fastest ? w->of[i].seconds : fastest;
    }
    double end = nm_clock() + t->seconds;
    for (; rounds < MOST_ROUNDS && (rounds < FEWEST_ROUNDS || nm_clock() < end); rounds++)
        for (int i = 0; i < w->candidates; i++)
            if (w->of[i].seconds <= FAR * fastest)
                took[i][rounds] = time_of(w, w->of[i].by, &call[i], repeat[i]);
    for (int i = 0; i < w->candidates; i++)
        if (w->of[i].seconds <= FAR * fastest)
            w->of[i].seconds = nm_median(took[i], rounds);
}

static void time_all(void *arg)
{
    timer *t = arg;
    for (int k = 0; k < t->all->count && !t->failed; k++) {
        work *w = &t->all->list[k];
        if (w->of[0].seconds > 0)
            continue;
        t->failed = !reserve_memory(t, w);
        if (t->failed)
            break;
        time_work(t, w);
        for (int i = 0; i < w->candidates && t->known; i++)
            fprintf(t->known, "%s\t%s\t%.9g\n", w->name, w->of[i].by->name, w->of[i].seconds);
        if (t->known)
            fflush(t->known);
    }
}

/* ---- what is known --------------------------------------------------------------------------- */

/* A line "work TAB algorithm TAB seconds". */
static void take_line(works *all, char *line)
{
    char *by = strchr(line, '\t'), *seconds = by ? strchr(by + 1, '\t') : NULL;
    if (!seconds)
        return;
    *by++ = *seconds++ = '\0';
    for (int k = 0; k < all->count; k++)
        for (int i = 0; i < all->list[k].candidates && strcmp(all->list[k].name, line) == 0; i++)
            if (strcmp(all->list[k].of[i].by->name, by) == 0)
                all->list[k].of[i].seconds = strtod(seconds, NULL);
}

nm_status time_works(nm_context *ctx, works *all, double seconds, const char *file)
{
    char line[3 * NAME];
    timer t = {.ctx = ctx, .all = all, .seconds = seconds};
    FILE *known = file ? fopen(file, "r") : NULL;
    while (known && fgets(line, sizeof line, known))
        take_line(all, line);
    if (known)
        fclose(known);
    t.known = file ? fopen(file, "a") : NULL;
    if (file && !t.known)
        return nm_fail(ctx, NM_FAILED, "cannot write %s", file);
    nm_with_team(time_all, &t);
    if (t.known)
        fclose(t.known);
    nm_free(t.memory);
    return t.failed ? NM_FAILED : NM_OK;
}
