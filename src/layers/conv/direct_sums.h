/* Sums of direct.c, kept in registers until they are written. */
#ifndef NM_DIRECT_SUMS_H
#define NM_DIRECT_SUMS_H

#include "conv.h"

enum { LANES = NM_VECTOR, PIXELS = 4 };
#ifdef __AVX512F__
enum { MOST = 4 }; /* vectors of channels at once: PIXELS times as many sums in registers */
#else
enum { MOST = 2 };
#endif

/* The sums of PIXELS outputs from `x` on (`step` numbers apart) of `count` * LANES channels. */
static inline void sum_pixels(const nm_conv_geometry *g, const real *x, size_t line, size_t step,
                              const real *restrict w, const int count, nm_vector (*sum)[MOST])
{
    const int run = g->kernel[1] * g->in.c;
    for (int p = 0; p < PIXELS; p++)
        for (int k = 0; k < count; k++)
            sum[p][k] = (nm_vector){0};
    for (int a = 0; a < g->kernel[0]; a++)
        for (int t = 0; t < run; t++, w += g->out.c) {
            const real *from = x + (size_t)a * line + t;
            nm_vector weight[MOST];
            for (int k = 0; k < count; k++)
                nm_vector_load(&weight[k], w + k * LANES, LANES);
            for (int p = 0; p < PIXELS; p++)
                for (int k = 0; k < count; k++)
                    sum[p][k] += from[(size_t)p * step] * weight[k];
        }
}

static inline void put_pixels(const nm_conv_call *call, nm_vector (*sum)[MOST], int channel, const int count,
                              int pixels, real *y)
{
    for (int p = 0; p < pixels; p++, y += call->g->out.c)
        for (int k = 0; k < count; k++) {
            nm_conv_finish(call, channel + k * LANES, LANES, NULL, (real *)&sum[p][k]);
            nm_vector_store(y + k * LANES, &sum[p][k], LANES);
        }
}

/* The largest of each 2x2 of two rows' sums. */
static inline void put_pooled(const nm_conv_call *call, nm_vector (*upper)[MOST], nm_vector (*lower)[MOST], int channel,
                              const int count, int pixels, real *y)
{
    for (int p = 0; p < PIXELS; p++)
        for (int k = 0; k < count; k++) {
            nm_conv_finish(call, channel + k * LANES, LANES, NULL, (real *)&upper[p][k]);
            nm_conv_finish(call, channel + k * LANES, LANES, NULL, (real *)&lower[p][k]);
            nm_vector_larger(&upper[p][k], (const real *)&lower[p][k]);
        }
    for (int p = 0; p < pixels; p++, y += call->g->out.c)
        for (int k = 0; k < count; k++) {
            nm_vector_larger(&upper[2 * p][k], (const real *)&upper[2 * p + 1][k]);
            nm_vector_store(y + k * LANES, &upper[2 * p][k], LANES);
        }
}

/* ---- 3x3 over one input channel ------------------------------------------------------------ */

/* Whether a row of outputs is summed with its weights in registers: of sixteen with eight numbers,
 * nine hold those of one vector of channels, and four sums are left. (Not where rows are pooled in
 * pairs: eight sums leave too few.) */
static inline bool sums_nine_taps(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    return NM_VECTOR_BYTES == 32 && !call->pool && g->in.c == 1 && g->kernel[0] == 3 && g->kernel[1] == 3 &&
           g->stride[1] == 1;
}

/* The sums of PIXELS outputs. Written out, for the compiler would keep an array of sums in memory.
 */
static inline void sum_nine_taps(const real *x, size_t line, const nm_vector *w, nm_vector (*sum)[MOST])
{
    nm_vector a = {0}, b = {0}, c = {0}, d = {0};
#pragma GCC unroll 3
    for (int row = 0; row < 3; row++, x += line, w += 3) {
        a += x[0] * w[0];
        a += x[1] * w[1];
        b += x[1] * w[0];
        a += x[2] * w[2];
        b += x[2] * w[1];
        c += x[2] * w[0];
        b += x[3] * w[2];
        c += x[3] * w[1];
        d += x[3] * w[0];
        c += x[4] * w[2];
        d += x[4] * w[1];
        d += x[5] * w[2];
    }
    sum[0][0] = a;
    sum[1][0] = b;
    sum[2][0] = c;
    sum[3][0] = d;
}

/* LANES channels of a row of y, from padded input rows at `x`. */
static inline void nine_tap_channels(const nm_conv_call *call, const real *x, size_t line, int channel, real *y)
{
    const size_t across = (size_t)call->g->out.c;
    const bool finish = call->scale || call->bias || call->relu;
    nm_vector w[9], sum[PIXELS][MOST];
    for (int t = 0; t < 9; t++)
        nm_vector_load(&w[t], call->w + (size_t)t * across + channel, LANES);
    for (int left = call->g->out.w; left > 0; left -= PIXELS, x += PIXELS, y += PIXELS * across) {
        sum_nine_taps(x, line, w, sum);
        if (finish || left < PIXELS)
            put_pixels(call, sum, channel, 1, left < PIXELS ? left : PIXELS, y);
        else
            for (int p = 0; p < PIXELS; p++)
                nm_vector_store(y + (size_t)p * across, &sum[p][0], LANES);
    }
}

static void nine_tap_row(const nm_conv_call *call, const real *x, size_t line, real *y)
{
    for (int c = 0; c < call->g->out.c; c += LANES)
        nine_tap_channels(call, x, line, c, y + c);
}

#endif
