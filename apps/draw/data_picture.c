/* One sample of a data set as a PNG. */
#include "data_picture.h"

#include <errno.h>
#include <png.h>
#include <string.h>

nm_status write_sample(nm_context *ctx, const nm_samples *samples, int index, const char *path)
{
    const nm_shape s = samples->shape;
    if (index >= samples->count)
        return nm_fail(ctx, NM_INVALID, "--sample must be a whole number from 0 to %d; found %d", samples->count - 1,
                       index);
    if (s.c != 1 && s.c != 3)
        return nm_fail(ctx, NM_INVALID, "a picture has 1 or 3 channels; these samples have %d", s.c);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)s.w,
                       .height = (png_uint_32)s.h,
                       .format = s.c == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    errno = 0;
    const uint8_t *pixels = samples->pixels + (size_t)index * nm_shape_size(s);
    if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL))
        return nm_fail(ctx, NM_FAILED, "%s: cannot write: %s", path, errno ? strerror(errno) : image.message);
    return NM_OK;
}
