/* Sets of pixels of an endless plane, as rectangles: exact, and small where the set has large parts
 * without holes. */
#ifndef NM_PIXELS_H
#define NM_PIXELS_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct nm_rect {
    int64_t first[2], end[2]; /* rows, columns: first <= i < end */
} nm_rect;

/* In bands of rows, from top to bottom: rectangles of a band have the same rows, do not touch, and
 * go from left to right; bands that touch differ in their columns. So a set has one form only. A
 * set of zeros is empty. */
typedef struct nm_pixels {
    int count, capacity;
    nm_rect *rect; /* [count]; owned */
    bool lost;     /* it came to have more than NM_PIXELS_MOST rectangles, and is no longer known */
} nm_pixels;

enum { NM_PIXELS_MOST = 1 << 14 };

void nm_pixels_free(nm_pixels *set);

/* The set of one rectangle. */
nm_status nm_pixels_rect(nm_context *ctx, nm_rect rect, nm_pixels *out) NM_MUST_USE;

/* to = to and `from` moved by `shift` rows and columns. */
nm_status nm_pixels_unite(nm_context *ctx, nm_pixels *to, const nm_pixels *from, const int64_t shift[2]) NM_MUST_USE;

/* Unites the set with itself moved along the axis by step, 2 * step, … (count - 1) * step. */
nm_status nm_pixels_repeat(nm_context *ctx, nm_pixels *set, int axis, int64_t step, int count) NM_MUST_USE;

/* What of the set lies within the rectangle. */
nm_status nm_pixels_clip(nm_context *ctx, nm_pixels *set, nm_rect within) NM_MUST_USE;

/* The smallest rectangle around a set that is not empty. */
nm_rect nm_pixels_box(const nm_pixels *set);

#endif
