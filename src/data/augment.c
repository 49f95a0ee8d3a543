/* Augmentation of one sample. Every kind draws its numbers whether or not they end in a change, so that one kind does
 * not shift the draws of another. */
#include "augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"flip", "pad-crop", "affine", "cutout"};
enum { FLIP, PAD_CROP, AFFINE, CUTOUT, KINDS };

static nm_status set(nm_context *ctx, const char *word, int kind, const char *value, nm_augmentation *out)
{
    static const double preset[KINDS] = {1, 4, 1, 8}, most[KINDS] = {1, 1024, 4, 1024};
    double number = preset[kind];
    if (value) {
        char *end;
        number = strtod(value, &end);
        bool whole = kind == AFFINE || number == floor(number);
        if (kind == FLIP || end == value || *end || !(number >= 0 && number <= most[kind]) || !whole)
            return nm_fail(ctx, NM_INVALID, "augment: '%s': expected %s%s", word, names[kind],
                           kind == FLIP ? " alone" : kind == AFFINE ? "=STRENGTH from 0 to 4" : "=PIXELS");
    }
    switch (kind) {
    case FLIP:
        out->flip = true;
        break;
    case PAD_CROP:
        out->pad_crop = (int)number;
        break;
    case AFFINE:
        out->affine = number;
        break;
    default:
        out->cutout = (int)number;
    }
    return NM_OK;
}

nm_status nm_augmentation_read(nm_context *ctx, const nm_strings *words, nm_augmentation *out)
{
    *out = (nm_augmentation){0};
    nm_status status = NM_OK;
    for (int i = 0; i < words->count; i++) {
        const char *word = words->values[i], *equals = strchr(word, '=');
        size_t length = equals ? (size_t)(equals - word) : strlen(word);
        int kind = 0;
        while (kind < KINDS && (strlen(names[kind]) != length || memcmp(names[kind], word, length) != 0))
            kind++;
        if (strcmp(word, "none") == 0)
            continue;
        char hint[NM_HINT];
        nm_status one = kind < KINDS ? set(ctx, word, kind, equals ? equals + 1 : NULL, out)
                                     : nm_fail(ctx, NM_INVALID, "augment: unknown '%s'%s", word,
                                               nm_did_you_mean(hint, word, names, KINDS));
        if (one != NM_OK)
            status = one;
    }
    return status;
}

/* Shift by (dy, dx) with zeros coming in, mirrored first where asked. */
static void move(nm_shape s, bool mirror, int dy, int dx, const uint8_t *from, uint8_t *to)
{
    size_t c = (size_t)s.c;
    for (int h = 0; h < s.h; h++, to += (size_t)s.w * c) {
        int y = h + dy;
        if (y < 0 || y >= s.h) {
            memset(to, 0, (size_t)s.w * c);
            continue;
        }
        const uint8_t *row = from + (size_t)y * (size_t)s.w * c;
        if (!mirror) {
            int first = dx < 0 ? -dx : 0, last = s.w - (dx > 0 ? dx : 0);
            first = first < s.w ? first : s.w;
            last = last > first ? last : first;
            memset(to, 0, (size_t)first * c);
            memcpy(to + (size_t)first * c, row + (size_t)(first + dx) * c, (size_t)(last - first) * c);
            memset(to + (size_t)last * c, 0, (size_t)(s.w - last) * c);
            continue;
        }
        for (int w = 0; w < s.w; w++) {
            int x = w + dx;
            if (x >= 0 && x < s.w)
                memcpy(to + (size_t)w * c, row + (size_t)(s.w - 1 - x) * c, c);
            else
                memset(to + (size_t)w * c, 0, c);
        }
    }
}

/* A change of place: output pixel (h, w) about the centre reads from the input by this map, bilinear, in fixed point
 * with 16 bits of fraction. */
typedef struct map {
    double angle, scale, shift_y, shift_x;
    bool mirror;
} map;

static void warp(nm_shape s, const map *m, const uint8_t *from, uint8_t *to)
{
    enum { ONE = 1 << 16 };
    double co = cos(m->angle) / m->scale, si = sin(m->angle) / m->scale, cy = 0.5 * (s.h - 1), cx = 0.5 * (s.w - 1);
    double side = m->mirror ? -1 : 1;
    int64_t step_y = llround(-si * ONE), step_x = llround(side * co * ONE);
    for (int h = 0; h < s.h; h++) {
        double dy = h - cy - m->shift_y, dx = -cx - m->shift_x;
        int64_t y = llround((co * dy - si * dx + cy) * ONE), x = llround((side * (si * dy + co * dx) + cx) * ONE);
        for (int w = 0; w < s.w; w++, y += step_y, x += step_x, to += s.c) {
            int y0 = (int)(y >> 16), x0 = (int)(x >> 16);
            int fy = (int)(y & (ONE - 1)) >> 8, fx = (int)(x & (ONE - 1)) >> 8; /* 8 bits each */
            for (int c = 0; c < s.c; c++) {
                int corner[4];
                for (int k = 0; k < 4; k++) {
                    int yy = y0 + k / 2, xx = x0 + k % 2;
                    bool inside = yy >= 0 && yy < s.h && xx >= 0 && xx < s.w;
                    corner[k] = inside ? from[((size_t)yy * (size_t)s.w + (size_t)xx) * (size_t)s.c + (size_t)c] : 0;
                }
                int above = corner[0] * (256 - fx) + corner[1] * fx, below = corner[2] * (256 - fx) + corner[3] * fx;
                to[c] = (uint8_t)((above * (256 - fy) + below * fy + (1 << 15)) >> 16);
            }
        }
    }
}

static void cut(nm_shape s, int side, int row, int col, uint8_t *image)
{
    int top = row - side / 2, left = col - side / 2;
    for (int h = top < 0 ? 0 : top; h < top + side && h < s.h; h++)
        for (int w = left < 0 ? 0 : left; w < left + side && w < s.w; w++)
            memset(image + ((size_t)h * (size_t)s.w + (size_t)w) * (size_t)s.c, 0, (size_t)s.c);
}

/* Uniform on -range..range. */
static double symmetric(nm_rng *r, double range)
{
    return range * (2 * nm_rng_uniform(r) - 1);
}

void nm_augment(const nm_augmentation *a, nm_rng *r, nm_shape s, const uint8_t *from, uint8_t *to)
{
    bool mirror = (nm_rng_bits(r) & 1) && a->flip;
    uint32_t reach = 2 * (uint32_t)a->pad_crop + 1;
    int dy = (int)nm_rng_below(r, reach) - a->pad_crop, dx = (int)nm_rng_below(r, reach) - a->pad_crop;
    double angle = symmetric(r, a->affine * 15 * 3.14159265358979323846 / 180);
    double scale = exp(symmetric(r, a->affine * 0.1));
    double shift_y = symmetric(r, a->affine * 0.1 * s.h), shift_x = symmetric(r, a->affine * 0.1 * s.w);
    int row = (int)nm_rng_below(r, (uint32_t)s.h), col = (int)nm_rng_below(r, (uint32_t)s.w);
    if (a->affine > 0)
        warp(s, &(map){angle, scale, shift_y - dy, shift_x - dx, mirror}, from, to);
    else
        move(s, mirror, dy, dx, from, to);
    if (a->cutout > 0)
        cut(s, a->cutout, row, col, to);
}
