/* What the tests of images share: files of each kind, a reader, and what it logs. */
#ifndef IMAGE_SUPPORT_H
#define IMAGE_SUPPORT_H

#include "data_support.h"
#include "image.h"

#include <jpeglib.h>
#include <png.h>

/* One line of the log after the other. */
static char logged[8192];

static inline void keep_line(void *arg, const char *line)
{
    (void)arg;
    snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n", line);
}

#define ck_assert_logged(part_) ck_assert_msg(strstr(logged, part_) != NULL, "expected '%s' in: %s", part_, logged)

static inline nm_image_reader new_reader(void)
{
    *logged = '\0';
    nm_context_set_log(ctx, keep_line, NULL);
    return (nm_image_reader){.ctx = ctx};
}

/* Pixels of `format` (PNG_FORMAT_…) as 8 bits, without a palette. */
static inline void write_png(const char *path, int height, int width, int format, const uint8_t *pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = (png_uint_32)format};
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

/* A JPEG of [height][width][components] in `space`, stored as `stored` (libjpeg's JCS_…); *bytes
 * is freed with free. With `marker`, that block of EXIF. */
static inline unsigned long make_jpeg(int height, int width, int components, int space, int stored,
                                      const uint8_t *pixels, const uint8_t *marker, unsigned marker_size,
                                      unsigned char **bytes)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned long size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    *bytes = NULL;
    jpeg_mem_dest(&c, bytes, &size);
    c.image_height = (JDIMENSION)height;
    c.image_width = (JDIMENSION)width;
    c.input_components = components;
    c.in_color_space = (J_COLOR_SPACE)space;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, (J_COLOR_SPACE)stored);
    jpeg_set_quality(&c, 95, TRUE);
    for (int k = 0; k < c.num_components; k++)
        c.comp_info[k].h_samp_factor = c.comp_info[k].v_samp_factor = 1;
    jpeg_start_compress(&c, TRUE);
    if (marker)
        jpeg_write_marker(&c, JPEG_APP0 + 1, marker, marker_size);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)c.next_scanline * (size_t)(width * components));
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return size;
}

#endif
