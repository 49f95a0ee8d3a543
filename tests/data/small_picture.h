/* A picture of 8 x 6 pixels for the tests of image formats. */
#ifndef SMALL_PICTURE_H
#define SMALL_PICTURE_H

#include "image_support.h"

enum { H = 6, W = 8, PIXELS = H * W };
static const nm_shape rgb_shape = {H, W, 3}, grey_shape = {H, W, 1};

/* RGBA, half of it transparent in steps. */
static inline void fill(uint8_t *rgba)
{
    for (int i = 0; i < PIXELS; i++)
        memcpy(rgba + 4 * i,
               (uint8_t[]){(uint8_t)(i % W * 36), (uint8_t)(i / W * 50), (uint8_t)(255 - 5 * i),
                           (uint8_t)(i * 255 / (PIXELS - 1))},
               4);
}

static inline void drop_alpha(const uint8_t *rgba, uint8_t *rgb)
{
    for (int i = 0; i < PIXELS; i++)
        memcpy(rgb + 3 * i, rgba + 4 * i, 3);
}

#endif
