/* The transforms of one tile, or of weights, in two dimensions, from those in one: see
 * winograd_2d_template.h. Included after TILE, G and the transforms of one dimension. */
#ifndef NM_WINOGRAD_2D_TRANSFORMS_TEMPLATE_H
#define NM_WINOGRAD_2D_TRANSFORMS_TEMPLATE_H

#include "conv.h"

enum {
    SIZE = TILE + 2,
    POINTS = SIZE * SIZE,
    LANES = NM_VECTOR, /* channels at once */
};

/* A tile's pixels: pixel (i, j), lane v at at[i * row + j * col + v]. In the sample itself, or in a
 * copy that has zeros for what lies outside. */
typedef struct pixels {
    const real *at;
    size_t row, col;
} pixels;

/* B' d B of one tile; out[point * stride + lane]. */
static inline void transform_input(pixels d, real *restrict out, size_t stride, int lanes)
{
    nm_vector t[SIZE][SIZE], in[SIZE], y[SIZE];
    for (int j = 0; j < SIZE; j++) {
        for (int i = 0; i < SIZE; i++)
            nm_vector_load(&in[i], d.at + (size_t)i * d.row + (size_t)j * d.col, LANES);
        input_points(in, y);
        for (int i = 0; i < SIZE; i++)
            t[i][j] = y[i];
    }
    for (int i = 0; i < SIZE; i++) {
        input_points(t[i], y);
        for (int k = 0; k < SIZE; k++)
            nm_vector_store(out + (size_t)(i * SIZE + k) * stride, &y[k], lanes);
    }
}

/* A' m A of one tile, from m[point * stride + lane]. */
static inline void transform_output(const real *restrict m, size_t stride, int lanes, nm_vector (*y)[TILE])
{
    nm_vector t[TILE][SIZE], in[SIZE], out[TILE];
    for (int j = 0; j < SIZE; j++) {
        for (int i = 0; i < SIZE; i++)
            nm_vector_load(&in[i], m + (size_t)(i * SIZE + j) * stride, lanes);
        output_points(in, out);
        for (int i = 0; i < TILE; i++)
            t[i][j] = out[i];
    }
    for (int i = 0; i < TILE; i++)
        output_points(t[i], y[i]);
}

/* A d A' of one tile of gradients. */
static inline void transform_gradient(pixels d, real *restrict out, size_t stride, int lanes)
{
    nm_vector t[SIZE][TILE], in[TILE], y[SIZE];
    for (int j = 0; j < TILE; j++) {
        for (int i = 0; i < TILE; i++)
            nm_vector_load(&in[i], d.at + (size_t)i * d.row + (size_t)j * d.col, LANES);
        gradient_points(in, y);
        for (int i = 0; i < SIZE; i++)
            t[i][j] = y[i];
    }
    for (int i = 0; i < SIZE; i++) {
        gradient_points(t[i], y);
        for (int k = 0; k < SIZE; k++)
            nm_vector_store(out + (size_t)(i * SIZE + k) * stride, &y[k], lanes);
    }
}

enum { RUN = 16 }; /* numbers at once in the transforms of weights */

/* U = G w G' for at most RUN numbers that lie side by side: w[tap * w_stride + i] to u[point *
 * u_stride + i]. */
static inline void transform_weights_run(const real *restrict w, size_t w_stride, real *restrict u, size_t u_stride,
                                         const int lanes)
{
    real t[SIZE][3][RUN];
    for (int b = 0; b < 3; b++)
        for (int v = 0; v < lanes; v++) {
            const real *at = w + (size_t)b * w_stride + (size_t)v;
            real w0 = at[0], w1 = at[3 * w_stride], w2 = at[6 * w_stride];
            for (int i = 0; i < SIZE; i++)
                t[i][b][v] = (real)G[i][0] * w0 + (real)G[i][1] * w1 + (real)G[i][2] * w2;
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++)
            for (int v = 0; v < lanes; v++)
                u[(size_t)(SIZE * i + j) * u_stride + (size_t)v] =
                    (real)G[j][0] * t[i][0][v] + (real)G[j][1] * t[i][1][v] + (real)G[j][2] * t[i][2][v];
}

/* Of `count` numbers. Whole runs by themselves: of a constant length they are vectors throughout.
 */
static void transform_weights(const real *restrict w, size_t w_stride, real *restrict u, size_t u_stride, int count)
{
    int first = 0;
    for (; first + RUN <= count; first += RUN)
        transform_weights_run(w + first, w_stride, u + first, u_stride, RUN);
    if (first < count)
        transform_weights_run(w + first, w_stride, u + first, u_stride, count - first);
}

/* dw = G' dU G, likewise, of at most RUN numbers; added to what is there with `add`. */
static inline void transform_weight_gradient_run(const real *restrict u, size_t u_stride, real *restrict dw,
                                                 size_t w_stride, const int lanes, bool add)
{
    real t[3][SIZE][RUN];
    for (int j = 0; j < SIZE; j++)
        for (int a = 0; a < 3; a++)
            for (int v = 0; v < lanes; v++) {
                const real *at = u + (size_t)j * u_stride + (size_t)v;
                real sum = 0;
                for (int i = 0; i < SIZE; i++)
                    sum += (real)G[i][a] * at[(size_t)(SIZE * i) * u_stride];
                t[a][j][v] = sum;
            }
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            for (int v = 0; v < lanes; v++) {
                real *to = dw + (size_t)(3 * a + b) * w_stride + (size_t)v, sum = 0;
                for (int j = 0; j < SIZE; j++)
                    sum += (real)G[j][b] * t[a][j][v];
                *to = add ? *to + sum : sum;
            }
}

static void transform_weight_gradient(const real *restrict u, size_t u_stride, real *restrict dw, size_t w_stride,
                                      int count, bool add)
{
    int first = 0;
    for (; first + RUN <= count; first += RUN)
        transform_weight_gradient_run(u + first, u_stride, dw + first, w_stride, RUN, add);
    if (first < count)
        transform_weight_gradient_run(u + first, u_stride, dw + first, w_stride, count - first, add);
}

#endif
