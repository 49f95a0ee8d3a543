/* norma: the shape of one sample: height, width, channels. Activations are stored
 * [n][h][w][c] (NHWC); a vector is 1x1xC. The number of samples is not part of it. */
#ifndef NORMA_SHAPE_H
#define NORMA_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_shape {
    int h, w, c;
} nm_shape;

static inline size_t nm_shape_size(nm_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static inline bool nm_shape_same(nm_shape a, nm_shape b)
{
    return a.h == b.h && a.w == b.w && a.c == b.c;
}

/* For messages: nm_fail(ctx, NM_INVALID, "%s: found " NM_SHAPE_FMT, who, NM_SHAPE_ARGS(s)). */
#define NM_SHAPE_FMT "%dx%dx%d"
#define NM_SHAPE_ARGS(s) (s).h, (s).w, (s).c

#ifdef __cplusplus
}
#endif

#endif
