/* Images from files, and images of another size. */
#ifndef NM_IMAGE_H
#define NM_IMAGE_H

#include "dataset.h"

/* Reads a PNG or JPEG (told apart by their first bytes) as 8-bit pixels [h][w][c], c 1 (grey) or 3 (RGB). A transparent
 * image stands on black. Another or a damaged file: NM_INVALID. `pixels` is freed with nm_free. */
nm_status nm_image_read(nm_context *ctx, const char *path, int channels, nm_shape *shape, uint8_t **pixels) NM_MUST_USE;
/* The same from `size` bytes in memory; `path` is for messages. */
nm_status nm_image_decode(nm_context *ctx, const char *path, const void *bytes, size_t size, int channels,
                          nm_shape *shape, uint8_t **pixels) NM_MUST_USE;
bool nm_image_known(const void *bytes, size_t size);

/* Resamples `from` [h][w][c] to `to` of another height and width: each pixel is the mean of the area that it covers, or
 * where the image grows, bilinear between pixel centres. */
void nm_image_resize(nm_shape from_shape, const uint8_t *from, nm_shape to_shape, uint8_t *to);

#endif
