/* Augmentation: each kind against what it says it does, and that one kind does not shift another's
 * draws. */
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

/* A smooth image stays smooth and keeps about its sum; its centre of mass moves by no more than the
 * strength allows. */
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

/* ---- every byte against the definition, one pixel at a time -------------------------------- */

/* What is drawn for a sample, in this order. */
typedef struct drawn {
    bool mirror;
    int dy, dx, row, col;
    double angle, scale, shift_y, shift_x;
} drawn;

static double symmetric(nm_rng *r, double range)
{
    return range * (2 * nm_rng_uniform(r) - 1);
}

static drawn draw_all(const nm_augmentation *a, nm_rng r, nm_shape s)
{
    drawn d;
    uint32_t reach = 2 * (uint32_t)a->pad_crop + 1;
    d.mirror = (nm_rng_bits(&r) & 1) && a->flip;
    d.dy = (int)nm_rng_below(&r, reach) - a->pad_crop;
    d.dx = (int)nm_rng_below(&r, reach) - a->pad_crop;
    d.angle = symmetric(&r, a->affine * 15 * 3.14159265358979323846 / 180);
    d.scale = exp(symmetric(&r, a->affine * 0.1));
    d.shift_y = symmetric(&r, a->affine * 0.1 * s.h) - d.dy;
    d.shift_x = symmetric(&r, a->affine * 0.1 * s.w) - d.dx;
    d.row = (int)nm_rng_below(&r, (uint32_t)s.h);
    d.col = (int)nm_rng_below(&r, (uint32_t)s.w);
    return d;
}

static int value_at(nm_shape s, const uint8_t *image, int64_t h, int64_t w, int c)
{
    return h < 0 || h >= s.h || w < 0 || w >= s.w ? 0 : image[(h * s.w + w) * s.c + c];
}

/* Bilinear, the place in steps of 2^-16 of a pixel and its weights in steps of 2^-8. */
static uint8_t warped(nm_shape s, const drawn *d, const uint8_t *from, int h, int w, int c)
{
    double co = cos(d->angle) / d->scale, si = sin(d->angle) / d->scale, cy = 0.5 * (s.h - 1), cx = 0.5 * (s.w - 1);
    double side = d->mirror ? -1 : 1, dy = h - cy - d->shift_y, dx = -cx - d->shift_x;
    int64_t y = llround((co * dy - si * dx + cy) * 65536) + w * (int64_t)llround(-si * 65536);
    int64_t x = llround((side * (si * dy + co * dx) + cx) * 65536) + w * (int64_t)llround(side * co * 65536);
    int64_t y0 = (int64_t)floor((double)y / 65536), x0 = (int64_t)floor((double)x / 65536), sum = 0;
    int fy = (int)((y - y0 * 65536) / 256), fx = (int)((x - x0 * 65536) / 256);
    for (int k = 0; k < 4; k++)
        sum += value_at(s, from, y0 + k / 2, x0 + k % 2, c) * (k / 2 ? fy : 256 - fy) * (k % 2 ? fx : 256 - fx);
    return (uint8_t)((sum + 32768) / 65536);
}

static uint8_t expected(const nm_augmentation *a, nm_shape s, const drawn *d, const uint8_t *from, int h, int w, int c)
{
    int top = d->row - a->cutout / 2, left = d->col - a->cutout / 2, x = w + d->dx;
    if (h >= top && h < top + a->cutout && w >= left && w < left + a->cutout)
        return 0;
    if (a->affine > 0)
        return warped(s, d, from, h, w, c);
    if (x < 0 || x >= s.w)
        return 0;
    return (uint8_t)value_at(s, from, h + d->dy, d->mirror ? s.w - 1 - x : x, c);
}

static nm_augmentation any_kind(nm_rng *r)
{
    nm_augmentation a = {.flip = nm_rng_below(r, 2)};
    if (nm_rng_below(r, 2))
        a.pad_crop = (int)nm_rng_below(r, 12);
    if (nm_rng_below(r, 2))
        a.affine = 4 * nm_rng_uniform(r);
    if (nm_rng_below(r, 2))
        a.cutout = (int)nm_rng_below(r, 12);
    return a;
}

