/* PNG and JPEG, whole and damaged; resampling. */
#include "data_support.h"
#include "image.h"

#include <png.h>
#include <turbojpeg.h>

enum { H = 12, W = 16 };

static void gradient(uint8_t *rgb)
{
    for (int i = 0; i < H * W; i++) {
        rgb[3 * i] = (uint8_t)(i % W * 15);
        rgb[3 * i + 1] = (uint8_t)(i / W * 20);
        rgb[3 * i + 2] = 128;
    }
}

static void write_png(const char *path, int format, const uint8_t *pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = W, .height = H, .format = (png_uint_32)format};
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

START_TEST(png)
{
    uint8_t rgb[H * W * 3], grey[H * W], *pixels;
    nm_shape s;
    gradient(rgb);
    for (int i = 0; i < H * W; i++)
        grey[i] = (uint8_t)i;
    write_png("rgb.png", PNG_FORMAT_RGB, rgb);
    write_png("grey.png", PNG_FORMAT_GRAY, grey);
    ck_assert_done(nm_image_read(ctx, "rgb.png", 3, &s, &pixels));
    ck_assert(s.h == H && s.w == W && s.c == 3);
    ck_assert_mem_eq(pixels, rgb, sizeof rgb);
    nm_free(pixels);
    ck_assert_done(nm_image_read(ctx, "grey.png", 1, &s, &pixels));
    ck_assert_mem_eq(pixels, grey, sizeof grey);
    nm_free(pixels);
    ck_assert_done(nm_image_read(ctx, "grey.png", 3, &s, &pixels)); /* grey becomes three equal channels */
    for (int i = 0; i < H * W * 3; i++)
        ck_assert_int_eq(pixels[i], grey[i / 3]);
    nm_free(pixels);
}
END_TEST

START_TEST(jpeg)
{
    uint8_t rgb[H * W * 3], *pixels;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    nm_shape s;
    gradient(rgb);
    tjhandle encoder = tjInitCompress();
    ck_assert_int_eq(tjCompress2(encoder, rgb, W, 0, H, TJPF_RGB, &bytes, &size, TJSAMP_444, 95, 0), 0);
    write_bytes("a.jpg", bytes, size);
    ck_assert_done(nm_image_read(ctx, "a.jpg", 3, &s, &pixels));
    ck_assert(s.h == H && s.w == W && s.c == 3);
    for (int i = 0; i < H * W * 3; i++)
        ck_assert_int_le(abs(pixels[i] - rgb[i]), 6);
    nm_free(pixels);
    for (unsigned long cut = 0; cut + 2 < size; cut += 7) {
        ck_assert_refused(nm_image_decode(ctx, "a.jpg", bytes, cut, 3, &s, &pixels), NM_INVALID, "a.jpg");
        ck_assert_ptr_null(pixels);
    }
    tjFree(bytes);
    tjDestroy(encoder);
}
END_TEST

START_TEST(damaged)
{
    uint8_t rgb[H * W * 3], *pixels, bytes[4096];
    nm_shape s;
    gradient(rgb);
    write_png("rgb.png", PNG_FORMAT_RGB, rgb);
    FILE *f = fopen("rgb.png", "rb");
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t cut = 0; cut + 13 < size; cut++) {
        ck_assert_refused(nm_image_decode(ctx, "rgb.png", bytes, cut, 3, &s, &pixels), NM_INVALID, "rgb.png");
        ck_assert_ptr_null(pixels);
    }
    bytes[20] ^= 0xff; /* in the height: its checksum fails */
    ck_assert_refused(nm_image_decode(ctx, "rgb.png", bytes, size, 3, &s, &pixels), NM_INVALID, "rgb.png");
    write_bytes("words.png", "words", 5);
    ck_assert_refused(nm_image_read(ctx, "words.png", 3, &s, &pixels), NM_INVALID, "words.png",
                      "expected a PNG or JPEG");
    ck_assert_refused(nm_image_read(ctx, "rgb.png", 4, &s, &pixels), NM_INVALID, "rgb.png", "takes 4");
    ck_assert(nm_image_read(ctx, "nowhere.png", 3, &s, &pixels) != NM_OK);
}
END_TEST

START_TEST(resize)
{
    uint8_t from[4 * 4] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150}, to[64];
    nm_image_resize((nm_shape){4, 4, 1}, from, (nm_shape){4, 4, 1}, to);
    ck_assert_mem_eq(to, from, 16);
    static const uint8_t half[4] = {25, 45, 105, 125}; /* means of 2x2 */
    nm_image_resize((nm_shape){4, 4, 1}, from, (nm_shape){2, 2, 1}, to);
    ck_assert_mem_eq(to, half, 4);
    static const uint8_t third[1] = {75};
    nm_image_resize((nm_shape){4, 4, 1}, from, (nm_shape){1, 1, 1}, to);
    ck_assert_mem_eq(to, third, 1);
    static const uint8_t grown[4] = {0, 3, 8, 10}; /* centres at -0.25, 0.25, 0.75, 1.25 */
    nm_image_resize((nm_shape){1, 2, 1}, from, (nm_shape){1, 4, 1}, to);
    ck_assert_mem_eq(to, grown, 4);
    uint8_t flat[3 * 5 * 2];
    memset(flat, 99, sizeof flat);
    nm_image_resize((nm_shape){3, 5, 2}, flat, (nm_shape){7, 3, 2}, to); /* no shape changes a constant */
    for (int i = 0; i < 42; i++)
        ck_assert_int_eq(to[i], 99);
}
END_TEST

SUITE_WITH("images", in_own_folder, png, jpeg, damaged, resize)
