/* TIFF, through libtiff's conversion to RGBA: grey, RGB, palette, CMYK, YCbCr of up to 16 bits;
 * the first page. Its orientation is always applied, as PIL and OpenCV do for this format. */
#include "image_format.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>
#include <tiffio.h>

typedef struct tiff_input {
    const uint8_t *bytes;
    uint64_t size, done;
    nm_image *image;
} tiff_input;

static bool tiff_known(const uint8_t *bytes, size_t size)
{
    static const char *const marks[] = {"II*\0", "MM\0*", "II+\0", "MM\0+"};
    for (size_t i = 0; size >= 4 && i < sizeof marks / sizeof *marks; i++)
        if (memcmp(bytes, marks[i], 4) == 0)
            return true;
    return false;
}

static tmsize_t read_bytes(thandle_t handle, void *to, tmsize_t count)
{
    tiff_input *in = handle;
    uint64_t left = in->done < in->size ? in->size - in->done : 0;
    tmsize_t taken = (uint64_t)count < left ? count : (tmsize_t)left;
    memcpy(to, in->bytes + in->done, (size_t)taken);
    in->done += (uint64_t)taken;
    return taken;
}
static tmsize_t write_bytes(thandle_t handle, void *from, tmsize_t count)
{
    (void)handle, (void)from, (void)count;
    return 0;
}
static toff_t seek(thandle_t handle, toff_t offset, int from)
{
    tiff_input *in = handle;
    in->done = from == SEEK_SET ? offset : from == SEEK_CUR ? in->done + offset : in->size + offset;
    return in->done;
}
static int close_input(thandle_t handle)
{
    (void)handle;
    return 0;
}
static toff_t input_size(thandle_t handle)
{
    return ((tiff_input *)handle)->size;
}

static int on_error(TIFF *tiff, void *arg, const char *module, const char *fmt, va_list args)
{
    nm_image *image = arg;
    (void)tiff, (void)module;
    if (!*image->message)
        vsnprintf(image->message, sizeof image->message, fmt, args);
    return 1; /* handled: libtiff prints nothing */
}
static int on_warning(TIFF *tiff, void *arg, const char *module, const char *fmt, va_list args)
{
    (void)tiff, (void)arg, (void)module, (void)fmt, (void)args; /* of unknown tags */
    return 1;
}

static TIFF *open_tiff(const nm_context *ctx, tiff_input *in)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)nm_context_max_memory(ctx));
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, in->image);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, in->image);
    TIFF *tiff = TIFFClientOpenExt("image", "rm", in, read_bytes, write_bytes, seek, close_input, input_size, NULL,
                                   NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

/* How libtiff's RGBA stands for what the file holds. */
static nm_status read_header(TIFF *tiff, nm_image *image, uint16_t *orientation)
{
    uint32_t height = 0, width = 0;
    uint16_t photometric = PHOTOMETRIC_MINISBLACK, extras = 0, *extra = NULL;
    char why[1024] = "";
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, orientation);
    TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extras, &extra);
    if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX)
        return nm_image_damaged(image, "it has no size");
    if (!TIFFRGBAImageOK(tiff, why))
        return nm_image_unsupported(image, "%.150s: save it with 8 or 16 bits", why);
    bool grey = photometric == PHOTOMETRIC_MINISWHITE || photometric == PHOTOMETRIC_MINISBLACK;
    bool alpha = extras > 0 && (extra[0] == EXTRASAMPLE_ASSOCALPHA || extra[0] == EXTRASAMPLE_UNASSALPHA);
    bool turned = *orientation >= 5 && *orientation <= 8;
    image->height = (int)(turned ? width : height);
    image->width = (int)(turned ? height : width);
    image->channels = (grey ? 1 : 3) + alpha;
    image->scratch = 4 + image->channels; /* libtiff's RGBA, and its channels before they are turned */
    /* Where the file does not have colours multiplied by alpha, libtiff multiplies them. */
    image->premultiplied = alpha && (!grey || extra[0] == EXTRASAMPLE_ASSOCALPHA);
    return NM_OK;
}

/* Of libtiff's [height][width], a word a pixel with red in its lowest byte, the channels that
 * the file has. */
static void take_channels(const uint32_t *rgba, size_t pixels, int channels, uint8_t *to)
{
    for (size_t i = 0; i < pixels; i++, to += channels) {
        const uint8_t from[4] = {TIFFGetR(rgba[i]), TIFFGetG(rgba[i]), TIFFGetB(rgba[i]), TIFFGetA(rgba[i])};
        to[0] = from[0];
        if (channels > 2)
            memcpy(to + 1, from + 1, 2);
        if (channels % 2 == 0)
            to[channels - 1] = from[3];
    }
}

static nm_status read_pixels(nm_context *ctx, TIFF *tiff, int orientation, nm_image *image)
{
    bool turned = orientation >= 5 && orientation <= 8;
    int height = turned ? image->width : image->height, width = turned ? image->height : image->width;
    size_t pixels = (size_t)height * (size_t)width;
    NM_TRY(nm_image_allocate(ctx, image));
    uint32_t *rgba = nm_alloc(ctx, pixels, sizeof *rgba);
    uint8_t *stored = rgba ? nm_alloc(ctx, pixels, (size_t)image->channels) : NULL;
    nm_status status = stored ? NM_OK : NM_FAILED;
    TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT); /* turned below */
    if (status == NM_OK &&
        !TIFFReadRGBAImageOriented(tiff, (uint32_t)width, (uint32_t)height, rgba, ORIENTATION_TOPLEFT, 1))
        status = *image->message ? NM_INVALID : nm_image_damaged(image, "it is cut short or damaged");
    if (status == NM_OK) {
        take_channels(rgba, pixels, image->channels, stored);
        nm_image_turn(orientation, height, width, image->channels, stored, image->pixels);
    }
    nm_free(rgba);
    nm_free(stored);
    return status;
}

static nm_status tiff_decode(nm_context *ctx, const uint8_t *bytes, size_t size, bool header_only, nm_image *image)
{
    tiff_input in = {bytes, size, 0, image};
    uint16_t orientation = ORIENTATION_TOPLEFT;
    TIFF *tiff = open_tiff(ctx, &in);
    if (!tiff)
        return *image->message ? NM_INVALID : nm_image_damaged(image, "its header is cut short or damaged");
    nm_status status = read_header(tiff, image, &orientation);
    if (status == NM_OK && !header_only)
        status = read_pixels(ctx, tiff, orientation, image);
    TIFFClose(tiff);
    return status;
}

const nm_image_format nm_image_tiff = {"TIFF", tiff_known, tiff_decode};
