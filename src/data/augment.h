/* Augmentation: a training sample changed at random, as uint8, before normalisation. What happens
 * to a sample follows from (seed, epoch, its number in the data set) alone. */
#ifndef NM_AUGMENT_H
#define NM_AUGMENT_H

#include "error.h"
#include "option.h"
#include "rng.h"
#include "shape.h"

#include <stdint.h>

typedef struct nm_augmentation {
    bool flip;     /* mirror left and right, every second time */
    int pad_crop;  /* shift by up to so many pixels each way, zeros come in; 0: none */
    double affine; /* strength: at 1 up to 15 degrees, 10 % of shift, 10 % of scale; 0: none */
    int cutout;    /* side of a square that is zeroed at a random place; 0: none */
} nm_augmentation;

/* From "flip", "pad-crop" or "pad-crop=4", "affine" or "affine=0.5", "cutout" or "cutout=8". */
nm_status nm_augmentation_read(nm_context *ctx, const nm_strings *words, nm_augmentation *out) NM_MUST_USE;

/* Changes `from` [h][w][c] into `to`, which must not be `from`. `r` is placed at (epoch, sample).
 */
void nm_augment(const nm_augmentation *a, nm_rng *r, nm_shape shape, const uint8_t *from, uint8_t *to);

#endif
