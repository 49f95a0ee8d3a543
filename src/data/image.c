/* Images from files: the format by its mark, the decoder's pixels to grey or RGB, and what is
 * given a report of it. */
#include "image.h"

#include "alloc.h"
#include "file.h"
#include "image_format.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Larger than any image that a network is trained on. */
enum { MOST_SIDE = 32768 };

static const nm_image_format *const formats[] = {&nm_image_png, &nm_image_jpeg, &nm_image_webp, &nm_image_tiff,
                                                 &nm_image_gif};

static const nm_image_format *find_format(const void *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i]->known(bytes, size))
            return formats[i];
    return NULL;
}

bool nm_image_known(const void *bytes, size_t size)
{
    return find_format(bytes, size) != NULL;
}

/* ---- for the decoders ---------------------------------------------------------------------- */

nm_status nm_image_damaged(nm_image *image, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(image->message, sizeof image->message, fmt, args);
    va_end(args);
    return NM_INVALID;
}

nm_status nm_image_unsupported(nm_image *image, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(image->message, sizeof image->message, fmt, args);
    va_end(args);
    image->unsupported = true;
    return NM_INVALID;
}

/* The pixels, and beside them what decoding takes, or behind it the same pixels as RGB. */
static nm_status check_size(const nm_context *ctx, nm_image *image)
{
    long height = image->height, width = image->width;
    if (height < 1 || width < 1 || height > MOST_SIDE || width > MOST_SIDE)
        return nm_image_unsupported(image, "it has %ld x %ld pixels; expected at most %d a side", width, height,
                                    MOST_SIDE);
    size_t each = (size_t)image->channels + (size_t)(image->scratch > 3 ? image->scratch : 3);
    size_t bytes = (size_t)height * (size_t)width * each, most = nm_context_max_memory(ctx);
    size_t mebibytes = (bytes + (1 << 20) - 1) >> 20;
    if (bytes > most)
        return nm_image_unsupported(image,
                                    "its %ld x %ld pixels take %zu MiB; expected at most %zu: make it smaller, or "
                                    "allow more by --max-memory %zu",
                                    width, height, mebibytes, most >> 20, mebibytes);
    return NM_OK;
}

nm_status nm_image_allocate(nm_context *ctx, nm_image *image)
{
    NM_TRY(check_size(ctx, image));
    image->pixels = nm_alloc(ctx, (size_t)image->height * (size_t)image->width, (size_t)image->channels);
    return image->pixels ? NM_OK : NM_FAILED;
}

/* ---- decoding ------------------------------------------------------------------------------ */

/* What people have under the name of an image. */
static const char *other_format(const uint8_t *bytes, size_t size)
{
    if (size >= 2 && memcmp(bytes, "BM", 2) == 0)
        return "it is a BMP: convert it to PNG";
    if (size >= 12 && memcmp(bytes + 4, "ftyp", 4) == 0)
        return "it is a HEIC, AVIF or video: convert it to PNG or JPEG";
    if (size >= 1 && bytes[0] == '<')
        return "it is a page of text, as a failed download leaves it: fetch it again";
    return "it starts with the mark of none: replace or remove it";
}

/* The image as its file has it. image->pixels is to be freed only where this returns NM_OK. */
static nm_status decode(nm_context *ctx, const char *path, const uint8_t *bytes, size_t size, bool header_only,
                        nm_image *image)
{
    *image = (nm_image){.orientation = 1};
    if (size == 0)
        return nm_fail(ctx, NM_INVALID, "%s: the file is empty: replace or remove it", path);
    const nm_image_format *format = find_format(bytes, size);
    if (!format)
        return nm_fail(ctx, NM_INVALID, "%s: expected a " NM_IMAGE_FORMATS " image; %s", path,
                       other_format(bytes, size));
    nm_status status = format->decode(ctx, bytes, size, header_only, image);
    if (status == NM_OK)
        status = check_size(ctx, image);
    if (status == NM_INVALID && image->unsupported)
        status = nm_fail(ctx, NM_INVALID, "%s: a %s of this kind is not read: %s", path, format->name, image->message);
    else if (status == NM_INVALID)
        status = nm_fail(ctx, NM_INVALID, "%s: not a whole %s: %s; replace or remove it", path, format->name,
                         image->message);
    if (status != NM_OK) {
        nm_free(image->pixels);
        image->pixels = NULL;
    }
    return status;
}

