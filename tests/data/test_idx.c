/* IDX files: whole ones, plain and gzipped, and every way in which one can be wrong. */
#include "data_support.h"
#include "idx.h"

static const unsigned char images[16 + 12] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2,  0,  0,
                                              0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};
static const unsigned char labels[8 + 3] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9};

static void free_samples(nm_samples *s)
{
    nm_free(s->pixels);
    nm_free(s->labels);
    *s = (nm_samples){0};
}

static void check_whole(void)
{
    nm_samples s = {0};
    ck_assert_done(nm_idx_images(ctx, ".", "images", &s));
    ck_assert_done(nm_idx_labels(ctx, ".", "labels", &s));
    ck_assert(s.count == 3 && s.shape.h == 2 && s.shape.w == 2 && s.shape.c == 1);
    ck_assert_mem_eq(s.pixels, images + 16, 12);
    ck_assert(s.labels[0] == 7 && s.labels[1] == 0 && s.labels[2] == 9);
    free_samples(&s);
}

START_TEST(plain_and_gzipped)
{
    write_bytes("images", images, sizeof images);
    write_bytes("labels", labels, sizeof labels);
    check_whole();
    ck_assert(unlink("images") == 0 && unlink("labels") == 0);
    write_gzip("images.gz", images, sizeof images);
    write_gzip("labels.gz", labels, sizeof labels);
    check_whole();
}
END_TEST

/* Every possible cut, of the plain file and of the packed one. */
START_TEST(cut_short)
{
    nm_samples s = {0};
    for (size_t size = 0; size < sizeof images; size++) {
        write_bytes("images", images, size);
        ck_assert_refused(nm_idx_images(ctx, ".", "images", &s), NM_INVALID, "./images: cut short", "expected",
                          "found");
        free_samples(&s);
    }
    unlink("images");
    unsigned char packed[256];
    write_gzip("images.gz", images, sizeof images);
    FILE *f = fopen("images.gz", "rb");
    size_t whole = fread(packed, 1, sizeof packed, f);
    fclose(f);
    for (size_t size = 0; size < whole; size++) {
        write_bytes("images.gz", packed, size);
        ck_assert_refused(nm_idx_images(ctx, ".", "images", &s), NM_INVALID, "./images.gz");
        free_samples(&s);
    }
}
END_TEST

/* A flipped bit in a gzipped file is found by its checksum. */
START_TEST(flipped_bits)
{
    nm_samples s = {0};
    unsigned char packed[256];
    write_gzip("images.gz", images, sizeof images);
    FILE *f = fopen("images.gz", "rb");
    size_t whole = fread(packed, 1, sizeof packed, f);
    fclose(f);
    for (size_t i = 10; i < whole; i++) { /* after gzip's own header, where flags and time have no checksum */
        packed[i] ^= 4;
        write_bytes("images.gz", packed, whole);
        ck_assert_refused(nm_idx_images(ctx, ".", "images", &s), NM_INVALID, "./images.gz");
        packed[i] ^= 4;
        free_samples(&s);
    }
}
END_TEST

START_TEST(wrong_headers)
{
    nm_samples s = {0};
    unsigned char bytes[sizeof images + 1];
    memcpy(bytes, images, sizeof images);
    bytes[sizeof images] = 0;
    write_bytes("images", bytes, sizeof bytes);
    ck_assert_refused(nm_idx_images(ctx, ".", "images", &s), NM_INVALID, "./images", "longer", "28 bytes");
    free_samples(&s);
    bytes[2] = 13; /* floats */
    write_bytes("images", bytes, sizeof images);
    ck_assert_refused(nm_idx_images(ctx, ".", "images", &s), NM_INVALID, "./images", "expected magic 00000803",
                      "found 00000d03");
    memcpy(bytes, images, sizeof images);
    bytes[8] = 0xff; /* a height that would ask for all memory */
    write_bytes("images", bytes, sizeof images);
    ck_assert_refused(nm_idx_images(ctx, ".", "images", &s), NM_INVALID, "./images", "not believable");
    write_bytes("images", labels, sizeof labels);
    ck_assert_refused(nm_idx_images(ctx, ".", "images", &s), NM_INVALID, "expected magic 00000803", "found 00000801");
    free_samples(&s);
}
END_TEST

START_TEST(labels_that_do_not_fit)
{
    nm_samples s = {0};
    unsigned char bytes[sizeof labels];
    memcpy(bytes, labels, sizeof labels);
    bytes[7] = 2;
    write_bytes("images", images, sizeof images);
    write_bytes("labels", bytes, sizeof labels - 1);
    ck_assert_done(nm_idx_images(ctx, ".", "images", &s));
    ck_assert_refused(nm_idx_labels(ctx, ".", "labels", &s), NM_INVALID, "./labels", "expected 3 labels", "says 2");
    ck_assert_refused(nm_idx_labels(ctx, ".", "nothing", &s), NM_INVALID, "nothing", "No such file");
    free_samples(&s);
}
END_TEST

SUITE_WITH("IDX files", in_own_folder, plain_and_gzipped, cut_short, flipped_bits, wrong_headers,
           labels_that_do_not_fit)
