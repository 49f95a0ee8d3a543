/* Images from files, brought to the shape that is wanted. A file is decoded, put over its
 * background where it is transparent, made grey or RGB, turned where that is asked for, and
 * resized, in this order. What was done to the files is counted, to be reported once at the end:
 *
 *     nm_image_reader reader = {.ctx = ctx, .rules = form->images};
 *     NM_TRY(nm_image_read(&reader, path, shape, pixels));    // as often as there are files
 *     nm_image_report(&reader);
 */
#ifndef NM_IMAGE_H
#define NM_IMAGE_H

#include "dataset.h"

/* "PNG, JPEG, WebP, TIFF or GIF" */
#define NM_IMAGE_FORMATS "PNG, JPEG, WebP, TIFF or GIF"

/* How many files, and the first of them. */
typedef struct nm_image_count {
    int count;
    char first[512];
} nm_image_count;

typedef struct nm_image_reader {
    nm_context *ctx;
    nm_image_rules rules;
    int images; /* that were read */
    nm_image_count warned, rotated, transparent, made_grey, made_rgb, resized;
    char warning[160]; /* of the first that was warned of */
} nm_image_reader;

/* Whether the first bytes of a file are those of a format that is read, whatever its name says. */
bool nm_image_known(const void *bytes, size_t size);

/* Height, width, and by its header 1 or 3 channels of an image, without decoding it. */
nm_status nm_image_probe(const nm_image_reader *reader, const char *path, nm_shape *shape) NM_MUST_USE;

/* Reads a file as 8-bit pixels [h][w][c] of `shape`, c 1 (grey) or 3 (RGB). Another or a damaged
 * file: NM_INVALID. */
nm_status nm_image_read(nm_image_reader *reader, const char *path, nm_shape shape, uint8_t *pixels) NM_MUST_USE;
/* The same from `size` bytes in memory; `path` is for messages. */
nm_status nm_image_decode(nm_image_reader *reader, const char *path, const void *bytes, size_t size, nm_shape shape,
                          uint8_t *pixels) NM_MUST_USE;
/* Logs what was done to the images, a line a kind. */
void nm_image_report(const nm_image_reader *reader);

/* Resamples `from` [h][w][c] to `to` of another height and width, by the rules. */
nm_status nm_image_resize(nm_context *ctx, const nm_image_rules *rules, nm_shape from_shape, const uint8_t *from,
                          nm_shape to_shape, uint8_t *to) NM_MUST_USE;

#endif
