/* Vectors of numbers by gcc's and clang's extension, for loops that the compiler does not make good vector code of by itself:
 * those over local arrays, or with selections. They are passed by pointer: passing them by value would change the calling
 * convention with the instruction set. */
#ifndef NM_VECTOR_H
#define NM_VECTOR_H

#include "real.h"

#include <stdint.h>
#include <string.h>

/* max(value, 0); NaN stays NaN. */
static inline real nm_positive(real value)
{
    return value > 0 ? value : value != value ? value : 0;
}
/* 64 bytes of numbers, whatever the instruction set makes of them. */
typedef real nm_vector __attribute__((vector_size(64)));
#ifdef NM_DOUBLE
typedef int64_t nm_mask __attribute__((vector_size(64)));
#else
typedef int32_t nm_mask __attribute__((vector_size(64)));
#endif
enum { NM_VECTOR = sizeof(nm_vector) / sizeof(real) };

/* a where the mask says so, else b: C has no selection on vectors. */
#define NM_SELECT(mask, a, b) ((nm_vector)(((nm_mask)(a) & (mask)) | ((nm_mask)(b) & ~(mask))))

/* The first `lanes` numbers, zeros after them. */
static inline void nm_vector_load(nm_vector *v, const real *from, int lanes)
{
    if (lanes < NM_VECTOR)
        *v = (nm_vector){0};
    memcpy(v, from, lanes < NM_VECTOR ? (size_t)lanes * sizeof *from : sizeof *v);
}
static inline void nm_vector_store(real *to, const nm_vector *v, int lanes)
{
    memcpy(to, v, lanes < NM_VECTOR ? (size_t)lanes * sizeof *to : sizeof *v);
}

/* a becomes the larger of each; NaN wins. */
static inline void nm_vector_larger(nm_vector *a, const real *from)
{
    nm_vector b;
    memcpy(&b, from, sizeof b);
    nm_mask wins = (b > *a) | (b != b);
    *a = (nm_vector)(((nm_mask)b & wins) | ((nm_mask)*a & ~wins));
}
#endif
