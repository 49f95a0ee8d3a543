/* PNG, through libpng. 16 bits become 8 by depth alone (v 255 / 65535, rounded); gAMA, sRGB and
 * iCCP are not applied, as PIL and OpenCV do not. */
#include "image_format.h"

#include "alloc.h"

#include <png.h>
#include <stdio.h>
#include <string.h>

typedef struct png_input {
    const uint8_t *bytes;
    size_t size, done;
    nm_image *image;
    png_bytep *rows;
    nm_status memory;
} png_input;

static bool png_known(const uint8_t *bytes, size_t size)
{
    return size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static void read_bytes(png_structp png, png_bytep to, size_t count)
{
    png_input *in = png_get_io_ptr(png);
    if (count > in->size - in->done)
        png_error(png, "it is cut short");
    memcpy(to, in->bytes + in->done, count);
    in->done += count;
}

static void on_error(png_structp png, png_const_charp message)
{
    png_input *in = png_get_error_ptr(png);
    snprintf(in->image->message, sizeof in->image->message, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message; /* of profiles and texts, which do not change the pixels */
}

static void read_orientation(png_structp png, png_infop info, nm_image *image)
{
    png_uint_32 size = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(png, info, &size, &exif))
        image->orientation = nm_exif_orientation(exif, size);
}

/* Texts and profiles change no pixel: passed over unread, for each may unpack to 8 MB. */
static void pass_over_texts(png_structp png)
{
    static const png_byte names[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT\0hIST";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, (int)(sizeof names / 5));
}

/* Palettes, few bits and a transparent colour become 8 bits and alpha. */
static void read_header(png_structp png, png_infop info, nm_image *image)
{
    png_read_info(png, info);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    image->height = (int)png_get_image_height(png, info);
    image->width = (int)png_get_image_width(png, info);
    image->channels = png_get_channels(png, info);
    read_orientation(png, info, image);
}

static void read_pixels(nm_context *ctx, png_structp png, png_input *in)
{
    nm_image *image = in->image;
    in->memory = nm_image_allocate(ctx, image);
    if (in->memory == NM_OK && !(in->rows = nm_alloc(ctx, (size_t)image->height, sizeof *in->rows)))
        in->memory = NM_FAILED;
    if (in->memory != NM_OK)
        return;
    for (int i = 0; i < image->height; i++)
        in->rows[i] = image->pixels + (size_t)i * (size_t)image->width * (size_t)image->channels;
    png_read_image(png, in->rows);
}

/* What stands behind the pixels; damage there does not matter any more. */
static void read_end(png_structp png, png_infop info, nm_image *image)
{
    if (setjmp(png_jmpbuf(png)))
        return;
    png_read_end(png, info);
    read_orientation(png, info, image);
}

static nm_status png_decode(nm_context *ctx, const uint8_t *bytes, size_t size, bool header_only, nm_image *image)
{
    png_input in = {.bytes = bytes, .size = size, .image = image};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &in, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return nm_fail_memory(ctx, 0);
    }
    png_set_read_fn(png, &in, read_bytes);
    pass_over_texts(png);
    volatile nm_status status = NM_INVALID;
    if (!setjmp(png_jmpbuf(png))) {
        read_header(png, info, image);
        if (!header_only)
            read_pixels(ctx, png, &in);
        status = in.memory;
    }
    if (status == NM_OK && !header_only)
        read_end(png, info, image);
    nm_free(in.rows);
    png_destroy_read_struct(&png, &info, NULL);
    return status;
}

const nm_image_format nm_image_png = {"PNG", png_known, png_decode};
