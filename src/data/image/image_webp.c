/* WebP, through libwebp: of an animation the first frame. */
#include "image_format.h"

#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

static bool webp_known(const uint8_t *bytes, size_t size)
{
    return size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

static int find_orientation(const WebPData *data)
{
    int orientation = 1;
    WebPDemuxer *demux = WebPDemux(data);
    WebPChunkIterator chunk;
    if (demux && WebPDemuxGetChunk(demux, "EXIF", 1, &chunk)) {
        orientation = nm_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demux);
    return orientation;
}

/* The first frame on a transparent canvas. */
static nm_status read_canvas(nm_context *ctx, const WebPData *data, nm_image *image)
{
    WebPAnimDecoderOptions options;
    uint8_t *canvas = NULL;
    int time;
    if (!WebPAnimDecoderOptionsInit(&options))
        return nm_fail(ctx, NM_FAILED, "libwebp is another version than norma was built with");
    options.color_mode = MODE_RGBA;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(data, &options);
    nm_status status = NM_OK;
    if (!decoder || !WebPAnimDecoderGetNext(decoder, &canvas, &time))
        status = nm_image_damaged(image, "it is cut short or damaged");
    else
        memcpy(image->pixels, canvas, 4 * (size_t)image->height * (size_t)image->width);
    WebPAnimDecoderDelete(decoder);
    return status;
}

static nm_status webp_decode(nm_context *ctx, const uint8_t *bytes, size_t size, bool header_only, nm_image *image)
{
    WebPBitstreamFeatures features;
    const WebPData data = {bytes, size};
    if (WebPGetFeatures(bytes, size, &features) != VP8_STATUS_OK)
        return nm_image_damaged(image, "its header is damaged");
    image->height = features.height;
    image->width = features.width;
    image->channels = features.has_alpha || features.has_animation || !header_only ? 4 : 3;
    image->scratch = 12 - image->channels; /* libwebp's two canvases of RGBA beside one of ours */
    image->orientation = find_orientation(&data);
    if (header_only)
        return NM_OK;
    NM_TRY(nm_image_allocate(ctx, image));
    return read_canvas(ctx, &data, image);
}

const nm_image_format nm_image_webp = {"WebP", webp_known, webp_decode};
