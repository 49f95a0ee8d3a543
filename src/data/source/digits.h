/* Drawn digits, for the data sets that are generated: digits, digit-scenes. */
#ifndef NM_DIGITS_H
#define NM_DIGITS_H

#include "rng.h"

#include <stdint.h>

enum { NM_DIGIT_SIDE = 28 };

/* A digit 0..9 in white on black; the stream says how it is written. image [28][28]. */
void nm_draw_digit(nm_rng *r, int digit, uint8_t *image);

/* Adds to each pixel the mean of two draws of up to 48 each way. */
void nm_add_noise(nm_rng *r, uint8_t *image, int pixels);

#endif
