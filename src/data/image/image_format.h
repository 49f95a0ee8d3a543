/* What the decoders of image formats share. A format is a file image_NAME.c and a line in the
 * table in image.c. */
#ifndef NM_IMAGE_FORMAT_H
#define NM_IMAGE_FORMAT_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a file holds, as it holds it: nothing is turned, put over a background or resized yet. */
typedef struct nm_image {
    int height, width;
    int channels;       /* 1: grey, 2: grey and alpha, 3: RGB, 4: RGB and alpha */
    int scratch;        /* bytes a pixel that decoding takes besides */
    bool premultiplied; /* grey or RGB are already multiplied by alpha */
    int orientation;    /* EXIF's, 1 to 8; 1: upright */
    char warning[160];  /* the first fault that the decoder could pass over; empty: none */
    char message[200];  /* why the file cannot be decoded */
    bool unsupported;   /* because of what it is, not because it is damaged */
    uint8_t *pixels;    /* [height][width][channels], nm_free; NULL after header_only */
} nm_image;

/* A decoder fills an image from the bytes of a file, with `header_only` all but its pixels (then
 * the bytes may be only the first ones of the file). A file that it cannot decode: NM_INVALID
 * with image->message, and no message in the context, for the caller knows the file's name. The
 * caller frees image->pixels in any case. */
typedef struct nm_image_format {
    const char *name; /* "JPEG" */
    bool (*known)(const uint8_t *bytes, size_t size);
    nm_status (*decode)(nm_context *ctx, const uint8_t *bytes, size_t size, bool header_only, nm_image *image);
} nm_image_format;

extern const nm_image_format nm_image_png, nm_image_jpeg, nm_image_webp, nm_image_tiff, nm_image_gif;

/* Memory for the pixels of an image whose height, width, channels and scratch are set; refuses one
 * that would take more than nm_context_max_memory. */
nm_status nm_image_allocate(nm_context *ctx, nm_image *image) NM_MUST_USE;
/* image->message, and NM_INVALID: for a damaged file, and for one of a kind that is not read. */
nm_status nm_image_damaged(nm_image *image, const char *fmt, ...) NM_PRINTF(2, 3);
nm_status nm_image_unsupported(nm_image *image, const char *fmt, ...) NM_PRINTF(2, 3);

/* The orientation in a block of EXIF, with or without its mark; 1 where it has none. */
int nm_exif_orientation(const uint8_t *bytes, size_t size);
/* Makes `to` the upright form of `from` [height][width][channels]. From orientation 5 on height
 * and width change places. */
void nm_image_turn(int orientation, int height, int width, int channels, const uint8_t *from, uint8_t *to);

#endif
