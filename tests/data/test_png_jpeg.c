/* PNG and JPEG of every kind: depths, palettes, transparency, grey of colour, CMYK, orientation. */
#include "small_picture.h"

/* ---- PNG ----------------------------------------------------------------------------------- */

typedef struct png_kind {
    int depth, type, interlace;
    const uint8_t *rows; /* [H][stride] */
    size_t stride;
    png_colorp palette;
    int colours;
    png_bytep transparent; /* alpha of the palette's colours */
    int transparent_count;
    png_color_16p key; /* the transparent grey or colour */
    png_bytep exif;    /* behind the pixels */
    unsigned exif_size;
} png_kind;

static void write_kind(const char *path, const png_kind *kind)
{
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, f);
    png_set_IHDR(png, info, W, H, kind->depth, kind->type, kind->interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (kind->palette)
        png_set_PLTE(png, info, kind->palette, kind->colours);
    if (kind->transparent || kind->key)
        png_set_tRNS(png, info, kind->transparent, kind->transparent_count, kind->key);
    png_set_gAMA(png, info, 1.0); /* not applied */
    png_write_info(png, info);
    for (int pass = png_set_interlace_handling(png); pass > 0; pass--)
        for (int y = 0; y < H; y++)
            png_write_row(png, kind->rows + (size_t)y * kind->stride);
    if (kind->exif)
        png_set_eXIf_1(png, info, kind->exif_size, kind->exif);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

START_TEST(png_depths)
{
    uint8_t deep[PIXELS * 2], bits[H] = {0x80, 0x40, 0xff, 0, 1, 0xaa}, pixels[PIXELS];
    nm_image_reader r = new_reader();
    for (int i = 0; i < PIXELS; i++) /* 16 bits, big end first */
        memcpy(deep + 2 * i, (uint8_t[]){(uint8_t)(5 * i), (uint8_t)(i % 2 ? 200 : 5 * i)}, 2);
    write_kind("deep.png", &(png_kind){16, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, deep, 2 * W, .colours = 0});
    ck_assert_done(nm_image_read(&r, "deep.png", grey_shape, pixels));
    for (int i = 0; i < PIXELS; i++)
        ck_assert_int_eq(pixels[i], ((deep[2 * i] * 256 + deep[2 * i + 1]) * 255 + 32767) / 65535);
    write_kind("bits.png", &(png_kind){1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_ADAM7, bits, 1, .colours = 0});
    ck_assert_done(nm_image_read(&r, "bits.png", grey_shape, pixels));
    for (int i = 0; i < PIXELS; i++)
        ck_assert_int_eq(pixels[i], bits[i / W] >> (7 - i % W) & 1 ? 255 : 0);
}
END_TEST

/* Four colours of two bits, the second one transparent; and a grey that is. */
START_TEST(png_palette_and_key)
{
    png_color palette[4] = {{10, 20, 30}, {200, 100, 50}, {0, 255, 0}, {9, 8, 7}};
    uint8_t indices[H * 2], alpha[2] = {255, 0}, grey[PIXELS], pixels[PIXELS * 3];
    nm_image_reader r = new_reader();
    memset(indices, 0x1b, sizeof indices); /* 0 1 2 3 */
    write_kind("p.png",
               &(png_kind){2, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, indices, 2, palette, 4, alpha, 2, NULL});
    r.rules.background = NM_BACKGROUND_WHITE;
    ck_assert_done(nm_image_read(&r, "p.png", rgb_shape, pixels));
    static const uint8_t expected[12] = {10, 20, 30, 255, 255, 255, 0, 255, 0, 9, 8, 7};
    for (int i = 0; i < PIXELS * 3; i++)
        ck_assert_int_eq(pixels[i], expected[i % 12]);
    ck_assert(r.transparent.count == 1);
    memset(grey, 77, sizeof grey);
    grey[5] = 78;
    write_kind("k.png", &(png_kind){8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, grey, W, NULL, 0, NULL, 0,
                                    &(png_color_16){.gray = 77}});
    ck_assert_done(nm_image_read(&r, "k.png", grey_shape, pixels));
    for (int i = 0; i < PIXELS; i++)
        ck_assert_int_eq(pixels[i], i == 5 ? 78 : 255);
}
END_TEST

/* EXIF may stand behind the pixels too. */
START_TEST(png_orientation)
{
    uint8_t exif[] = "MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\3\0\0\0\0\0\0"; /* upside down */
    uint8_t grey[PIXELS], pixels[PIXELS];
    nm_image_reader r = new_reader();
    r.rules.orient = true;
    for (int i = 0; i < PIXELS; i++)
        grey[i] = (uint8_t)i;
    write_kind("o.png", &(png_kind){8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, grey, W, .exif = exif,
                                    .exif_size = sizeof exif - 1});
    ck_assert_done(nm_image_read(&r, "o.png", grey_shape, pixels));
    for (int i = 0; i < PIXELS; i++)
        ck_assert_int_eq(pixels[i], grey[PIXELS - 1 - i]);
}
END_TEST

/* ---- grey and transparency ----------------------------------------------------------------- */

/* ITU-R BT.601 from every format: 0.299, 0.587, 0.114. */
START_TEST(grey_of_colour)
{
    static const uint8_t colour[4][4] = {{255, 0, 0, 76}, {0, 255, 0, 150}, {0, 0, 255, 29}, {200, 80, 30, 110}};
    nm_image_reader r = new_reader();
    uint8_t rgb[PIXELS * 3], pixels[PIXELS];
    unsigned char *bytes;
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < PIXELS; i++)
            memcpy(rgb + 3 * i, colour[k], 3);
        write_png("c.png", H, W, PNG_FORMAT_RGB, rgb);
        ck_assert_done(nm_image_read(&r, "c.png", grey_shape, pixels));
        ck_assert_int_eq(pixels[3], colour[k][3]);
        unsigned long size = make_jpeg(H, W, 3, JCS_RGB, JCS_YCbCr, rgb, NULL, 0, &bytes);
        ck_assert_done(nm_image_decode(&r, "c.jpg", bytes, size, grey_shape, pixels));
        ck_assert_int_le(abs(pixels[3] - colour[k][3]), 1);
        free(bytes);
    }
    nm_image_report(&r);
    ck_assert_logged("8 of 8 images: in colour, made grey; the first is c.png");
}
END_TEST

