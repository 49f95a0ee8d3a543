/* PNG and JPEG, whole and damaged; resampling. */
#include "image_support.h"

enum { H = 12, W = 16 };

static void gradient(uint8_t *rgb)
{
    for (int i = 0; i < H * W; i++) {
        rgb[3 * i] = (uint8_t)(i % W * 15);
        rgb[3 * i + 1] = (uint8_t)(i / W * 20);
        rgb[3 * i + 2] = 128;
    }
}

START_TEST(png)
{
    uint8_t rgb[H * W * 3], grey[H * W], pixels[H * W * 3];
    nm_image_reader r = new_reader();
    nm_shape s;
    gradient(rgb);
    for (int i = 0; i < H * W; i++)
        grey[i] = (uint8_t)i;
    write_png("rgb.png", H, W, PNG_FORMAT_RGB, rgb);
    write_png("grey.png", H, W, PNG_FORMAT_GRAY, grey);
    ck_assert_done(nm_image_probe(&r, "rgb.png", &s));
    ck_assert(s.h == H && s.w == W && s.c == 3);
    ck_assert_done(nm_image_read(&r, "rgb.png", s, pixels));
    ck_assert_mem_eq(pixels, rgb, sizeof rgb);
    ck_assert_done(nm_image_probe(&r, "grey.png", &s));
    ck_assert(s.h == H && s.w == W && s.c == 1);
    ck_assert_done(nm_image_read(&r, "grey.png", s, pixels));
    ck_assert_mem_eq(pixels, grey, sizeof grey);
    ck_assert_done(nm_image_read(&r, "grey.png", (nm_shape){H, W, 3}, pixels));
    for (int i = 0; i < H * W * 3; i++)
        ck_assert_int_eq(pixels[i], grey[i / 3]);
}
END_TEST

START_TEST(jpeg)
{
    uint8_t rgb[H * W * 3], pixels[H * W * 3];
    unsigned char *bytes;
    nm_image_reader r = new_reader();
    nm_shape s, shape = {H, W, 3};
    gradient(rgb);
    unsigned long size = make_jpeg(H, W, 3, JCS_RGB, JCS_YCbCr, rgb, NULL, 0, &bytes);
    write_bytes("a.jpg", bytes, size);
    ck_assert_done(nm_image_probe(&r, "a.jpg", &s));
    ck_assert(nm_shape_same(s, shape));
    ck_assert_done(nm_image_read(&r, "a.jpg", shape, pixels));
    for (int i = 0; i < H * W * 3; i++)
        ck_assert_int_le(abs(pixels[i] - rgb[i]), 6);
    for (unsigned long cut = 0; cut + 2 < size; cut += 7)
        ck_assert_refused(nm_image_decode(&r, "a.jpg", bytes, cut, shape, pixels), NM_INVALID, "a.jpg");
    free(bytes);
}
END_TEST

START_TEST(damaged)
{
    uint8_t rgb[H * W * 3], pixels[H * W * 3], bytes[4096];
    nm_image_reader r = new_reader();
    nm_shape s, shape = {H, W, 3};
    gradient(rgb);
    write_png("rgb.png", H, W, PNG_FORMAT_RGB, rgb);
    FILE *f = fopen("rgb.png", "rb");
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t cut = 0; cut + 13 < size; cut++)
        ck_assert_refused(nm_image_decode(&r, "rgb.png", bytes, cut, shape, pixels), NM_INVALID, "rgb.png");
    bytes[20] ^= 0xff; /* in the height: its checksum fails */
    ck_assert_refused(nm_image_decode(&r, "rgb.png", bytes, size, shape, pixels), NM_INVALID, "rgb.png");
    write_bytes("words.png", "words", 5);
    ck_assert_refused(nm_image_read(&r, "words.png", shape, pixels), NM_INVALID, "words.png",
                      "expected a PNG, JPEG, WebP, TIFF or GIF image");
    write_bytes("empty.png", "", 0);
    ck_assert_refused(nm_image_read(&r, "empty.png", shape, pixels), NM_INVALID, "empty.png: the file is empty");
    ck_assert_refused(nm_image_probe(&r, "empty.png", &s), NM_INVALID, "empty.png: the file is empty");
    ck_assert_refused(nm_image_read(&r, "rgb.png", (nm_shape){H, W, 4}, pixels), NM_INVALID, "rgb.png", "takes 4");
    ck_assert(nm_image_read(&r, "nowhere.png", shape, pixels) != NM_OK);
    ck_assert_refused(nm_image_probe(&r, ".", &s), NM_INVALID, "expected a file; found a folder");
}
END_TEST

static void resize_by(nm_image_rules rules, nm_shape a, const uint8_t *from, nm_shape b, uint8_t *to)
{
    ck_assert_done(nm_image_resize(ctx, &rules, a, from, b, to));
}

static void resize_area(nm_shape a, const uint8_t *from, nm_shape b, uint8_t *to)
{
    resize_by((nm_image_rules){0}, a, from, b, to);
}

START_TEST(resize)
{
    uint8_t from[4 * 4] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150}, to[64];
    resize_area((nm_shape){4, 4, 1}, from, (nm_shape){4, 4, 1}, to);
    ck_assert_mem_eq(to, from, 16);
    static const uint8_t half[4] = {25, 45, 105, 125}; /* means of 2x2 */
    resize_area((nm_shape){4, 4, 1}, from, (nm_shape){2, 2, 1}, to);
    ck_assert_mem_eq(to, half, 4);
    static const uint8_t third[1] = {75};
    resize_area((nm_shape){4, 4, 1}, from, (nm_shape){1, 1, 1}, to);
    ck_assert_mem_eq(to, third, 1);
    static const uint8_t grown[4] = {0, 3, 8, 10}; /* centres at -0.25, 0.25, 0.75, 1.25 */
    resize_area((nm_shape){1, 2, 1}, from, (nm_shape){1, 4, 1}, to);
    ck_assert_mem_eq(to, grown, 4);
    uint8_t flat[3 * 5 * 2]; /* no shape changes a constant */
    memset(flat, 99, sizeof flat);
    resize_area((nm_shape){3, 5, 2}, flat, (nm_shape){7, 3, 2}, to);
    for (int i = 0; i < 42; i++)
        ck_assert_int_eq(to[i], 99);
}
END_TEST

/* The expected values are PIL 13's: resize with BILINEAR, and ImageOps.fit. */
START_TEST(resize_rules)
{
    static const uint8_t from[2 * 6] = {0, 10, 20, 200, 100, 50, 5, 15, 25, 205, 105, 55};
    static const uint8_t bilinear[2] = {34, 103}, crop[4] = {20, 200, 25, 205}, crop_area[1] = {113};
    uint8_t to[4];
    nm_image_rules rules = {.resize = NM_RESIZE_BILINEAR};
    resize_by(rules, (nm_shape){1, 6, 1}, from, (nm_shape){1, 2, 1}, to);
    ck_assert_mem_eq(to, bilinear, 2);
    rules.fit = NM_FIT_CROP;
    resize_by(rules, (nm_shape){2, 6, 1}, from, (nm_shape){2, 2, 1}, to);
    ck_assert_mem_eq(to, crop, 4);
    rules.resize = NM_RESIZE_AREA;
    resize_by(rules, (nm_shape){2, 6, 1}, from, (nm_shape){1, 1, 1}, to);
    ck_assert_mem_eq(to, crop_area, 1);
}
END_TEST

SUITE_WITH("images", in_own_folder, png, jpeg, damaged, resize, resize_rules)
