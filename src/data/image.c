/* PNG through libpng, JPEG through libjpeg-turbo. */
#include "image.h"

#include "alloc.h"
#include "file.h"

#include <math.h>
#include <png.h>
#include <string.h>
#include <turbojpeg.h>

/* Larger than any image that a network is trained on; a header that claims more is taken for damage. */
enum { MOST_SIDE = 32768 };

static bool is_png(const void *bytes, size_t size)
{
    return size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}
static bool is_jpeg(const void *bytes, size_t size)
{
    return size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}
bool nm_image_known(const void *bytes, size_t size)
{
    return is_png(bytes, size) || is_jpeg(bytes, size);
}

static nm_status make_room(nm_context *ctx, const char *path, long width, long height, int channels, nm_shape *shape,
                           uint8_t **pixels)
{
    if (width < 1 || height < 1 || width > MOST_SIDE || height > MOST_SIDE || width * height > 1 << 28)
        return nm_fail(ctx, NM_INVALID, "%s: an image of %ld x %ld pixels is not read", path, width, height);
    *shape = (nm_shape){(int)height, (int)width, channels};
    *pixels = nm_alloc(ctx, nm_shape_size(*shape), 1);
    return *pixels ? NM_OK : NM_FAILED;
}

static nm_status decode_png(nm_context *ctx, const char *path, const void *bytes, size_t size, int channels,
                            nm_shape *shape, uint8_t **pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&image, bytes, size))
        return nm_fail(ctx, NM_INVALID, "%s: not a whole PNG: %s", path, image.message);
    image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    nm_status status = make_room(ctx, path, (long)image.width, (long)image.height, channels, shape, pixels);
    png_color black = {0, 0, 0};
    if (status == NM_OK && !png_image_finish_read(&image, &black, *pixels, 0, NULL))
        status = nm_fail(ctx, NM_INVALID, "%s: not a whole PNG: %s", path, image.message);
    png_image_free(&image);
    return status;
}

static nm_status decode_jpeg(nm_context *ctx, const char *path, const void *bytes, size_t size, int channels,
                             nm_shape *shape, uint8_t **pixels)
{
    int width, height, subsampling, space;
    tjhandle decoder = tjInitDecompress();
    if (!decoder)
        return nm_fail(ctx, NM_FAILED, "%s: JPEG cannot be decoded: %s", path, tjGetErrorStr());
    nm_status status = NM_OK;
    if (tjDecompressHeader3(decoder, bytes, (unsigned long)size, &width, &height, &subsampling, &space) != 0)
        status = nm_fail(ctx, NM_INVALID, "%s: not a whole JPEG: %s", path, tjGetErrorStr2(decoder));
    if (status == NM_OK)
        status = make_room(ctx, path, width, height, channels, shape, pixels);
    if (status == NM_OK &&
        tjDecompress2(decoder, bytes, (unsigned long)size, *pixels, width, 0, height,
                      channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING) != 0)
        status = nm_fail(ctx, NM_INVALID, "%s: not a whole JPEG: %s", path, tjGetErrorStr2(decoder));
    tjDestroy(decoder);
    return status;
}

nm_status nm_image_decode(nm_context *ctx, const char *path, const void *bytes, size_t size, int channels,
                          nm_shape *shape, uint8_t **pixels)
{
    nm_status status;
    *pixels = NULL;
    if (channels != 1 && channels != 3)
        return nm_fail(ctx, NM_INVALID, "%s: images have 1 or 3 channels; the network takes %d", path, channels);
    if (is_png(bytes, size))
        status = decode_png(ctx, path, bytes, size, channels, shape, pixels);
    else if (is_jpeg(bytes, size))
        status = decode_jpeg(ctx, path, bytes, size, channels, shape, pixels);
    else
        status = nm_fail(ctx, NM_INVALID, "%s: expected a PNG or JPEG image; it starts with neither's mark", path);
    if (status != NM_OK) {
        nm_free(*pixels);
        *pixels = NULL;
    }
    return status;
}

nm_status nm_image_read(nm_context *ctx, const char *path, int channels, nm_shape *shape, uint8_t **pixels)
{
    char *bytes;
    size_t size;
    *pixels = NULL;
    NM_TRY(nm_file_read(ctx, path, &bytes, &size));
    nm_status status = nm_image_decode(ctx, path, bytes, size, channels, shape, pixels);
    nm_free(bytes);
    return status;
}

/* ---- size ---------------------------------------------------------------------------------------- */

/* Along one axis, the weight of source pixel `s` in target pixel `t`: a triangle around the target's centre as wide as
 * the larger of the two pixels when the image grows, the covered part when it shrinks. */
static double weight(int t, int s, double ratio)
{
    if (ratio <= 1) { /* grows: between centres */
        double centre = (t + 0.5) * ratio - 0.5;
        return fmax(0, 1 - fabs(centre - s));
    }
    double low = fmax(t * ratio, s), high = fmin((t + 1) * ratio, s + 1);
    return fmax(0, high - low);
}

static void range(int t, double ratio, int size, int *first, int *last)
{
    *first = (int)floor(ratio <= 1 ? (t + 0.5) * ratio - 0.5 : t * ratio);
    *last = (int)ceil(ratio <= 1 ? (t + 0.5) * ratio - 0.5 : (t + 1) * ratio - 1);
    *first = *first < 0 ? 0 : *first;
    *last = *last >= size ? size - 1 : *last;
}

void nm_image_resize(nm_shape a, const uint8_t *from, nm_shape b, uint8_t *to)
{
    double rh = (double)a.h / b.h, rw = (double)a.w / b.w;
    for (int h = 0; h < b.h; h++)
        for (int w = 0; w < b.w; w++) {
            int h0, h1, w0, w1;
            range(h, rh, a.h, &h0, &h1);
            range(w, rw, a.w, &w0, &w1);
            for (int c = 0; c < b.c; c++) {
                double sum = 0, total = 0;
                for (int y = h0; y <= h1; y++)
                    for (int x = w0; x <= w1; x++) {
                        double k = weight(h, y, rh) * weight(w, x, rw);
                        sum += k * from[((size_t)y * (size_t)a.w + (size_t)x) * (size_t)a.c + (size_t)c];
                        total += k;
                    }
                to[((size_t)h * (size_t)b.w + (size_t)w) * (size_t)b.c + (size_t)c] = (uint8_t)(sum / total + 0.5);
            }
        }
}
