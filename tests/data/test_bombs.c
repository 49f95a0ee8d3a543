/* Small files whose content is large: each is refused by what its header says, before memory or
 * time is spent on it. */
#include "idx.h"
#include "image_support.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

static uint8_t bytes[1 << 20];

static void put_big(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static size_t put_chunk(uint8_t *to, const char *type, const void *content, size_t size)
{
    put_big(to, (uint32_t)size);
    memcpy(to + 4, type, 4);
    if (size)
        memcpy(to + 8, content, size);
    put_big(to + 8 + size, (uint32_t)crc32(0, to + 4, (uInt)size + 4));
    return size + 12;
}

static size_t begin_png(uint32_t width, uint32_t height)
{
    uint8_t head[13] = {[8] = 8, [9] = 2}; /* 8 bits, RGB */
    put_big(head, width);
    put_big(head + 4, height);
    memcpy(bytes, "\x89PNG\r\n\x1a\n", 8);
    return 8 + put_chunk(bytes + 8, "IHDR", head, sizeof head);
}

/* Reading and looking at its header alone. */
static void refuses(const char *name, size_t size, const char *message)
{
    static uint8_t pixels[3];
    nm_image_reader r = new_reader();
    nm_shape s;
    write_bytes(name, bytes, size);
    ck_assert_refused(nm_image_read(&r, name, (nm_shape){1, 1, 3}, pixels), NM_INVALID, name, message);
    ck_assert_refused(nm_image_probe(&r, name, &s), NM_INVALID, name, message);
}

START_TEST(large_png)
{
    size_t size = begin_png(30000, 30000);
    size += put_chunk(bytes + size, "IDAT", "x\x9c", 2);
    refuses("a.png", size,
            "its 30000 x 30000 pixels take 5150 MiB; expected at most 256: make it smaller, or allow more by "
            "--max-memory 5150");
    size = begin_png(40000, 1);
    size += put_chunk(bytes + size, "IDAT", "x\x9c", 2);
    refuses("a.png", size, "it has 40000 x 1 pixels; expected at most 32768 a side");
}
END_TEST

static long peak_kilobytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 100 texts of 7 MB each. */
START_TEST(texts_of_a_png)
{
    enum { TEXT = 7000000 };
    uint8_t *text = calloc(TEXT, 1), *packed = calloc(1 << 16, 1), pixels[3], row[4] = {0, 1, 2, 3};
    uLongf length = (1 << 16) - 4;
    memset(text, 'x', TEXT);
    memcpy(packed, "a\0", 3); /* keyword, method */
    ck_assert_int_eq(compress2(packed + 3, &length, text, TEXT, 9), Z_OK);
    size_t size = begin_png(1, 1);
    for (int i = 0; i < 100; i++)
        size += put_chunk(bytes + size, i % 2 ? "zTXt" : "iCCP", packed, length + 3);
    length = 64;
    ck_assert_int_eq(compress2(packed, &length, row, sizeof row, 9), Z_OK);
    size += put_chunk(bytes + size, "IDAT", packed, length);
    size += put_chunk(bytes + size, "IEND", NULL, 0);
    write_bytes("a.png", bytes, size);
    nm_image_reader r = new_reader();
    long before = peak_kilobytes();
    ck_assert_done(nm_image_read(&r, "a.png", (nm_shape){1, 1, 3}, pixels));
    ck_assert_mem_eq(pixels, row + 1, 3);
    ck_assert_int_lt(peak_kilobytes() - before, 5000);
    free(text);
    free(packed);
}
END_TEST

START_TEST(large_jpeg)
{
    static uint8_t grey[64];
    unsigned char *made;
    size_t size = make_jpeg(8, 8, 1, JCS_GRAYSCALE, JCS_GRAYSCALE, grey, NULL, 0, &made);
    memcpy(bytes, made, size);
    free(made);
    uint8_t *frame = memmem(bytes, size, "\xff\xc0", 2);
    ck_assert_ptr_nonnull(frame);
    memset(frame + 5, 0x7f, 4); /* 32639 x 32639 */
    refuses("a.jpg", size, "its 32639 x 32639 pixels take");
    frame[1] = 0xc2; /* progressive: the coefficients are kept beside the pixels */
    frame[5] = frame[7] = 0x20;
    refuses("a.jpg", size, "its 8319 x 8319 pixels take 264 MiB");
}
END_TEST

/* Each coefficient in two scans of its own. */
START_TEST(scans_of_a_jpeg)
{
    static uint8_t grey[64];
    jpeg_scan_info scans[127] = {{.comps_in_scan = 1}};
    for (int k = 1; k <= 63; k++) {
        scans[k] = (jpeg_scan_info){.comps_in_scan = 1, .Ss = k, .Se = k, .Al = 1};
        scans[63 + k] = (jpeg_scan_info){.comps_in_scan = 1, .Ss = k, .Se = k, .Ah = 1};
    }
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    nm_image_reader r = new_reader();
    for (int count = 64; count <= 127; count += 63) {
        unsigned char *made = NULL;
        unsigned long size = 0;
        c.err = jpeg_std_error(&errors);
        jpeg_create_compress(&c);
        jpeg_mem_dest(&c, &made, &size);
        c.image_height = c.image_width = 8;
        c.input_components = 1;
        c.in_color_space = JCS_GRAYSCALE;
        jpeg_set_defaults(&c);
        c.scan_info = scans;
        c.num_scans = count;
        jpeg_start_compress(&c, TRUE);
        for (int i = 0; i < 8; i++)
            jpeg_write_scanlines(&c, (JSAMPROW[]){grey + 8 * i}, 1);
        jpeg_finish_compress(&c);
        jpeg_destroy_compress(&c);
        nm_shape shape = {8, 8, 1};
        if (count < 100)
            ck_assert_done(nm_image_decode(&r, "a.jpg", made, size, shape, bytes));
        else
            ck_assert_refused(nm_image_decode(&r, "a.jpg", made, size, shape, bytes), NM_INVALID, "a.jpg",
                              "it has more than 100 scans");
        free(made);
    }
}
END_TEST

START_TEST(large_gif)
{
    static const uint8_t gif[] =
        "GIF89a\x00\x7f\x00\x7f\x80\x00\x00\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;";
    memcpy(bytes, gif, sizeof gif - 1);
    refuses("a.gif", sizeof gif - 1, "its 32512 x 32512 pixels take");
}
END_TEST

START_TEST(large_webp)
{
    static const uint8_t webp[] = "RIFF\x2c\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0"
                                  "VP8L\x0e\0\0\0\x2f\xff\xff\xff\x0f\0\0\0\0\0\0\0\0\0";
    memcpy(bytes, webp, sizeof webp - 1);
    refuses("a.webp", sizeof webp - 1, "its 16384 x 16384 pixels take 3072 MiB");
}
END_TEST

START_TEST(large_tiff)
{
    static const uint16_t tags[][2] = {{256, 30000}, {257, 30000}, {258, 8},     {259, 1}, {262, 1},
                                       {273, 8},     {277, 1},     {278, 30000}, {279, 8}};
    enum { TAGS = sizeof tags / sizeof *tags };
    memset(bytes, 0, 512);
    memcpy(bytes, "II*\0\x08\0\0\0", 8);
    bytes[8] = TAGS;
    for (int i = 0; i < TAGS; i++) {
        const uint16_t entry[6] = {tags[i][0], 3, 1, 0, tags[i][1], 0};
        memcpy(bytes + 10 + 12 * i, entry, sizeof entry);
    }
    refuses("a.tif", 512, "its 30000 x 30000 pixels take");
}
END_TEST

START_TEST(limit_of_memory)
{
    static uint8_t rgb[300 * 300 * 3];
    nm_image_reader r = new_reader();
    write_png("a.png", 300, 300, PNG_FORMAT_RGB, rgb);
    nm_context_set_max_memory(ctx, 300 * 300 * 6);
    ck_assert_done(nm_image_read(&r, "a.png", (nm_shape){1, 1, 3}, bytes));
    nm_context_set_max_memory(ctx, 300 * 300 * 6 - 1);
    ck_assert_refused(nm_image_read(&r, "a.png", (nm_shape){1, 1, 3}, bytes), NM_INVALID, "--max-memory 1");
    nm_context_set_max_memory(ctx, 100);
    ck_assert_refused(nm_image_read(&r, "a.png", (nm_shape){1, 1, 3}, bytes), NM_INVALID,
                      "expected an image (--max-memory allows more) of at most 100");
    nm_context_set_max_memory(ctx, 0);
    ck_assert_uint_eq(nm_context_max_memory(ctx), (size_t)256 << 20);
}
END_TEST

/* ---- packed files -------------------------------------------------------------------------- */

static void write_packed(const char *path, const void *head, size_t size, size_t zeros)
{
    static const char none[1 << 16];
    gzFile f = gzopen(path, "wb9");
    ck_assert_int_eq(gzwrite(f, head, (unsigned)size), (int)size);
    for (size_t done = 0; done < zeros; done += sizeof none)
        ck_assert_int_eq(gzwrite(f, none, sizeof none), sizeof none);
    ck_assert_int_eq(gzclose(f), Z_OK);
}

START_TEST(large_idx)
{
    uint8_t head[16] = {0, 0, 8, 3};
    nm_samples samples = {0};
    put_big(head + 4, 3700000); /* 2.9 GB of 28x28 */
    put_big(head + 8, 28);
    put_big(head + 12, 28);
    long before = peak_kilobytes();
    write_packed("a.gz", head, sizeof head, 1 << 20);
    ck_assert_refused(nm_idx_file(ctx, "a.gz", &samples), NM_INVALID,
                      "a.gz: its content takes 2767 MiB or more; expected", "--max-memory 2767");
    ck_assert_ptr_null(samples.pixels);
    put_big(head + 4, 1); /* 8 MB follow: one byte more is enough to refuse it */
    write_packed("a.gz", head, sizeof head, 8 << 20);
    ck_assert_refused(nm_idx_file(ctx, "a.gz", &samples), NM_INVALID, "longer than its header says");
    nm_free(samples.pixels);
    samples = (nm_samples){0};
    put_big(head + 4, 1000);
    write_packed("a.gz", head, sizeof head, 0);
    ck_assert_refused(nm_idx_file(ctx, "a.gz", &samples), NM_INVALID, "cut short: expected 784016 bytes of content");
    nm_free(samples.pixels);
    ck_assert_int_lt(peak_kilobytes() - before, 5000);
}
END_TEST

/* A member that is not of CIFAR is passed over, and so is what stands behind the last: up to the
 * limit. */
START_TEST(large_archive)
{
    uint8_t head[512] = {0};
    nm_dataset *data = NULL;
    memcpy(head, "other", 5);
    memcpy(head + 257, "ustar", 5);
    memcpy(head + 124, "77777777777", 11); /* 8 GiB */
    write_packed("cifar-10-binary.tar.gz", head, sizeof head, 1 << 20);
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:cifar-10-binary.tar.gz", NULL, &data), NM_INVALID,
                      "its content takes 8193 MiB or more");
    nm_context_set_max_memory(ctx, 1 << 20);
    write_packed("cifar-10-binary.tar.gz", "", 0, 2 << 20);
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:cifar-10-binary.tar.gz", NULL, &data), NM_INVALID,
                      "its content takes 2 MiB or more");
}
END_TEST

START_TEST(pipes)
{
    nm_image_reader r = new_reader();
    nm_samples samples = {0};
    nm_dataset *data = NULL;
    nm_shape s;
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    ck_assert_refused(nm_image_probe(&r, "pipe", &s), NM_INVALID, "pipe: expected a file; found a pipe");
    ck_assert_refused(nm_image_read(&r, "pipe", (nm_shape){1, 1, 1}, bytes), NM_INVALID, "found a pipe");
    ck_assert_refused(nm_idx_file(ctx, "pipe", &samples), NM_INVALID, "pipe: expected a file; found a pipe");
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:pipe", NULL, &data), NM_INVALID, "found a pipe");
    ck_assert_int_eq(mkdir("a", 0700) | mkdir("b", 0700) | mkfifo("a/1.png", 0600), 0);
    ck_assert_refused(nm_dataset_open(ctx, "images:.", NULL, &data), NM_INVALID,
                      "a/1.png: expected a file; found a pipe");
}
END_TEST

SUITE_WITH("bombs", in_own_folder, large_png, texts_of_a_png, large_jpeg, scans_of_a_jpeg, large_gif, large_webp,
           large_tiff, limit_of_memory, large_idx, large_archive, pipes)
