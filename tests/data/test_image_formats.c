/* WebP, TIFF and GIF; and a file of each format that is read, cut short and changed.
 * tests/oracle/images.py compares more of them with Pillow and OpenCV. */
#include "small_picture.h"

#include <gif_lib.h>
#include <tiffio.h>
#include <webp/encode.h>

/* ---- WebP, TIFF, GIF ----------------------------------------------------------------------- */

static void write_webp(const char *path, const uint8_t *rgba)
{
    uint8_t *bytes;
    size_t size = WebPEncodeLosslessRGBA(rgba, W, H, 4 * W, &bytes);
    ck_assert_uint_gt(size, 0);
    write_bytes(path, bytes, size);
    WebPFree(bytes);
}

/* Of an even number of channels the last is `alpha` (EXTRASAMPLE_…). */
static void write_tiff_alpha(const char *path, int channels, int depth, int photometric, int orientation,
                             uint16_t alpha, const void *pixels)
{
    TIFF *t = TIFFOpen(path, "w");
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, W);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, H);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, depth);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, channels);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, photometric);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_ORIENTATION, orientation);
    TIFFSetField(t, TIFFTAG_COMPRESSION, COMPRESSION_LZW);
    if (channels % 2 == 0)
        TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, &alpha);
    if (depth == 32)
        TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    size_t stride = (size_t)(W * channels * depth / 8);
    for (int y = 0; y < H; y++)
        ck_assert_int_eq(TIFFWriteScanline(t, (uint8_t *)pixels + (size_t)y * stride, (uint32_t)y, 0), 1);
    TIFFClose(t);
}

static void write_tiff(const char *path, int channels, int depth, int photometric, int orientation, const void *pixels)
{
    write_tiff_alpha(path, channels, depth, photometric, orientation, EXTRASAMPLE_UNASSALPHA, pixels);
}

/* Colours that have been multiplied by alpha and colours that have not: over white both are the
 * same. */
START_TEST(transparent_tiff)
{
    uint8_t rgba[PIXELS * 4], times_alpha[PIXELS * 4], pixels[PIXELS * 3];
    nm_image_reader r = new_reader();
    r.rules.background = NM_BACKGROUND_WHITE;
    fill(rgba);
    for (int i = 0; i < PIXELS * 4; i++)
        times_alpha[i] = i % 4 == 3 ? rgba[i] : (uint8_t)((rgba[i] * rgba[i / 4 * 4 + 3] + 127) / 255);
    for (int k = 0; k < 2; k++) {
        write_tiff_alpha("a.tif", 4, 8, PHOTOMETRIC_RGB, ORIENTATION_TOPLEFT,
                         k ? EXTRASAMPLE_ASSOCALPHA : EXTRASAMPLE_UNASSALPHA, k ? times_alpha : rgba);
        ck_assert_done(nm_image_read(&r, "a.tif", rgb_shape, pixels));
        for (int i = 0; i < PIXELS * 3; i++)
            ck_assert_int_le(abs(pixels[i] - (times_alpha[i / 3 * 4 + i % 3] + 255 - rgba[i / 3 * 4 + 3])), 1);
    }
    ck_assert_int_eq(r.transparent.count, 2);
}
END_TEST

