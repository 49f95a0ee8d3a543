/* The loader: one thread fills a ring of batches ahead of training. */
#include "loader.h"

#include "alloc.h"
#include "clock.h"
#include "cpus.h"
#include "threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD = 4 }; /* batches in the ring */

typedef struct slot {
    nm_loaded loaded;
    real *x;
    int32_t *labels;
    int *indices;
} slot;

struct nm_loader {
    nm_loader_settings s;
    nm_augmentation augmentation;
    int count, steps_per_epoch;
    uint64_t next;        /* step that the thread prepares next */
    uint32_t order_epoch; /* epoch that `order` is shuffled for */
    int *subset;          /* [count], ascending: the samples that `limit` leaves; NULL: all */
    int *order;           /* [count] */
    uint8_t *changed;     /* one augmented sample */
    real *table;          /* [channels][256]: pixel to normalised value */
    slot ring[AHEAD];
    uint64_t made, taken; /* batches; made - taken of them wait in the ring */
    bool stop, running;
    double waited;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed_state;
};

/* ---- which samples -------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* `count` of all samples, each as likely as any other: the beginning of a shuffle of all. The first
 * ones would not do: files lie sorted by class as often as not. */
static nm_status choose_subset(nm_context *ctx, nm_loader *l)
{
    int all = l->s.samples->count;
    if (l->count == all)
        return NM_OK;
    if (!(l->subset = nm_alloc(ctx, (size_t)all, sizeof *l->subset)))
        return NM_FAILED;
    for (int i = 0; i < all; i++)
        l->subset[i] = i;
    nm_rng r = nm_rng_stream(l->s.seed, "limit", "train");
    for (int i = 0; i < l->count; i++) {
        int k = i + (int)nm_rng_below(&r, (uint32_t)(all - i)), kept = l->subset[i];
        l->subset[i] = l->subset[k];
        l->subset[k] = kept;
    }
    qsort(l->subset, (size_t)l->count, sizeof *l->subset, ascending);
    return NM_OK;
}

void nm_shuffle_epoch(uint64_t seed, uint32_t epoch, int *order, int count)
{
    nm_rng r = nm_rng_stream(seed, "shuffle", "train");
    nm_rng_seek(&r, epoch, 0);
    for (int i = count - 1; i > 0; i--) { /* Fisher-Yates */
        int k = (int)nm_rng_below(&r, (uint32_t)i + 1), kept = order[i];
        order[i] = order[k];
        order[k] = kept;
    }
}

static void order_epoch(nm_loader *l, uint32_t epoch)
{
    for (int i = 0; i < l->count; i++)
        l->order[i] = l->subset ? l->subset[i] : i;
    if (l->s.shuffle)
        nm_shuffle_epoch(l->s.seed, epoch, l->order, l->count);
    l->order_epoch = epoch;
}

