/* Which pixels of the network's input the units of a node read, along one path or several: the sets
 * behind the receptive fields. Private to src/core.
 *
 *     nm_reads_begin (an input) -> nm_reads_through (a layer), nm_reads_unite (another path) … ->
 * nm_reads_free
 *
 * Unit u of an axis reads what unit u + period reads, moved by `advance` pixels: a transposed
 * convolution of stride 2 makes period 2 of 1. Units are taken as if the input had no border. */
#ifndef NM_READS_H
#define NM_READS_H

#include "layer.h"
#include "pixels.h"

typedef struct nm_reads nm_reads;

static inline int nm_common_divisor(int a, int b)
{
    return b ? nm_common_divisor(b, a % b) : a;
}

/* A unit reads the pixel at its own place. */
nm_status nm_reads_begin(nm_context *ctx, nm_reads **out) NM_MUST_USE;
/* `in`: of the layer; `image`: of the network's input. */
nm_status nm_reads_through(nm_context *ctx, const nm_reads *from, const nm_window *w, nm_shape in, nm_shape image,
                           nm_reads **out) NM_MUST_USE;
/* Whether both have the same number of pixels from unit to unit. */
bool nm_reads_on_one_grid(const nm_reads *a, const nm_reads *b);
/* to = both; on one grid. */
nm_status nm_reads_unite(nm_context *ctx, nm_reads *to, const nm_reads *from) NM_MUST_USE;
nm_status nm_reads_copy(nm_context *ctx, const nm_reads *from, nm_reads **out) NM_MUST_USE;
void nm_reads_free(nm_reads *r);

/* Whether any unit's pixels leave some out of the smallest rectangle around them. */
bool nm_reads_has_gaps(const nm_reads *r);
/* Whether some of that rectangle of `r` is not in `all` either. */
nm_status nm_reads_leaves_gaps(nm_context *ctx, const nm_reads *r, const nm_reads *all, bool *gaps) NM_MUST_USE;

#endif
