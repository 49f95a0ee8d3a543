/* Augmentation: each kind against what it says it does, and that one kind does not shift another's draws. */
#include "augment.h"
#include "data_support.h"

#include <math.h>

enum { H = 9, W = 7, C = 3, SIZE = H * W * C };
static const nm_shape shape = {H, W, C};

static void fill(uint8_t *image)
{
    for (int i = 0; i < SIZE; i++)
        image[i] = (uint8_t)(1 + i % 251); /* no zeros: those are what comes in */
}

static nm_rng draw(uint32_t sample)
{
    nm_rng r = nm_rng_stream(5, "augment", "train");
    nm_rng_seek(&r, 2, sample);
    return r;
}

static int pixel(const uint8_t *image, int h, int w, int c)
{
    return h < 0 || h >= H || w < 0 || w >= W ? 0 : image[(h * W + w) * C + c];
}

/* Finds the flip and shift that explain the change; -1 where none does. */
static int explain(const uint8_t *from, const uint8_t *to, int reach)
{
    for (int flip = 0; flip < 2; flip++)
        for (int dy = -reach; dy <= reach; dy++)
            for (int dx = -reach; dx <= reach; dx++) {
                bool same = true;
                for (int i = 0; same && i < SIZE; i++) {
                    int h = i / (W * C), w = i / C % W, x = w + dx;
                    int wanted = x < 0 || x >= W ? 0 : pixel(from, h + dy, flip ? W - 1 - x : x, i % C);
                    same = to[i] == wanted;
                }
                if (same)
                    return ((dy + reach) * (2 * reach + 1) + dx + reach) * 2 + flip;
            }
    return -1;
}

START_TEST(flip_and_pad_crop)
{
    uint8_t from[SIZE], to[SIZE];
    int seen[2 * 25] = {0};
    fill(from);
    for (uint32_t k = 0; k < 4000; k++) {
        nm_rng r = draw(k);
        nm_augment(&(nm_augmentation){.flip = true, .pad_crop = 2}, &r, shape, from, to);
        int kind = explain(from, to, 2);
        ck_assert_msg(kind >= 0, "sample %u is neither shifted nor mirrored", k);
        seen[kind]++;
    }
    for (int i = 0; i < 50; i++) /* each of 50 about 80 times */
        ck_assert_msg(seen[i] > 40 && seen[i] < 130, "kind %d: %d times", i, seen[i]);
}
END_TEST

START_TEST(none_changes_nothing)
{
    uint8_t from[SIZE], to[SIZE];
    fill(from);
    nm_rng r = draw(0);
    nm_augment(&(nm_augmentation){0}, &r, shape, from, to);
    ck_assert_mem_eq(from, to, SIZE);
}
END_TEST

/* The flips of a run with pad-crop and cutout are those of a run with flip alone. */
START_TEST(kinds_are_independent)
{
    uint8_t from[SIZE], a[SIZE], b[SIZE];
    fill(from);
    for (uint32_t k = 0; k < 200; k++) {
        nm_rng r = draw(k);
        nm_augment(&(nm_augmentation){.flip = true}, &r, shape, from, a);
        r = draw(k);
        nm_augment(&(nm_augmentation){.flip = true, .pad_crop = 2}, &r, shape, from, b);
        ck_assert_int_eq(explain(from, a, 0) % 2, explain(from, b, 2) % 2);
    }
}
END_TEST

START_TEST(cutout)
{
    uint8_t from[SIZE], to[SIZE];
    fill(from);
    for (uint32_t k = 0; k < 500; k++) {
        nm_rng r = draw(k);
        nm_augment(&(nm_augmentation){.cutout = 4}, &r, shape, from, to);
        int top = H, left = W, bottom = -1, right = -1, holes = 0;
        for (int i = 0; i < SIZE; i++) {
            int h = i / (W * C), w = i / C % W;
            if (to[i] == from[i])
                continue;
            ck_assert_int_eq(to[i], 0);
            top = h < top ? h : top;
            left = w < left ? w : left;
            bottom = h > bottom ? h : bottom;
            right = w > right ? w : right;
            holes++;
        }
        int height = bottom - top + 1, width = right - left + 1;
        ck_assert(height >= 2 && height <= 4 && width >= 2 && width <= 4);
        ck_assert_int_eq(holes, height * width * C);
        ck_assert(height == 4 || top == 0 || bottom == H - 1);
    }
}
END_TEST

/* A smooth image stays smooth and keeps about its sum; its centre of mass moves by no more than the strength allows. */
START_TEST(affine)
{
    enum { SIDE = 31 };
    const nm_shape big = {SIDE, SIDE, 1};
    uint8_t from[SIDE * SIDE] = {0}, to[SIDE * SIDE];
    for (int h = 11; h < 20; h++)
        for (int w = 11; w < 20; w++)
            from[h * SIDE + w] = 200;
    double least = 1e9, most = 0;
    for (uint32_t k = 0; k < 500; k++) {
        nm_rng r = draw(k);
        nm_augment(&(nm_augmentation){.affine = 1}, &r, big, from, to);
        double sum = 0, y = 0, x = 0;
        for (int i = 0; i < SIDE * SIDE; i++) {
            sum += to[i];
            y += to[i] * (i / SIDE - 15);
            x += to[i] * (i % SIDE - 15);
        }
        double scale = sqrt(sum / (200 * 81));
        ck_assert_msg(scale > 0.88 && scale < 1.13, "scaled by %g", scale);
        ck_assert(y / sum > -3.5 && y / sum < 3.5 && x / sum > -3.5 && x / sum < 3.5);
        least = scale < least ? scale : least;
        most = scale > most ? scale : most;
    }
    ck_assert(least < 0.93 && most > 1.07);
}
END_TEST

START_TEST(reads_words)
{
    nm_augmentation a;
    nm_strings words = {.count = 4, .values = (char *[]){"flip", "pad-crop=3", "affine", "cutout"}};
    ck_assert_done(nm_augmentation_read(ctx, &words, &a));
    ck_assert(a.flip && a.pad_crop == 3 && a.affine == 1 && a.cutout == 8);
    static char *const wrong[][2] = {{"flop", "did you mean 'flip'"}, {"pad-crop=x", "expected pad-crop=PIXELS"},
                                     {"pad-crop=1.5", "PIXELS"}, {"affine=9", "STRENGTH from 0 to 4"},
                                     {"flip=1", "expected flip alone"}, {"cutout=", "PIXELS"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        nm_strings one = {.count = 1, .values = (char *[]){wrong[i][0]}};
        ck_assert_refused(nm_augmentation_read(ctx, &one, &a), NM_INVALID, wrong[i][1]);
    }
}
END_TEST

SUITE_WITH("augmentation", in_own_folder, flip_and_pad_crop, none_changes_nothing, kinds_are_independent, cutout,
           affine, reads_words)
