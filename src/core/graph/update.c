/* One step of any optimizer: the gradient's norm, clipping, sharing between threads. */
#include "update.h"

#include "finite.h"
#include "parallel.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 16384, MOST_TASKS = 256 };

typedef struct job {
    const nm_optimizer_type *type;
    const void *self;
    const nm_span *spans;
    int count, tasks;
    size_t chunks; /* in all spans */
    double lr;
    uint64_t step;
    bool checks; /* what is updated, while it is in cache */
    bool bad[MOST_TASKS];
    double sums[MOST_TASKS];
} job;

static size_t update_chunks_of(const nm_span *span)
{
    return (span->count + CHUNK - 1) / CHUNK;
}

/* What is left of a span from number `first` on. */
static nm_span span_from(const job *j, const nm_span *span, size_t first)
{
    nm_span rest = *span;
    rest.count -= first;
    rest.w += first;
    rest.dw += first;
    for (int s = 0; s < j->type->slots; s++)
        rest.slot[s] += first;
    return rest;
}

typedef void on_chunk(job *j, int task, const nm_span *chunk);

/* Chunks number first..last-1 of all spans in order, each as a span. */
static void each_chunk(job *j, int task, on_chunk *what)
{
    size_t first = j->chunks * (size_t)task / (size_t)j->tasks;
    size_t last = j->chunks * ((size_t)task + 1) / (size_t)j->tasks, number = 0;
    for (int i = 0; i < j->count && number < last; i++)
        for (size_t k = 0; k < update_chunks_of(&j->spans[i]); k++, number++) {
            if (number < first || number >= last)
                continue;
            nm_span chunk = span_from(j, &j->spans[i], k * CHUNK);
            chunk.count = chunk.count < CHUNK ? chunk.count : CHUNK;
            what(j, task, &chunk);
        }
}

/* The last numbers of a span, fewer than NM_BLOCK, in a block of their own: the update's loop has
 * no remainder that could round otherwise. */
static void update_remainder(const job *j, const nm_span *rest)
{
    real w[NM_BLOCK] = {0}, dw[NM_BLOCK] = {0}, slot[4][NM_BLOCK] = {{0}};
    const size_t size = rest->count * sizeof(real);
    nm_span block = *rest;
    block.count = NM_BLOCK;
    block.w = memcpy(w, rest->w, size);
    block.dw = memcpy(dw, rest->dw, size);
    for (int s = 0; s < j->type->slots; s++)
        block.slot[s] = memcpy(slot[s], rest->slot[s], size);
    j->type->update(&block, j->lr, j->step, j->self);
    memcpy(rest->w, w, size);
    for (int s = 0; s < j->type->slots; s++)
        memcpy(rest->slot[s], slot[s], size);
}

static void update_chunk(job *j, int task, const nm_span *chunk)
{
    nm_span whole = *chunk, rest = span_from(j, chunk, nm_span_count(chunk));
    whole.count = nm_span_count(chunk);
    if (whole.count > 0)
        j->type->update(&whole, j->lr, j->step, j->self);
    if (rest.count > 0)
        update_remainder(j, &rest);
    j->bad[task] |= j->checks && !nm_all_finite(chunk->w, chunk->count);
    for (int s = 0; s < j->type->slots && j->checks; s++)
        j->bad[task] |= !nm_all_finite(chunk->slot[s], chunk->count);
}

static void update_task(void *arg, int task, int thread)
{
    (void)thread;
    each_chunk(arg, task, update_chunk);
}

static void norm_chunk(job *j, int task, const nm_span *chunk)
{
    double sum = 0;
    for (size_t i = 0; i < chunk->count; i++)
        sum += (double)chunk->dw[i] * (double)chunk->dw[i];
    j->sums[task] += sum;
}

static void norm_task(void *arg, int task, int thread)
{
    (void)thread;
    each_chunk(arg, task, norm_chunk);
}

static void check_chunk(job *j, int task, const nm_span *chunk)
{
    j->bad[task] |= !nm_all_finite(chunk->dw, chunk->count);
}

static void check_task(void *arg, int task, int thread)
{
    (void)thread;
    each_chunk(arg, task, check_chunk);
}

static bool any_bad(const job *j)
{
    for (int task = 0; task < j->tasks; task++)
        if (j->bad[task])
            return true;
    return false;
}

double nm_optimize(const nm_optimizer_type *type, const void *self, nm_span *spans, int count, double lr, uint64_t step,
                   double clip_norm, int threads, nm_update_outcome *outcome)
{
    job j = {.type = type, .self = self, .spans = spans, .count = count, .lr = lr, .step = step, .checks = outcome};
    for (int i = 0; i < count; i++)
        j.chunks += update_chunks_of(&spans[i]);
    j.tasks = j.chunks < MOST_TASKS ? (int)j.chunks : MOST_TASKS;
    double norm = 0, scale = 1;
    if (outcome) {
        nm_parallel(threads, j.tasks, check_task, &j);
        *outcome = any_bad(&j) ? NM_BAD_GRADIENT : NM_UPDATED;
        if (*outcome != NM_UPDATED)
            return 0;
    }
    if (clip_norm > 0) {
        nm_parallel(threads, j.tasks, norm_task, &j);
        for (int task = 0; task < j.tasks; task++)
            norm += j.sums[task];
        norm = sqrt(norm);
        scale = clip_norm / (norm + 1e-6) < 1 ? clip_norm / (norm + 1e-6) : 1;
    }
    for (int i = 0; i < count; i++)
        spans[i].scale = scale;
    nm_parallel(threads, j.tasks, update_task, &j);
    if (outcome && any_bad(&j))
        *outcome = NM_BAD_UPDATE;
    return norm;
}

double nm_schedule_rate(const nm_schedule_type *type, const void *self, double base, uint64_t step, uint64_t steps,
                        uint64_t steps_per_epoch, uint64_t warmup)
{
    double rate = base * type->factor(step, steps, steps_per_epoch ? steps_per_epoch : 1, self);
    return step < warmup ? rate * (double)(step + 1) / (double)warmup : rate;
}
