/* Digits drawn from strokes: 28x28, with random slant, size, place and width, in whole-number
 * arithmetic, so that they have the same bits everywhere. */
#include "digits.h"

#include <string.h>

enum { SIDE = NM_DIGIT_SIDE, CLASSES = 10, ONE = 256 /* fixed point: a pixel */ };

/* Each digit as strokes between points of a 4 x 6 grid (x right, y down), pairs of points; -1 ends.
 */
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

static int clamp_pixel(int64_t place)
{
    return place < 0 ? 0 : place > SIDE ? SIDE : (int)place;
}

/* Pixels within `reach` of anything between a and b: [first, end). */
static void find_span(int64_t a, int64_t b, int64_t reach, int *first, int *end)
{
    *first = clamp_pixel(((a < b ? a : b) - reach) / ONE);
    *end = clamp_pixel(((a < b ? b : a) + reach) / ONE + 1);
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
    int left, right, top, bottom;
    find_span(x[0], x[1], reach, &left, &right);
    find_span(y[0], y[1], reach, &top, &bottom);
    for (int row = top; row < bottom; row++)
        for (int col = left; col < right; col++) {
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

void nm_draw_digit(nm_rng *r, int digit, uint8_t *image)
{
    hand h = {.width = around(r, 11 * ONE, 3 * ONE),
              .height = around(r, 17 * ONE, 3 * ONE),
              .slant = around(r, 2 * ONE, 5 * ONE),
              .x = around(r, 27 * ONE / 2, 3 * ONE),
              .y = around(r, 27 * ONE / 2, 2 * ONE),
              .pen = around(r, ONE, ONE / 2)};
    memset(image, 0, SIDE * SIDE);
    for (const signed char *s = strokes[digit]; *s >= 0; s += 4)
        draw(&h, s, image);
}

void nm_add_noise(nm_rng *r, uint8_t *image, int pixels)
{
    for (int i = 0; i < pixels; i++) {
        int value = image[i] + (around(r, 0, 48) + around(r, 0, 48)) / 2;
        image[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}