START_TEST(webp_and_tiff)
{
    uint8_t rgba[PIXELS * 4], rgb[PIXELS * 3], pixels[PIXELS * 3], black[PIXELS * 3];
    float values[PIXELS] = {0};
    nm_image_reader r = new_reader();
    nm_shape s;
    fill(rgba);
    drop_alpha(rgba, rgb);
    write_png("a.png", H, W, PNG_FORMAT_RGBA, rgba);
    ck_assert_done(nm_image_read(&r, "a.png", rgb_shape, black));
    write_tiff("alpha.tif", 4, 8, PHOTOMETRIC_RGB, ORIENTATION_TOPLEFT, rgba);
    write_tiff("rgb.tif", 3, 8, PHOTOMETRIC_RGB, ORIENTATION_TOPLEFT, rgb);
    ck_assert_done(nm_image_probe(&r, "alpha.tif", &s));
    ck_assert(nm_shape_same(s, rgb_shape));
    ck_assert_done(nm_image_read(&r, "rgb.tif", rgb_shape, pixels));
    ck_assert_mem_eq(pixels, rgb, sizeof rgb);
    ck_assert_done(nm_image_read(&r, "alpha.tif", rgb_shape, pixels));
    for (int i = 0; i < PIXELS * 3; i++)
        ck_assert_int_le(abs(pixels[i] - black[i]), 1);
    for (int i = 0; i < PIXELS; i++) /* a fully transparent colour is not kept in every WebP */
        rgba[4 * i + 3] = (uint8_t)(rgba[4 * i + 3] / 2 + 100);
    write_png("a.png", H, W, PNG_FORMAT_RGBA, rgba);
    ck_assert_done(nm_image_read(&r, "a.png", rgb_shape, black));
    write_webp("a.webp", rgba);
    ck_assert_done(nm_image_probe(&r, "a.webp", &s));
    ck_assert(nm_shape_same(s, rgb_shape));
    ck_assert_done(nm_image_read(&r, "a.webp", rgb_shape, pixels));
    ck_assert_mem_eq(pixels, black, sizeof black);
    write_tiff("turned.tif", 3, 8, PHOTOMETRIC_RGB, ORIENTATION_BOTRIGHT, rgb);
    ck_assert_done(nm_image_read(&r, "turned.tif", rgb_shape, pixels));
    for (int i = 0; i < PIXELS; i++)
        ck_assert_mem_eq(pixels + 3 * i, rgb + 3 * (PIXELS - 1 - i), 3);
    write_tiff("white.tif", 1, 8, PHOTOMETRIC_MINISWHITE, ORIENTATION_TOPLEFT, rgb);
    ck_assert_done(nm_image_read(&r, "white.tif", grey_shape, pixels));
    for (int i = 0; i < PIXELS; i++)
        ck_assert_int_eq(pixels[i], 255 - rgb[i]);
    write_tiff("float.tif", 1, 32, PHOTOMETRIC_MINISBLACK, ORIENTATION_TOPLEFT, values);
    ck_assert_refused(nm_image_read(&r, "float.tif", grey_shape, pixels), NM_INVALID,
                      "float.tif: a TIFF of this kind is not read", "save it with 8 or 16 bits");
}
END_TEST

/* A frame of 4 x 4 at (2, 1) on the canvas; colour 1 is transparent. */
static void write_gif(const char *path, bool interlaced, const GifPixelType *frame)
{
    int error;
    GifColorType colours[4] = {{5, 6, 7}, {0, 0, 0}, {200, 100, 50}, {255, 255, 255}};
    ColorMapObject *map = GifMakeMapObject(4, colours);
    GifFileType *gif = EGifOpenFileName(path, false, &error);
    ck_assert_ptr_nonnull(gif);
    EGifSetGifVersion(gif, true);
    ck_assert_int_eq(EGifPutScreenDesc(gif, W, H, 2, 0, map), GIF_OK);
    if (!interlaced) {
        GifByteType control[4];
        EGifGCBToExtension(&(GraphicsControlBlock){.TransparentColor = 1}, control);
        ck_assert_int_eq(EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, sizeof control, control), GIF_OK);
    }
    ck_assert_int_eq(EGifPutImageDesc(gif, 2, 1, 4, 4, interlaced, NULL), GIF_OK);
    static const int order[4] = {0, 2, 1, 3}; /* the rows of an interlaced frame of four */
    for (int y = 0; y < 4; y++) {
        GifPixelType row[4]; /* giflib writes into it */
        memcpy(row, frame + 4 * (interlaced ? order[y] : y), sizeof row);
        ck_assert_int_eq(EGifPutLine(gif, row, 4), GIF_OK);
    }
    ck_assert_int_eq(EGifCloseFile(gif, &error), GIF_OK);
    GifFreeMapObject(map);
}

