/* The digest of a data set: equal for equal content, another for every change that training would
 * see. */
#include "data_support.h"

enum { COUNT = 2500, SIDE = 28 };

static nm_dataset made(uint8_t *pixels, int32_t *labels)
{
    static char *names[] = {"a", "b"};
    nm_shape shape = {SIDE, SIDE, 1};
    nm_rng r = nm_rng_stream(1, "test", "pixels");
    for (size_t i = 0; i < (size_t)COUNT * SIDE * SIDE; i++)
        pixels[i] = (uint8_t)nm_rng_below(&r, 256);
    for (int i = 0; i < COUNT; i++)
        labels[i] = i % 2;
    return (nm_dataset){.classes = 2,
                        .class_names = names,
                        .train = {2000, shape, pixels, labels, false},
                        .test = {500, shape, pixels + 2000 * SIDE * SIDE, labels + 2000, false}};
}

START_TEST(every_change_shows)
{
    uint8_t *pixels = malloc((size_t)COUNT * SIDE * SIDE);
    int32_t *labels = malloc(COUNT * sizeof *labels);
    char first[65], now[65];
    nm_dataset d = made(pixels, labels), changed;
    nm_dataset_digest(&d, first);
    ck_assert_uint_eq(strlen(first), 64);
    setenv("OMP_NUM_THREADS", "1", 1);
    nm_dataset_digest(&d, now);
    ck_assert_str_eq(now, first);

#define EXPECT_ANOTHER(what)                                                                                           \
    do {                                                                                                               \
        nm_dataset_digest(&changed, now);                                                                              \
        ck_assert_msg(strcmp(now, first) != 0, "%s: the digest is the same", what);                                    \
    } while (0)
    changed = d;
    pixels[0] ^= 1;
    EXPECT_ANOTHER("the first pixel");
    pixels[0] ^= 1;
    pixels[2000 * SIDE * SIDE - 1] ^= 1;
    EXPECT_ANOTHER("the last pixel of training");
    pixels[2000 * SIDE * SIDE - 1] ^= 1;
    labels[2499] = 0;
    EXPECT_ANOTHER("the last label of the test split");
    labels[2499] = 1;
    changed.class_names = (char *[]){"b", "a"};
    EXPECT_ANOTHER("names of classes in another order");
    changed.class_names = (char *[]){"ab", ""};
    EXPECT_ANOTHER("the same letters");
    changed = d;
    changed.train.count = 1999;
    EXPECT_ANOTHER("a sample less");
    changed = d;
    changed.train.shape = (nm_shape){14, 56, 1};
    EXPECT_ANOTHER("another shape");
    changed = d;
    nm_dataset_digest(&changed, now);
    ck_assert_str_eq(now, first);
    free(pixels);
    free(labels);
}
END_TEST

SUITE_WITH("digest of a data set", in_own_folder, every_change_shows)
