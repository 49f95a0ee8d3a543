/* From pixels to the numbers that a network sees: x = (pixel / 255 - mean) / deviation, each
 * channel with its own mean and deviation, or for binary networks x = 0 or 1. The one place that
 * has this formula. */
#ifndef NM_NORMALISATION_H
#define NM_NORMALISATION_H

#include "error.h"
#include "real.h"

#include <stdbool.h>
#include <stdint.h>

/* Mean and deviation of each channel, of pixels in 0..1. All zero: not known. A copy by assignment
 * is for reading, and lives no longer than what it was copied from. */
typedef struct nm_normalisation {
    int channels;
    double *mean, *deviation; /* [channels] */
} nm_normalisation;

/* Memory for `channels`, of mean 0 and deviation 1. */
nm_status nm_normalisation_init(nm_context *ctx, int channels, nm_normalisation *out) NM_MUST_USE;
nm_status nm_normalisation_copy(nm_context *ctx, const nm_normalisation *from, nm_normalisation *out) NM_MUST_USE;
void nm_normalisation_free(nm_normalisation *normalisation);
/* The same bits. */
bool nm_normalisation_same(const nm_normalisation *a, const nm_normalisation *b);

/* The table [channels][256] of what each pixel value becomes. `binary`: 0 below 128, 1 from there
 * on, whatever mean and deviation are. Otherwise NM_INVALID where they are not known, or are of
 * another number of channels. nm_free. */
nm_status nm_pixel_table_new(nm_context *ctx, const nm_normalisation *normalisation, int channels, bool binary,
                             real **table) NM_MUST_USE;
/* `size` values of pixels [..][channels] through the table. */
void nm_normalise(const real *table, int channels, const uint8_t *pixels, size_t size, real *to);

#endif
