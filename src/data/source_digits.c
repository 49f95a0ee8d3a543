/* Digits drawn from strokes: 28x28, with random slant, size, place, width and noise. Needs no files, has the same bits
 * everywhere (whole-number arithmetic and Philox), and is learnt to about 99 %. */
#include "sources.h"

#include <string.h>

enum { SIDE = 28, TRAIN = 10000, TEST = 2000, CLASSES = 10, ONE = 256 /* fixed point: a pixel */ };

/* Each digit as strokes between points of a 4 x 6 grid (x right, y down), pairs of points; -1 ends. */
static const signed char strokes[CLASSES][40] = {
    {1, 0, 3, 0, 3, 0, 4, 2, 4, 2, 4, 4, 4, 4, 3, 6, 3, 6, 1, 6, 1, 6, 0, 4, 0, 4, 0, 2, 0, 2, 1, 0, -1},
    {1, 1, 2, 0, 2, 0, 2, 6, 1, 6, 3, 6, -1},
    {0, 1, 1, 0, 1, 0, 3, 0, 3, 0, 4, 1, 4, 1, 4, 2, 4, 2, 0, 6, 0, 6, 4, 6, -1},
    {0, 0, 3, 0, 3, 0, 4, 1, 4, 1, 3, 3, 3, 3, 1, 3, 3, 3, 4, 5, 4, 5, 3, 6, 3, 6, 0, 6, -1},
    {3, 6, 3, 0, 3, 0, 0, 4, 0, 4, 4, 4, -1},
    {4, 0, 0, 0, 0, 0, 0, 3, 0, 3, 3, 2, 3, 2, 4, 4, 4, 4, 3, 6, 3, 6, 0, 6, -1},
    {3, 0, 1, 1, 1, 1, 0, 4, 0, 4, 1, 6, 1, 6, 3, 6, 3, 6, 4, 4, 4, 4, 3, 3, 3, 3, 0, 4, -1},
    {0, 0, 4, 0, 4, 0, 1, 6, -1},
    {1, 0, 3, 0, 3, 0, 4, 1, 4, 1, 0, 5, 0, 5, 1, 6, 1, 6, 3, 6, 3, 6, 4, 5, 4, 5, 0, 1, 0, 1, 1, 0, -1},
    {4, 2, 1, 3, 1, 3, 0, 2, 0, 2, 1, 0, 1, 0, 3, 0, 3, 0, 4, 2, 4, 2, 3, 6, -1},
};

typedef struct hand {
    int width, height, slant, x, y, pen; /* fixed point */
} hand;

static int64_t squared_distance(int64_t px, int64_t py, int64_t ax, int64_t ay, int64_t bx, int64_t by)
{
    int64_t dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy;
    int64_t along = (px - ax) * dx + (py - ay) * dy;
    along = along < 0 ? 0 : along > length ? length : along;
    int64_t qx = ax + (length ? along * dx / length : 0), qy = ay + (length ? along * dy / length : 0);
    return (px - qx) * (px - qx) + (py - qy) * (py - qy);
}

/* Darkens the pixels near one stroke: full within the pen, fading over one pixel. */
static void draw(const hand *h, const signed char *s, uint8_t *image)
{
    int64_t x[2], y[2];
    for (int k = 0; k < 2; k++) {
        int gx = s[2 * k] - 2, gy = s[2 * k + 1] - 3;
        x[k] = h->x + gx * h->width / 4 - gy * h->slant / 6;
        y[k] = h->y + gy * h->height / 6;
    }
    int64_t reach = h->pen + ONE;
    for (int row = 0; row < SIDE; row++)
        for (int col = 0; col < SIDE; col++) {
            int64_t d = squared_distance(col * ONE, row * ONE, x[0], y[0], x[1], y[1]);
            if (d >= reach * reach)
                continue;
            int64_t edge = (reach * reach - d) * 255 / (reach * reach - (int64_t)h->pen * h->pen);
            int ink = edge > 255 ? 255 : (int)edge;
            uint8_t *pixel = &image[row * SIDE + col];
            *pixel = *pixel > ink ? *pixel : (uint8_t)ink;
        }
}

static int around(nm_rng *r, int middle, int range)
{
    return middle - range + (int)nm_rng_below(r, 2 * (uint32_t)range + 1);
}

static void write_digit(nm_rng *r, int digit, uint8_t *image)
{
    hand h = {.width = around(r, 11 * ONE, 3 * ONE), .height = around(r, 17 * ONE, 3 * ONE),
              .slant = around(r, 2 * ONE, 5 * ONE), .x = around(r, 27 * ONE / 2, 3 * ONE),
              .y = around(r, 27 * ONE / 2, 2 * ONE), .pen = around(r, ONE, ONE / 2)};
    memset(image, 0, SIDE * SIDE);
    for (const signed char *s = strokes[digit]; *s >= 0; s += 4)
        draw(&h, s, image);
    for (int i = 0; i < SIDE * SIDE; i++) { /* noise: the mean of two draws, up to 48 each way */
        int value = image[i] + (around(r, 0, 48) + around(r, 0, 48)) / 2;
        image[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static nm_status fill(nm_context *ctx, nm_samples *samples, int count, const char *split)
{
    NM_TRY(nm_samples_make(ctx, samples, count, (nm_shape){SIDE, SIDE, 1}));
    nm_rng r = nm_rng_stream(0, "digits", split);
    for (int i = 0; i < count; i++) {
        nm_rng_seek(&r, (uint32_t)i, 0);
        samples->labels[i] = (int32_t)nm_rng_below(&r, CLASSES);
        write_digit(&r, samples->labels[i], samples->pixels + (size_t)i * SIDE * SIDE);
    }
    return NM_OK;
}

static nm_status open(nm_context *ctx, const char *path, nm_dataset *out)
{
    (void)path;
    NM_TRY(fill(ctx, &out->train, TRAIN, "train"));
    NM_TRY(fill(ctx, &out->test, TEST, "test"));
    return nm_dataset_set_classes(ctx, out, NULL, CLASSES);
}

extern const nm_source_type nm_source_digits;
const nm_source_type nm_source_digits = {
    .name = "digits",
    .help = "drawn digits, 10,000 + 2,000 of 28x28; generated, needs no files",
    .generated = true,
    .fetch = "nothing: it is generated",
    .open = open,
};
