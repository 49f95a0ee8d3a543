/* Grey images in files. */
#ifndef GREY_PNG_H
#define GREY_PNG_H

#include "program.h"

#include <png.h>

static inline void write_grey_png(const char *path, int side, const uint8_t *pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)side,
                       .height = (png_uint_32)side,
                       .format = PNG_FORMAT_GRAY};
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

#endif
