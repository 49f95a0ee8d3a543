/* JPEG, through libjpeg. What libjpeg only warns of (stray bytes, an unknown revision of JFIF, a
 * damaged block of a baseline image) is passed over and noted; a file that ends before its last
 * block is refused, as PIL and OpenCV refuse it. */
#include "image_format.h"

#include "alloc.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h> /* after stdio.h, which it needs */

#include <jerror.h> /* after jpeglib.h */

typedef struct jpeg_input {
    struct jpeg_error_mgr errors; /* first: libjpeg hands back its address */
    jmp_buf refused;
    nm_image *image;
    bool ended; /* libjpeg asked for more than there is */
} jpeg_input;

static bool jpeg_known(const uint8_t *bytes, size_t size)
{
    return size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

static void refuse(j_common_ptr d)
{
    jpeg_input *in = (jpeg_input *)d->err;
    char text[JMSG_LENGTH_MAX];
    d->err->format_message(d, text);
    int code = d->err->msg_code;
    snprintf(in->image->message, sizeof in->image->message, "%.180s", text);
    in->image->unsupported = code == JERR_BAD_PRECISION || code == JERR_SOF_UNSUPPORTED || code == JERR_NOT_COMPILED;
    longjmp(in->refused, 1);
}

/* Level -1 is a warning, from 0 on a trace. */
static void note_warning(j_common_ptr d, int level)
{
    jpeg_input *in = (jpeg_input *)d->err;
    char text[JMSG_LENGTH_MAX];
    if (level >= 0 || *in->image->warning)
        return;
    d->err->format_message(d, text);
    snprintf(in->image->warning, sizeof in->image->warning, "%.150s", text);
}

static void keep_silent(j_common_ptr d)
{
    (void)d;
}

/* All bytes were taken: an end mark ends the decoding. */
static boolean end_input(j_decompress_ptr d)
{
    static const JOCTET end[2] = {0xff, JPEG_EOI};
    ((jpeg_input *)d->err)->ended = true;
    d->src->next_input_byte = end;
    d->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

/* A progressive file may go through the whole image as often as it likes; encoders do in ten scans.
 */
enum { MOST_SCANS = 100 };

static void check_scans(j_common_ptr d)
{
    jpeg_input *in = (jpeg_input *)d->err;
    if (((j_decompress_ptr)d)->input_scan_number <= MOST_SCANS)
        return;
    (void)nm_image_unsupported(in->image, "it has more than %d scans", MOST_SCANS);
    longjmp(in->refused, 1);
}

static void read_orientation(const struct jpeg_decompress_struct *d, nm_image *image)
{
    for (jpeg_saved_marker_ptr m = d->marker_list; m; m = m->next)
        if (m->data_length > 6 && memcmp(m->data, "Exif\0", 6) == 0) {
            image->orientation = nm_exif_orientation(m->data, m->data_length);
            return;
        }
}

static nm_status read_header(struct jpeg_decompress_struct *d, nm_image *image)
{
    jpeg_save_markers(d, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(d, TRUE);
    bool grey = d->jpeg_color_space == JCS_GRAYSCALE;
    bool four = d->jpeg_color_space == JCS_CMYK || d->jpeg_color_space == JCS_YCCK;
    if (!grey && !four && d->num_components != 3)
        return nm_image_unsupported(image, "%d colour components of an unknown kind", d->num_components);
    d->out_color_space = grey ? JCS_GRAYSCALE : four ? JCS_CMYK : JCS_RGB;
    image->height = (int)d->image_height;
    image->width = (int)d->image_width;
    image->channels = grey ? 1 : 3;
    if (jpeg_has_multiple_scans(d))
        image->scratch = 2 * d->num_components; /* the coefficients of the whole image */
    read_orientation(d, image);
    return NM_OK;
}

/* a * b / 255, rounded. */
static int multiply(int a, int b)
{
    int t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* One row of CMYK, stored inverted as Adobe's programs and PIL have it, to RGB. */
static void convert_cmyk(const uint8_t *cmyk, int width, uint8_t *rgb)
{
    for (int i = 0; i < width; i++)
        for (int c = 0; c < 3; c++) {
            int light = cmyk[4 * i + 3];
            rgb[3 * i + c] = (uint8_t)(light - multiply(255 - cmyk[4 * i + c], light));
        }
}

static nm_status read_pixels(struct jpeg_decompress_struct *d, jpeg_input *in)
{
    nm_image *image = in->image;
    size_t stride = (size_t)image->width * (size_t)image->channels;
    jpeg_start_decompress(d);
    /* Freed with d. */
    JSAMPARRAY row = d->mem->alloc_sarray((j_common_ptr)d, JPOOL_IMAGE, 4 * d->output_width, 1);
    while (d->output_scanline < d->output_height) {
        uint8_t *to = image->pixels + d->output_scanline * stride;
        jpeg_read_scanlines(d, row, 1);
        if (d->out_color_space == JCS_CMYK)
            convert_cmyk(row[0], image->width, to);
        else
            memcpy(to, row[0], stride);
    }
    if (in->ended)
        return nm_image_damaged(image, "it is cut short");
    jpeg_finish_decompress(d); /* for its warnings: the pixels are there */
    return NM_OK;
}

static nm_status jpeg_decode(nm_context *ctx, const uint8_t *bytes, size_t size, bool header_only, nm_image *image)
{
    struct jpeg_decompress_struct d;
    jpeg_input in = {.image = image};
    d.err = jpeg_std_error(&in.errors);
    in.errors.error_exit = refuse;
    in.errors.emit_message = note_warning;
    in.errors.output_message = keep_silent;
    if (setjmp(in.refused)) {
        jpeg_destroy_decompress(&d);
        return NM_INVALID;
    }
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, bytes, (unsigned long)size);
    d.src->fill_input_buffer = end_input;
    d.mem->max_memory_to_use = (long)nm_context_max_memory(ctx);
    struct jpeg_progress_mgr progress = {.progress_monitor = check_scans};
    d.progress = &progress;
    nm_status status = read_header(&d, image);
    if (status == NM_OK && !header_only)
        status = nm_image_allocate(ctx, image);
    if (status == NM_OK && !header_only)
        status = read_pixels(&d, &in);
    jpeg_destroy_decompress(&d);
    return status;
}

const nm_image_format nm_image_jpeg = {"JPEG", jpeg_known, jpeg_decode};