static bool is_turned(const nm_image_rules *rules, const nm_image *image)
{
    return rules->orient && image->orientation >= 5;
}

static nm_shape upright_shape(const nm_image_rules *rules, const nm_image *image)
{
    bool turned = is_turned(rules, image);
    return (nm_shape){turned ? image->width : image->height, turned ? image->height : image->width,
                      image->channels < 3 ? 1 : 3};
}

/* The first bytes of a file hold the header of most; where they do not, the whole file is read, and
 * where the orientation is asked for, which WebP has at its end. */
enum { HEAD = 1 << 16 };

static nm_status read_head(nm_context *ctx, const char *path, uint8_t *head, size_t *size, bool *whole)
{
    int fd;
    NM_TRY(nm_file_open(ctx, path, &fd));
    FILE *f = fdopen(fd, "rb");
    if (!f) {
        close(fd);
        return nm_fail(ctx, NM_FAILED, "%s: cannot open: %s", path, strerror(errno));
    }
    *size = fread(head, 1, HEAD, f);
    bool failed = ferror(f);
    *whole = *size < HEAD;
    fclose(f);
    return failed ? nm_fail(ctx, NM_FAILED, "%s: cannot read: %s", path, strerror(errno)) : NM_OK;
}

static nm_status read_image_file(nm_context *ctx, const char *path, char **bytes, size_t *size)
{
    return nm_file_read_most(ctx, path, nm_context_max_memory(ctx), "an image (--max-memory allows more)", bytes, size);
}

static nm_status probe_whole(nm_context *ctx, const char *path, nm_image *image)
{
    char *bytes;
    size_t size;
    NM_TRY(read_image_file(ctx, path, &bytes, &size));
    nm_status status = decode(ctx, path, (const uint8_t *)bytes, size, true, image);
    nm_free(bytes);
    return status;
}

nm_status nm_image_probe(const nm_image_reader *reader, const char *path, nm_shape *shape)
{
    nm_context *ctx = reader->ctx;
    size_t size = 0;
    bool whole = true;
    nm_image image = {.orientation = 1};
    uint8_t *head = nm_alloc(ctx, HEAD, 1);
    nm_status status = head ? read_head(ctx, path, head, &size, &whole) : NM_FAILED;
    const nm_image_format *format = status == NM_OK ? find_format(head, size) : NULL;
    if (status == NM_OK && (whole || !format))
        status = decode(ctx, path, head, size, true, &image);
    else if (status == NM_OK && (reader->rules.orient || format->decode(ctx, head, size, true, &image) != NM_OK ||
                                 check_size(ctx, &image) != NM_OK))
        status = probe_whole(ctx, path, &image);
    nm_free(head);
    if (status == NM_OK)
        *shape = upright_shape(&reader->rules, &image);
    return status;
}

/* ---- to grey or RGB ------------------------------------------------------------------------ */

typedef struct seen {
    bool transparent, colour;
} seen;

static int over_background(int value, int alpha, int background, bool premultiplied)
{
    int behind = background * (255 - alpha), sum = (premultiplied ? 255 * value : value * alpha) + behind;
    int mixed = (sum + 127) / 255;
    return mixed > 255 ? 255 : mixed;
}