START_TEST(background)
{
    uint8_t rgba[PIXELS * 4], pixels[PIXELS * 3];
    nm_image_reader r = new_reader();
    fill(rgba);
    write_png("a.png", H, W, PNG_FORMAT_RGBA, rgba);
    for (int white = 0; white < 2; white++) {
        r.rules.background = white ? NM_BACKGROUND_WHITE : NM_BACKGROUND_BLACK;
        ck_assert_done(nm_image_read(&r, "a.png", rgb_shape, pixels));
        for (int i = 0; i < PIXELS * 3; i++) {
            int alpha = rgba[i / 3 * 4 + 3], value = rgba[i / 3 * 4 + i % 3];
            double mixed = (value * alpha + 255 * white * (255 - alpha)) / 255.0;
            ck_assert(pixels[i] >= mixed - 0.51 && pixels[i] <= mixed + 0.51);
        }
    }
    nm_image_report(&r);
    ck_assert_logged("2 of 2 images: transparent pixels were put over white; the first is a.png");
}
END_TEST

/* ---- JPEG ---------------------------------------------------------------------------------- */

/* Adobe's programs store CMYK inverted: 255 is no ink. YCCK is the same after a change of
 * colours. */
START_TEST(jpeg_cmyk)
{
    static const int stored[2] = {JCS_CMYK, JCS_YCCK};
    uint8_t cmyk[PIXELS * 4], pixels[PIXELS * 3];
    unsigned char *bytes;
    nm_image_reader r = new_reader();
    for (int i = 0; i < PIXELS; i++)
        memcpy(cmyk + 4 * i, (uint8_t[]){200, 80, 30, 204}, 4);
    for (int k = 0; k < 2; k++) {
        unsigned long size = make_jpeg(H, W, 4, JCS_CMYK, stored[k], cmyk, NULL, 0, &bytes);
        ck_assert_done(nm_image_decode(&r, "c.jpg", bytes, size, rgb_shape, pixels));
        ck_assert(abs(pixels[0] - 160) < 4 && abs(pixels[1] - 64) < 4 && abs(pixels[2] - 24) < 4);
        free(bytes);
    }
}
END_TEST

