/* Augmentation of one sample. Every kind draws its numbers whether or not they end in a change, so
 * that one kind does not shift the draws of another. */
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
                           kind == FLIP     ? " alone"
                           : kind == AFFINE ? "=STRENGTH from 0 to 4"
                                            : "=PIXELS");
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

/* ---- shifts and mirrors -------------------------------------------------------------------- */

/* The `count` pixels that end at `end`, the last one first. Inlined for a `c` that the compiler
 * knows: vector code for one channel, moves instead of calls for three. */
static inline void mirror_row(const uint8_t *end, int count, size_t c, uint8_t *to)
{
    for (int i = 0; i < count; i++)
        memcpy(to + (size_t)i * c, end - (size_t)(i + 1) * c, c);
}

static void mirror_rows(const uint8_t *end, int rows, int count, nm_shape s, uint8_t *to)
{
    size_t c = (size_t)s.c, row = (size_t)s.w * c;
    for (int h = 0; h < rows; h++, end += row, to += row) {
        if (c == 1)
            mirror_row(end, count, 1, to);
        else if (c == 3)
            mirror_row(end, count, 3, to);
        else
            mirror_row(end, count, c, to);
    }
}

/* What of `size` outputs reads from inside when output i reads from i + shift: first to last - 1;
 * false: none. */
static bool overlap(int size, int shift, int *first, int *last)
{
    *first = shift < 0 ? -shift : 0;
    *last = shift > 0 ? size - shift : size;
    return *first < *last;
}

/* Shift by (dy, dx) with zeros coming in, mirrored first where asked. What stays inside is copied
 * in one stretch across the ends of rows; between two rows of it lie the zeros of both. */
static void move(nm_shape s, bool mirror, int dy, int dx, const uint8_t *from, uint8_t *to)
{
    size_t c = (size_t)s.c, row = (size_t)s.w * c, size = nm_shape_size(s);
    int top, bottom, left, right;
    if (!overlap(s.h, dy, &top, &bottom) || !overlap(s.w, dx, &left, &right)) {
        memset(to, 0, size);
        return;
    }
    size_t start = (size_t)top * row + (size_t)left * c, end = (size_t)(bottom - 1) * row + (size_t)right * c;
    size_t gap = row - (size_t)(right - left) * c;
    const uint8_t *first = from + (size_t)(top + dy) * row;
    memset(to, 0, start);
    if (mirror)
        mirror_rows(first + (size_t)(s.w - left - dx) * c, bottom - top, right - left, s, to + start);
    else
        memcpy(to + start, first + (size_t)(left + dx) * c, end - start);
    for (size_t at = (size_t)top * row + (size_t)right * c; gap && at < end; at += row)
        memset(to + at, 0, gap);
    memset(to + end, 0, size - end);
}

/* ---- changes of place ---------------------------------------------------------------------- */

/* Output pixel (h, w) about the centre reads from the input by this map, bilinear, in fixed point
 * with 16 bits of fraction. */
typedef struct map {
    double angle, scale, shift_y, shift_x;
    bool mirror;
} map;

enum { ONE = 1 << 16 };

/* Values whose four neighbours are gathered one by one, for all to be blended at once, which vector
 * code can do. */
enum { RUN = 64 };

typedef struct run {
    uint8_t a[RUN], b[RUN], c[RUN], d[RUN]; /* a b above, c d below */
    uint8_t fy[RUN], fx[RUN];               /* weights of c d and of b d, of 256 */
    int held;
    uint8_t *to;
} run;

static void blend(run *r)
{
    uint8_t *restrict to = r->to;
    for (int i = 0; i < r->held; i++) {
        uint16_t fx = r->fx[i], fy = r->fy[i], rx = (uint16_t)(256 - fx), ry = (uint16_t)(256 - fy);
        uint16_t above = (uint16_t)(r->a[i] * rx + r->b[i] * fx), below = (uint16_t)(r->c[i] * rx + r->d[i] * fx);
        to[i] = (uint8_t)(((uint32_t)above * ry + (uint32_t)below * fy + (1u << 15)) >> 16);
    }
    r->to += r->held;
    r->held = 0;
}

