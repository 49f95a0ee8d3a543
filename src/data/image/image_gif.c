/* GIF, through giflib: the first frame. Where the frame leaves the canvas free, it is
 * transparent, or of the palette's first colour if the frame has no transparent one, as PIL has
 * it. */
#include "image_format.h"

#include "alloc.h"

#include <gif_lib.h>
#include <string.h>

typedef struct gif_input {
    const uint8_t *bytes;
    size_t size, done;
} gif_input;

static bool gif_known(const uint8_t *bytes, size_t size)
{
    return size >= 6 && (memcmp(bytes, "GIF87a", 6) == 0 || memcmp(bytes, "GIF89a", 6) == 0);
}

static int read_bytes(GifFileType *gif, GifByteType *to, int count)
{
    gif_input *in = gif->UserData;
    size_t left = in->size - in->done, taken = (size_t)count < left ? (size_t)count : left;
    memcpy(to, in->bytes + in->done, taken);
    in->done += taken;
    return (int)taken;
}

/* Goes through an extension; *transparent is the colour that one about graphics names. */
static bool read_extension(GifFileType *gif, int *transparent)
{
    int code;
    GifByteType *block;
    if (DGifGetExtension(gif, &code, &block) != GIF_OK)
        return false;
    while (block) {
        GraphicsControlBlock control;
        if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            *transparent = control.TransparentColor;
        if (DGifGetExtensionNext(gif, &block) != GIF_OK)
            return false;
    }
    return true;
}

/* Up to the first frame, whose place is then in gif->Image. */
static bool find_frame(GifFileType *gif, int *transparent)
{
    GifRecordType record;
    while (DGifGetRecordType(gif, &record) == GIF_OK && record != TERMINATE_RECORD_TYPE) {
        if (record == IMAGE_DESC_RECORD_TYPE)
            return DGifGetImageDesc(gif) == GIF_OK;
        if (record == EXTENSION_RECORD_TYPE && !read_extension(gif, transparent))
            return false;
    }
    return false;
}

static void put_colour(const ColorMapObject *map, int index, int transparent, int channels, uint8_t *to)
{
    static const GifColorType black = {0, 0, 0};
    const GifColorType *colour = index < map->ColorCount ? &map->Colors[index] : &black;
    memcpy(to, (uint8_t[]){colour->Red, colour->Green, colour->Blue, index == transparent ? 0 : 255}, (size_t)channels);
}

/* The rows of an interlaced frame come in four passes. */
static bool read_rows(GifFileType *gif, const ColorMapObject *map, int transparent, GifPixelType *row, nm_image *image)
{
    static const int first[] = {0, 4, 2, 1, 0}, step[] = {8, 8, 4, 2, 1};
    const GifImageDesc *frame = &gif->Image;
    for (int pass = frame->Interlace ? 0 : 4; pass < (frame->Interlace ? 4 : 5); pass++)
        for (int y = first[pass]; y < frame->Height; y += step[pass]) {
            if (DGifGetLine(gif, row, frame->Width) != GIF_OK)
                return false;
            size_t place = (size_t)(frame->Top + y) * (size_t)image->width + (size_t)frame->Left;
            for (int x = 0; x < frame->Width; x++)
                put_colour(map, row[x], transparent, image->channels,
                           image->pixels + (place + (size_t)x) * (size_t)image->channels);
        }
    return true;
}

static nm_status read_frame(nm_context *ctx, GifFileType *gif, int transparent, nm_image *image)
{
    const ColorMapObject *map = gif->Image.ColorMap ? gif->Image.ColorMap : gif->SColorMap;
    if (!map)
        return nm_image_damaged(image, "it has no palette");
    NM_TRY(nm_image_allocate(ctx, image));
    GifPixelType *row = nm_alloc(ctx, (size_t)gif->Image.Width + 1, sizeof *row);
    if (!row)
        return NM_FAILED;
    for (size_t i = 0; i < (size_t)image->height * (size_t)image->width; i++)
        put_colour(map, transparent < 0 ? 0 : transparent, transparent, image->channels,
                   image->pixels + i * (size_t)image->channels);
    bool whole = read_rows(gif, map, transparent, row, image);
    nm_free(row);
    return whole ? NM_OK : nm_image_damaged(image, "its first frame is cut short or damaged");
}

static nm_status gif_decode(nm_context *ctx, const uint8_t *bytes, size_t size, bool header_only, nm_image *image)
{
    gif_input in = {bytes, size, 0};
    int error = 0, transparent = NO_TRANSPARENT_COLOR;
    GifFileType *gif = DGifOpen(&in, read_bytes, &error);
    if (!gif)
        return nm_image_damaged(image, "its header is cut short or damaged");
    nm_status status = NM_OK;
    if (!find_frame(gif, &transparent)) {
        status = nm_image_damaged(image, "it has no whole frame");
    } else {
        int bottom = gif->Image.Top + gif->Image.Height, right = gif->Image.Left + gif->Image.Width;
        image->height = gif->SHeight > bottom ? gif->SHeight : bottom;
        image->width = gif->SWidth > right ? gif->SWidth : right;
        image->channels = transparent >= 0 ? 4 : 3;
        status = header_only ? NM_OK : read_frame(ctx, gif, transparent, image);
    }
    DGifCloseFile(gif, &error);
    return status;
}

const nm_image_format nm_image_gif = {"GIF", gif_known, gif_decode};
