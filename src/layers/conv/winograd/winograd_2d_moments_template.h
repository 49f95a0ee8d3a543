/* The moments (see conv.h) of Winograd tiles, taken from the registers in which a tile is written.
 *
 * Each tile is summed about its first pixel, which is one of those summed: its squared distance
 * from their mean is at most their squared deviations' sum, so that little is lost when it is taken
 * out again. The tiles' means are summed likewise about the first one. A channel of equal values
 * has exactly that value as its mean. Included after TILE. */
#ifndef NM_WINOGRAD_2D_MOMENTS_TEMPLATE_H
#define NM_WINOGRAD_2D_MOMENTS_TEMPLATE_H

#include "conv.h"

enum { TILE_SUMS = 4 };

typedef struct tile_sums {
    real *of; /* [TILE_SUMS][channels]: the first tile's mean, sums of n (mean - first), n (mean - first)^2, deviations;
                 NULL: none */
    int channels;
    double pixels;
} tile_sums;

/* A thread's sums. */
static inline real *tile_sums_layout(nm_scratch *s, int channels)
{
    return nm_scratch_reals(s, TILE_SUMS * (size_t)channels);
}

/* The tile's deviations about its first pixel: sum and sum of squares. */
static inline void sum_tile(nm_vector (*y)[TILE], int rows, int columns, nm_vector *sum, nm_vector *squares)
{
    *sum = *squares = (nm_vector){0};
    for (int i = 0; i < TILE && i < rows; i++)
        for (int j = 0; j < TILE && j < columns; j++) {
            nm_vector off = y[i][j] - y[0][0];
            *sum += off;
            *squares += off * off;
        }
}

/* Adds rows x columns (or TILE x TILE, where there are more) pixels of some channels. */
static inline void add_tile(const tile_sums *s, int channel, const int lanes, int rows, int columns,
                            nm_vector (*y)[TILE])
{
    nm_vector sum, squares, first, off[3];
    real *at = s->of + channel, count;
    size_t stride = (size_t)s->channels;
    if (rows >= TILE && columns >= TILE) {
        sum_tile(y, TILE, TILE, &sum, &squares);
        count = TILE * TILE;
    } else {
        sum_tile(y, rows, columns, &sum, &squares);
        count = (real)((rows < TILE ? rows : TILE) * (columns < TILE ? columns : TILE));
    }
    nm_vector mean = sum / count;
    squares -= sum * mean;
    mean += y[0][0];
    if (s->pixels == 0) {
        nm_vector zero = {0};
        nm_vector_store(at, &mean, lanes);
        nm_vector_store(at + stride, &zero, lanes);
        nm_vector_store(at + 2 * stride, &zero, lanes);
        nm_vector_store(at + 3 * stride, &squares, lanes);
        return;
    }
    nm_vector_load(&first, at, lanes);
    for (int k = 0; k < 3; k++)
        nm_vector_load(&off[k], at + (size_t)(k + 1) * stride, lanes);
    mean -= first;
    off[0] += count * mean;
    off[1] += count * mean * mean;
    off[2] += squares;
    for (int k = 0; k < 3; k++)
        nm_vector_store(at + (size_t)(k + 1) * stride, &off[k], lanes);
}

/* Leaves the moments of chunk number `chunk`. */
static inline void finish_sums(const tile_sums *s, const nm_conv_moments *moments, int chunk)
{
    double *mean = moments->of + (size_t)chunk * 2 * (size_t)s->channels, *squares = mean + s->channels;
    const real *first = s->of, *off = first + s->channels, *between = off + s->channels,
               *within = between + s->channels;
    moments->pixels[chunk] = s->pixels;
    for (int c = 0; c < s->channels; c++) {
        double sum = (double)off[c], shift = s->pixels > 0 ? sum / s->pixels : 0;
        double deviations = s->pixels > 0 ? (double)within[c] + (double)between[c] - sum * shift : 0;
        mean[c] = s->pixels > 0 ? (double)first[c] + shift : 0;
        squares[c] = deviations > 0 ? deviations : 0;
    }
}

#endif