static void prepare(nm_loader *l, uint64_t step, slot *out)
{
    uint32_t epoch = (uint32_t)(step / (uint64_t)l->steps_per_epoch);
    int position = (int)(step % (uint64_t)l->steps_per_epoch), first = position * l->s.batch;
    if (epoch != l->order_epoch)
        order_epoch(l, epoch);
    const nm_samples *samples = l->s.samples;
    size_t size = nm_shape_size(samples->shape), places = nm_label_places(samples);
    int batch = l->count - first < l->s.batch ? l->count - first : l->s.batch, n = batch;
    if (l->s.own) {
        n = batch - l->s.first < l->s.own ? batch - l->s.first : l->s.own;
        n = n > 0 ? n : 0;
        first += l->s.first;
    }
    nm_rng stream = nm_rng_stream(l->s.seed, "augment", "train");
    for (int i = 0; i < n; i++) {
        int index = l->order[first + i];
        const uint8_t *pixels = samples->pixels + (size_t)index * size;
        if (l->s.augmentation) {
            nm_rng_seek(&stream, epoch, (uint32_t)index);
            nm_augment(&l->augmentation, &stream, samples->shape, pixels, l->changed);
            pixels = l->changed;
        }
        nm_normalise(l->table, samples->shape.c, pixels, size, out->x + (size_t)i * size);
        if (samples->labels)
            memcpy(out->labels + (size_t)i * places, samples->labels + (size_t)index * places,
                   places * sizeof *out->labels);
        out->indices[i] = index;
    }
    out->loaded = (nm_loaded){n, batch, epoch, (uint32_t)position, out->x, out->labels, out->indices};
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void *run(void *arg)
{
    nm_loader *l = arg;
    nm_unbind_thread();
    pthread_mutex_lock(&l->mutex);
    while (!l->stop) {
        /* the batch that was taken last is still being read */
        if (l->made - l->taken >= AHEAD - 1) {
            pthread_cond_wait(&l->changed_state, &l->mutex);
            continue;
        }
        slot *out = &l->ring[l->made % AHEAD];
        pthread_mutex_unlock(&l->mutex);
        prepare(l, l->next++, out);
        pthread_mutex_lock(&l->mutex);
        l->made++;
        pthread_cond_broadcast(&l->changed_state);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

const nm_loaded *nm_loader_next(nm_loader *l)
{
    pthread_mutex_lock(&l->mutex);
    if (l->made == l->taken) {
        double start = nm_clock();
        while (l->made == l->taken)
            pthread_cond_wait(&l->changed_state, &l->mutex);
        l->waited += nm_clock() - start;
    }
    slot *out = &l->ring[l->taken++ % AHEAD];
    pthread_cond_broadcast(&l->changed_state);
    pthread_mutex_unlock(&l->mutex);
    return &out->loaded;
}

/* ---- making and freeing -------------------------------------------------------------------- */

static nm_status allocate(nm_context *ctx, nm_loader *l)
{
    size_t batch = (size_t)(l->s.own ? l->s.own : l->s.batch), size = nm_shape_size(l->s.samples->shape);
    l->order = nm_alloc(ctx, (size_t)l->count + 1, sizeof *l->order);
    l->changed = nm_alloc(ctx, size, 1);
    bool all = l->order && l->changed;
    for (int i = 0; i < AHEAD; i++) {
        slot *s = &l->ring[i];
        s->x = nm_alloc(ctx, batch * size, sizeof *s->x);
        s->labels = nm_alloc(ctx, batch * nm_label_places(l->s.samples), sizeof *s->labels);
        s->indices = nm_alloc(ctx, batch, sizeof *s->indices);
        all = all && s->x && s->labels && s->indices;
    }
    return all ? NM_OK : NM_FAILED;
}

nm_status nm_loader_new(nm_context *ctx, const nm_loader_settings *settings, nm_loader **out)
{
    *out = NULL;
    if (settings->augmentation && settings->samples->pixel_labels)
        return nm_fail(ctx, NM_INVALID, "augment: images with a label for each pixel are not augmented");
    nm_loader *l = nm_alloc(ctx, 1, sizeof *l);
    if (!l)
        return NM_FAILED;
    l->s = *settings;
    if (settings->augmentation)
        l->augmentation = *settings->augmentation;
    int limit = settings->limit, count = settings->samples->count;
    l->count = limit > 0 && limit < count ? limit : count;
    l->steps_per_epoch = (l->count + l->s.batch - 1) / l->s.batch;
    l->next = settings->first_step;
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->changed_state, NULL);
    nm_status status = allocate(ctx, l);
    if (status == NM_OK)
        status = choose_subset(ctx, l);
    if (status == NM_OK)
        status = nm_pixel_table_new(ctx, &l->s.normalisation, l->s.samples->shape.c, l->s.binary, &l->table);
    if (status == NM_OK) {
        order_epoch(l, (uint32_t)(l->next / (uint64_t)l->steps_per_epoch));
        int error = pthread_create(&l->thread, NULL, run, l);
        l->running = error == 0;
        if (error)
            status = nm_fail(ctx, NM_FAILED,
                             "the loader's thread could not be started: %s: the limit of address space or of processes "
                             "(ulimit -v, ulimit -u) is too small; raise it",
                             strerror(error));
    }
    if (status == NM_OK)
        *out = l;
    else
        nm_loader_free(l);
    return status;
}

size_t nm_loader_sample_bytes(const nm_samples *samples)
{
    return AHEAD *
           (nm_shape_size(samples->shape) * sizeof(real) + nm_label_places(samples) * sizeof(int32_t) + sizeof(int));
}

int nm_loader_steps_per_epoch(const nm_loader *l)
{
    return l->steps_per_epoch;
}

double nm_loader_waited(const nm_loader *l)
{
    return l->waited;
}

void nm_loader_free(nm_loader *l)
{
    if (!l)
        return;
    if (l->running) {
        pthread_mutex_lock(&l->mutex);
        l->stop = true;
        pthread_cond_broadcast(&l->changed_state);
        pthread_mutex_unlock(&l->mutex);
        pthread_join(l->thread, NULL);
    }
    pthread_mutex_destroy(&l->mutex);
    pthread_cond_destroy(&l->changed_state);
    for (int i = 0; i < AHEAD; i++) {
        nm_free(l->ring[i].x);
        nm_free(l->ring[i].labels);
        nm_free(l->ring[i].indices);
    }
    nm_free(l->subset);
    nm_free(l->order);
    nm_free(l->changed);
    nm_free(l->table);
    nm_free(l);
}