/* Stray bytes before the end mark and JFIF of revision 0.00 are passed over and reported; a missing
 * end is not. */
START_TEST(jpeg_warnings)
{
    uint8_t rgba[PIXELS * 4], rgb[PIXELS * 3], plain[PIXELS * 3], pixels[PIXELS * 3];
    unsigned char *bytes, changed[4096] = {0};
    nm_image_reader r = new_reader();
    fill(rgba);
    drop_alpha(rgba, rgb);
    unsigned long size = make_jpeg(H, W, 3, JCS_RGB, JCS_YCbCr, rgb, NULL, 0, &bytes);
    ck_assert(size + 60 < sizeof changed);
    ck_assert_done(nm_image_decode(&r, "plain.jpg", bytes, size, rgb_shape, plain));
    memcpy(changed, bytes, size - 2);
    memset(changed + size - 2, 0x11, 40);
    memcpy(changed + size + 38, "\xff\xd9", 2);
    ck_assert_done(nm_image_decode(&r, "stray.jpg", changed, size + 40, rgb_shape, pixels));
    ck_assert_mem_eq(pixels, plain, sizeof plain);
    memcpy(changed, bytes, size);
    ck_assert_mem_eq(changed + 6, "JFIF", 5);
    memset(changed + 11, 0, 2);
    ck_assert_done(nm_image_decode(&r, "old.jpg", changed, size, rgb_shape, pixels));
    ck_assert_mem_eq(pixels, plain, sizeof plain);
    nm_image_report(&r);
    ck_assert_logged(
        "2 of 3 images: the file has a fault that decoding can pass over (Corrupt JPEG data: 36 extraneous bytes "
        "before marker 0xd9); the first is stray.jpg");
    ck_assert_refused(nm_image_decode(&r, "cut.jpg", bytes, size - 2, rgb_shape, pixels), NM_INVALID,
                      "cut.jpg: not a whole JPEG: it is cut short; replace or remove it");
    free(bytes);
}
END_TEST

/* Stored lying, shown standing: each orientation by where the first pixel goes. */
START_TEST(exif_orientation)
{
    static const int first[9][2] = {{0},    {0, 0},     {0, W - 1},     {H - 1, W - 1}, {H - 1, 0},
                                    {0, 0}, {0, H - 1}, {W - 1, H - 1}, {W - 1, 0}};
    uint8_t exif[] = "Exif\0\0MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0";
    uint8_t grey[PIXELS] = {255, 255}, pixels[PIXELS];
    unsigned char *bytes;
    nm_image_reader r = new_reader();
    nm_shape s;
    memset(grey + W, 128, W); /* the second row, to distinguish turning from mirroring */
    for (int k = 1; k <= 8; k++) {
        exif[25] = (uint8_t)k;
        unsigned long size = make_jpeg(H, W, 1, JCS_GRAYSCALE, JCS_GRAYSCALE, grey, exif, sizeof exif - 1, &bytes);
        write_bytes("o.jpg", bytes, size);
        free(bytes);
        r.rules.orient = false;
        ck_assert_done(nm_image_read(&r, "o.jpg", grey_shape, pixels));
        ck_assert(pixels[0] > 200 && pixels[PIXELS - 1] < 60);
        r.rules.orient = true;
        ck_assert_done(nm_image_probe(&r, "o.jpg", &s));
        ck_assert(s.h == (k < 5 ? H : W) && s.w == (k < 5 ? W : H));
        ck_assert_done(nm_image_read(&r, "o.jpg", s, pixels));
        ck_assert_msg(pixels[first[k][0] * s.w + first[k][1]] > 200, "orientation %d", k);
        ck_assert_msg(pixels[(s.h - 1 - first[k][0]) * s.w + s.w - 1 - first[k][1]] < 60, "orientation %d", k);
    }
    ck_assert_int_eq(r.rotated.count, 7);
    r.rules.orient = false;
    nm_image_report(&r);
    ck_assert_logged(
        "7 of 16 images: EXIF says that the camera was turned; the pixels are taken as stored (orient: true");
}
END_TEST

SUITE_WITH("png and jpeg", in_own_folder, png_depths, png_palette_and_key, png_orientation, grey_of_colour, background,
           jpeg_cmyk, jpeg_warnings, exif_orientation)
