/* The loader: a thread that assembles batches ahead of training. Which samples make a batch, and
 * how each is augmented, follows from (seed, epoch, position) alone. */
#ifndef NM_LOADER_H
#define NM_LOADER_H

#include "augment.h"
#include "dataset.h"

typedef struct nm_loader nm_loader;

typedef struct nm_loader_settings {
    const nm_samples *samples;
    int limit; /* only N samples, a random subset that follows from (seed, "limit") and N; 0: all */
    int batch;
    bool shuffle; /* full reshuffle every epoch, by (seed, "shuffle", epoch); otherwise as the data has them */
    const nm_augmentation *augmentation; /* NULL: none */
    nm_normalisation normalisation;      /* read by nm_loader_new only */
    bool binary;                         /* pixels become 0 or 1 (threshold at 128) instead of normalised */
    uint64_t seed;
    int first, own;      /* of a batch only the samples first to first + own - 1 are made; own 0: all */
    uint64_t first_step; /* go on from here: step = epoch * steps_per_epoch + position, from 0 */
} nm_loader_settings;

/* The order in which an epoch (from 0) takes what `order` [count] holds in ascending order. */
void nm_shuffle_epoch(uint64_t seed, uint32_t epoch, int *order, int count);

typedef struct nm_loaded {
    int n;                    /* samples here */
    int batch;                /* of the whole batch: more than n where only some are made; the last one of an epoch
                                 may be short */
    uint32_t epoch, position; /* from 0 */
    const real *x;            /* [n][h][w][c] */
    const int32_t *labels;    /* [n], or [n][h][w] where the samples have a label per pixel */
    const int *indices;       /* [n] into samples */
} nm_loaded;

nm_status nm_loader_new(nm_context *ctx, const nm_loader_settings *settings, nm_loader **out) NM_MUST_USE;
/* The next batch; valid until the next call. Never ends: epoch follows epoch. */
const nm_loaded *nm_loader_next(nm_loader *loader);
/* Bytes that a loader takes for each sample of a batch. */
size_t nm_loader_sample_bytes(const nm_samples *samples);
int nm_loader_steps_per_epoch(const nm_loader *loader);
/* Seconds that nm_loader_next has waited in all. */
double nm_loader_waited(const nm_loader *loader);
void nm_loader_free(nm_loader *loader);

#endif