/* Grey by the weights of ITU-R BT.601 (0.299, 0.587, 0.114), in 16 bits as PIL has it. */
static uint8_t grey_of(const int rgb[3])
{
    return (uint8_t)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

static seen convert_pixels(const nm_image *image, const nm_image_rules *rules, int channels, uint8_t *to)
{
    size_t pixels = (size_t)image->height * (size_t)image->width;
    int colours = image->channels < 3 ? 1 : 3, background = rules->background == NM_BACKGROUND_WHITE ? 255 : 0;
    bool has_alpha = image->channels % 2 == 0;
    const uint8_t *from = image->pixels;
    seen s = {false, false};
    for (size_t i = 0; i < pixels; i++, from += image->channels, to += channels) {
        int rgb[3], alpha = has_alpha ? from[colours] : 255;
        for (int c = 0; c < 3; c++)
            rgb[c] = from[colours == 1 ? 0 : c];
        for (int c = 0; alpha < 255 && c < 3; c++)
            rgb[c] = over_background(rgb[c], alpha, background, image->premultiplied);
        s.transparent |= alpha < 255;
        s.colour |= rgb[0] != rgb[1] || rgb[0] != rgb[2];
        if (channels == 1)
            to[0] = grey_of(rgb);
        else
            for (int c = 0; c < 3; c++)
                to[c] = (uint8_t)rgb[c];
    }
    return s;
}

/* ---- reading ------------------------------------------------------------------------------- */

static void count_image(nm_image_count *to, const char *path)
{
    if (to->count++ == 0)
        snprintf(to->first, sizeof to->first, "%s", path);
}

static void note_image(nm_image_reader *r, const char *path, const nm_image *image, seen s, nm_shape found,
                       nm_shape wanted)
{
    r->images++;
    if (*image->warning && r->warned.count == 0)
        snprintf(r->warning, sizeof r->warning, "%s", image->warning);
    if (*image->warning)
        count_image(&r->warned, path);
    if (image->orientation != 1 && !r->rules.orient)
        count_image(&r->rotated, path);
    if (s.transparent)
        count_image(&r->transparent, path);
    if (s.colour && wanted.c == 1)
        count_image(&r->made_grey, path);
    if (image->channels < 3 && wanted.c == 3)
        count_image(&r->made_rgb, path);
    if (found.h != wanted.h || found.w != wanted.w)
        count_image(&r->resized, path);
}

/* Brings a decoded image to `shape`; its own pixels are freed as soon as they are converted. */
static nm_status bring_to_shape(nm_image_reader *r, const char *path, nm_image *image, nm_shape shape, uint8_t *pixels)
{
    nm_shape upright = upright_shape(&r->rules, image);
    upright.c = shape.c;
    size_t size = nm_shape_size(upright);
    bool turn = r->rules.orient && image->orientation != 1;
    uint8_t *converted = nm_alloc(r->ctx, size, 1), *turned = NULL;
    seen s = {false, false};
    if (converted)
        s = convert_pixels(image, &r->rules, shape.c, converted);
    nm_free(image->pixels);
    image->pixels = NULL;
    if (converted && turn)
        turned = nm_alloc(r->ctx, size, 1);
    nm_status status = converted && (turned || !turn) ? NM_OK : NM_FAILED;
    if (status == NM_OK) {
        if (turn)
            nm_image_turn(image->orientation, image->height, image->width, shape.c, converted, turned);
        status = nm_image_resize(r->ctx, &r->rules, upright, turn ? turned : converted, shape, pixels);
        note_image(r, path, image, s, upright, shape);
    }
    nm_free(converted);
    nm_free(turned);
    return status;
}

nm_status nm_image_decode(nm_image_reader *r, const char *path, const void *bytes, size_t size, nm_shape shape,
                          uint8_t *pixels)
{
    nm_image image;
    if (shape.c != 1 && shape.c != 3)
        return nm_fail(r->ctx, NM_INVALID, "%s: images have 1 or 3 channels; the network takes %d", path, shape.c);
    NM_TRY(decode(r->ctx, path, bytes, size, false, &image));
    return bring_to_shape(r, path, &image, shape, pixels);
}

nm_status nm_image_read(nm_image_reader *r, const char *path, nm_shape shape, uint8_t *pixels)
{
    char *bytes;
    size_t size;
    NM_TRY(read_image_file(r->ctx, path, &bytes, &size));
    nm_status status = nm_image_decode(r, path, bytes, size, shape, pixels);
    nm_free(bytes);
    return status;
}