static inline void put(run *r, uint8_t a, uint8_t b, uint8_t c, uint8_t d, int fy, int fx)
{
    if (r->held == RUN)
        blend(r);
    int i = r->held++;
    r->a[i] = a;
    r->b[i] = b;
    r->c[i] = c;
    r->d[i] = d;
    r->fy[i] = (uint8_t)fy;
    r->fx[i] = (uint8_t)fx;
}

/* The pixel at (y, x), which is 0 outside. Reads the first one there, so that nothing has to be
 * jumped over. */
static inline uint8_t pixel_at(nm_shape s, const uint8_t *from, int y, int x, int c)
{
    bool inside = (unsigned)y < (unsigned)s.h && (unsigned)x < (unsigned)s.w;
    size_t at = ((size_t)y * (size_t)s.w + (size_t)x) * (size_t)s.c + (size_t)c;
    uint8_t value = from[inside ? at : 0];
    return inside ? value : 0;
}

/* A row of outputs reads from (y, x) and on in steps. Only one at the border asks of each neighbour
 * whether it lies inside. Inlined for numbers of channels that the compiler knows. */
static inline void warp_row(nm_shape s, int channels, const int64_t at[2], const int64_t step[2], const uint8_t *from,
                            run *r)
{
    size_t row = (size_t)s.w * (size_t)channels;
    int64_t y_at = at[0], x_at = at[1];
    for (int w = 0; w < s.w; w++, y_at += step[0], x_at += step[1]) {
        int y = (int)(y_at >> 16), x = (int)(x_at >> 16);
        int fy = (int)(y_at & (ONE - 1)) >> 8, fx = (int)(x_at & (ONE - 1)) >> 8;
        if (y >= 0 && y < s.h - 1 && x >= 0 && x < s.w - 1) {
            const uint8_t *p = from + (size_t)y * row + (size_t)x * (size_t)channels, *q = p + row;
            for (int c = 0; c < channels; c++)
                put(r, p[c], p[c + channels], q[c], q[c + channels], fy, fx);
        } else {
            for (int c = 0; c < channels; c++)
                put(r, pixel_at(s, from, y, x, c), pixel_at(s, from, y, x + 1, c), pixel_at(s, from, y + 1, x, c),
                    pixel_at(s, from, y + 1, x + 1, c), fy, fx);
        }
    }
}

static void warp(nm_shape s, const map *m, const uint8_t *from, uint8_t *to)
{
    double co = cos(m->angle) / m->scale, si = sin(m->angle) / m->scale, cy = 0.5 * (s.h - 1), cx = 0.5 * (s.w - 1);
    double side = m->mirror ? -1 : 1;
    const int64_t step[2] = {llround(-si * ONE), llround(side * co * ONE)};
    run r = {.to = to};
    for (int h = 0; h < s.h; h++) {
        double dy = h - cy - m->shift_y, dx = -cx - m->shift_x;
        int64_t at[2] = {llround((co * dy - si * dx + cy) * ONE), llround((side * (si * dy + co * dx) + cx) * ONE)};
        if (s.c == 1)
            warp_row(s, 1, at, step, from, &r);
        else if (s.c == 3)
            warp_row(s, 3, at, step, from, &r);
        else
            warp_row(s, s.c, at, step, from, &r);
    }
    blend(&r);
}

/* ---- all of them --------------------------------------------------------------------------- */

static void cut(nm_shape s, int side, int row, int col, uint8_t *image)
{
    int top = row - side / 2, left = col - side / 2, bottom = top + side, right = left + side;
    top = top < 0 ? 0 : top;
    left = left < 0 ? 0 : left;
    bottom = bottom < s.h ? bottom : s.h;
    right = right < s.w ? right : s.w;
    for (int h = top; h < bottom; h++)
        memset(image + ((size_t)h * (size_t)s.w + (size_t)left) * (size_t)s.c, 0, (size_t)(right - left) * (size_t)s.c);
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