START_TEST(gif)
{
    static const GifPixelType frame[16] = {0, 1, 2, 3, 3, 3, 3, 3, 2, 2, 2, 2, 0, 0, 1, 1};
    static const uint8_t red[4] = {5, 255, 200, 255}, opaque[4] = {5, 0, 200, 255};
    uint8_t pixels[PIXELS * 3];
    nm_image_reader r = new_reader();
    r.rules.background = NM_BACKGROUND_WHITE;
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        write_gif("a.gif", interlaced, frame);
        ck_assert_done(nm_image_read(&r, "a.gif", rgb_shape, pixels));
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                bool inside = y >= 1 && y < 5 && x >= 2 && x < 6;
                int index = inside ? frame[(y - 1) * 4 + x - 2] : interlaced ? 0 : 1;
                ck_assert_int_eq(pixels[(y * W + x) * 3], (interlaced ? opaque : red)[index]);
            }
    }
}
END_TEST

/* ---- damage -------------------------------------------------------------------------------- */

/* With its mark alone a file is a damaged one of its format, with less of it none. */
START_TEST(known_by_their_marks)
{
    static const struct {
        const char *mark, *name;
        size_t size;
    } marks[] = {{"\x89PNG\r\n\x1a\n", "PNG", 8},
                 {"\xff\xd8\xff", "JPEG", 3},
                 {"RIFF\4\0\0\0WEBP", "WebP", 12},
                 {"II*\0", "TIFF", 4},
                 {"MM\0*", "TIFF", 4},
                 {"GIF87a", "GIF", 6},
                 {"GIF89a", "GIF", 6}};
    nm_image_reader r = new_reader();
    uint8_t pixels[PIXELS * 3];
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const uint8_t *bytes = (const uint8_t *)marks[i].mark;
        char words[32];
        snprintf(words, sizeof words, "not a whole %s:", marks[i].name);
        ck_assert_refused(nm_image_decode(&r, "a", bytes, marks[i].size, rgb_shape, pixels), NM_INVALID, words);
        ck_assert_refused(nm_image_decode(&r, "a", bytes, marks[i].size - 1, rgb_shape, pixels), NM_INVALID,
                          "expected a PNG, JPEG");
    }
}
END_TEST

/* Cut short anywhere a file is refused or, behind its pixels, read; a changed byte never does
 * more than that. */
START_TEST(cut_and_changed)
{
    static const GifPixelType frame[16] = {0, 1, 2, 3};
    static const char *const names[] = {"a.png", "a.webp", "a.tif", "a.gif", "a.jpg"};
    uint8_t rgba[PIXELS * 4], rgb[PIXELS * 3], pixels[PIXELS * 3], bytes[4096];
    unsigned char *jpeg;
    nm_image_reader r = new_reader();
    fill(rgba);
    drop_alpha(rgba, rgb);
    write_png(names[0], H, W, PNG_FORMAT_RGBA, rgba);
    write_webp(names[1], rgba);
    write_tiff(names[2], 4, 8, PHOTOMETRIC_RGB, ORIENTATION_TOPLEFT, rgba);
    write_gif(names[3], false, frame);
    unsigned long jpeg_size = make_jpeg(H, W, 3, JCS_RGB, JCS_YCbCr, rgb, NULL, 0, &jpeg);
    write_bytes(names[4], jpeg, jpeg_size);
    free(jpeg);
    for (int k = 0; k < 5; k++) {
        FILE *f = fopen(names[k], "rb");
        size_t size = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        ck_assert(size > 0 && size < sizeof bytes);
        for (size_t cut = 0; cut < size; cut++) {
            nm_status status = nm_image_decode(&r, names[k], bytes, cut, rgb_shape, pixels);
            ck_assert_msg(status == NM_INVALID || cut + 20 > size, "%s is read from %zu of %zu bytes", names[k], cut,
                          size);
            nm_errors_clear(ctx);
        }
        for (size_t i = 0; i < size; i++) {
            bytes[i] ^= (uint8_t)(1 << i % 8);
            nm_status status = nm_image_decode(&r, names[k], bytes, size, rgb_shape, pixels);
            ck_assert(status == NM_OK || status == NM_INVALID);
            bytes[i] ^= (uint8_t)(1 << i % 8);
            nm_errors_clear(ctx);
        }
    }
}
END_TEST

SUITE_WITH("image formats", in_own_folder, webp_and_tiff, transparent_tiff, gif, known_by_their_marks, cut_and_changed)