START_TEST(same_bytes_as_the_definition)
{
    nm_rng r = nm_rng_stream(11, "test", "augment");
    for (uint32_t k = 0; k < 1000; k++) {
        nm_augmentation a = any_kind(&r);
        int side = k % 4 ? 34 : 5, channels[] = {1, 3, 1 + (int)nm_rng_below(&r, 5), k % 50 ? 2 : 70};
        nm_shape s = {1 + (int)nm_rng_below(&r, (uint32_t)side), 1 + (int)nm_rng_below(&r, (uint32_t)side),
                      channels[nm_rng_below(&r, 4)]};
        size_t size = nm_shape_size(s);
        uint8_t *from = malloc(size), *to = malloc(size + 1); /* their own, so that reading beyond is seen */
        ck_assert(from && to);
        for (size_t i = 0; i < size; i++)
            from[i] = (uint8_t)nm_rng_bits(&r);
        memset(to, 0xa5, size + 1);
        nm_rng at = draw(k);
        drawn d = draw_all(&a, at, s);
        nm_augment(&a, &at, s, from, to);
        for (int i = 0; i < (int)size; i++) {
            int h = i / (s.w * s.c), w = i / s.c % s.w, wanted = expected(&a, s, &d, from, h, w, i % s.c);
            ck_assert_msg(to[i] == wanted,
                          "case %u, %dx%dx%d, flip %d pad-crop %d affine %g cutout %d: (%d, %d, %d) is %d, expected %d",
                          k, s.h, s.w, s.c, a.flip, a.pad_crop, a.affine, a.cutout, h, w, i % s.c, to[i], wanted);
        }
        ck_assert_int_eq(to[size], 0xa5);
        free(from);
        free(to);
    }
}
END_TEST

START_TEST(reads_words)
{
    nm_augmentation a;
    nm_strings words = {.count = 4, .values = (char *[]){"flip", "pad-crop=3", "affine", "cutout"}};
    ck_assert_done(nm_augmentation_read(ctx, &words, &a));
    ck_assert(a.flip && a.pad_crop == 3 && a.affine == 1 && a.cutout == 8);
    static char *const wrong[][2] = {{"flop", "did you mean 'flip'"},   {"pad-crop=x", "expected pad-crop=PIXELS"},
                                     {"pad-crop=1.5", "PIXELS"},        {"affine=9", "STRENGTH from 0 to 4"},
                                     {"flip=1", "expected flip alone"}, {"cutout=", "PIXELS"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        nm_strings one = {.count = 1, .values = (char *[]){wrong[i][0]}};
        ck_assert_refused(nm_augmentation_read(ctx, &one, &a), NM_INVALID, wrong[i][1]);
    }
}
END_TEST

/* Of each number the least and the most that is taken, and what lies beyond. */
START_TEST(reads_numbers)
{
    static const struct {
        char *word;
        bool taken;
    } cases[] = {{"pad-crop=0", true},   {"pad-crop=1024", true}, {"pad-crop=1025", false}, {"pad-crop=-1", false},
                 {"cutout=0", true},     {"cutout=1024", true},   {"cutout=1025", false},   {"cutout=2.5", false},
                 {"affine=0", true},     {"affine=4", true},      {"affine=4.01", false},   {"affine=0.5", true},
                 {"affine=-0.1", false}, {"affine=nan", false},   {"affine=", false},       {"pad-crop=3x", false},
                 {"flip=", false},       {"cutout= ", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nm_augmentation a;
        nm_strings one = {.count = 1, .values = (char *[]){cases[i].word}};
        nm_status status = nm_augmentation_read(ctx, &one, &a);
        ck_assert_msg(status == (cases[i].taken ? NM_OK : NM_INVALID), "%s: status %d", cases[i].word, (int)status);
        nm_errors_clear(ctx);
    }
}
END_TEST

SUITE_WITH("augmentation", in_own_folder, flip_and_pad_crop, none_changes_nothing, kinds_are_independent, cutout,
           affine, same_bytes_as_the_definition, reads_words, reads_numbers)
