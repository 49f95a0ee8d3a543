/* Vectors of numbers by gcc's and clang's extension, for loops that the compiler does not make good
 * vector code of by itself: those over local arrays, or with selections. They are passed by
 * pointer: passing them by value would change the calling convention with the instruction set. */
#ifndef NM_VECTOR_H
#define NM_VECTOR_H

#include "real.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

/* For functions whose loops must have constant bounds, or whose arguments must be constants, so
 * that sums stay in registers and no question stays in a loop; inline alone is a hint. */
#define NM_INLINE static inline __attribute__((always_inline))

/* max(value, 0); NaN stays NaN. */
static inline real nm_positive(real value)
{
    return value > 0 ? value : value != value ? value : 0;
}
/* As many numbers as a register holds: gcc makes slow code of larger vectors (a hundred times
 * slower than this, at worst). */
#if defined __AVX512F__
#define NM_VECTOR_BYTES 64
#elif defined __AVX__
#define NM_VECTOR_BYTES 32
#else
#define NM_VECTOR_BYTES 16
#endif
typedef real nm_vector __attribute__((vector_size(NM_VECTOR_BYTES)));
#ifdef NM_DOUBLE
typedef int64_t nm_mask __attribute__((vector_size(NM_VECTOR_BYTES)));
#else
typedef int32_t nm_mask __attribute__((vector_size(NM_VECTOR_BYTES)));
#endif
enum { NM_VECTOR = sizeof(nm_vector) / sizeof(real) };
/* One that begins at any number. (memcpy of a vector moves halves of it where gcc is not told which
 * CPU it is for, and reading both halves at once waits for both to be written: three times as slow
 * as this, with AVX.) */
typedef real nm_unaligned_vector __attribute__((vector_size(NM_VECTOR_BYTES), aligned(sizeof(real)), may_alias));

/* a where the mask says so, else b: C has no selection on vectors. */
#define NM_SELECT(mask, a, b) ((nm_vector)(((nm_mask)(a) & (mask)) | ((nm_mask)(b) & ~(mask))))

#if defined __AVX2__ && !defined __AVX512F__
/* All ones in the first `lanes` numbers. */
static inline __m256i nm_vector_first(int lanes)
{
#ifdef NM_DOUBLE
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(lanes), _mm256_setr_epi64x(0, 1, 2, 3));
#else
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
#endif
}
#endif

/* The first `lanes` numbers, zeros after them. Some of them by masked instructions: memcpy of a
 * length that is not constant is a call, which takes longer than a narrow layer's sums. */
static inline void nm_vector_load(nm_vector *v, const real *from, int lanes)
{
    if (lanes >= NM_VECTOR) {
        *v = *(const nm_unaligned_vector *)from;
        return;
    }
#if defined __AVX512F__ && defined NM_DOUBLE
    *v = (nm_vector)_mm512_maskz_loadu_pd((__mmask8)((1u << lanes) - 1), from);
#elif defined __AVX512F__
    *v = (nm_vector)_mm512_maskz_loadu_ps((__mmask16)((1u << lanes) - 1), from);
#elif defined __AVX2__ && defined NM_DOUBLE
    *v = (nm_vector)_mm256_maskload_pd(from, nm_vector_first(lanes));
#elif defined __AVX2__
    *v = (nm_vector)_mm256_maskload_ps(from, nm_vector_first(lanes));
#else
    nm_vector some = {0};
    for (int i = 0; i < NM_VECTOR; i++)
        some[i] = i < lanes ? from[i] : 0;
    *v = some;
#endif
}
static inline void nm_vector_store(real *to, const nm_vector *v, int lanes)
{
    if (lanes >= NM_VECTOR) {
        *(nm_unaligned_vector *)to = *v;
        return;
    }
#if defined __AVX512F__ && defined NM_DOUBLE
    _mm512_mask_storeu_pd(to, (__mmask8)((1u << lanes) - 1), (__m512d)*v);
#elif defined __AVX512F__
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << lanes) - 1), (__m512)*v);
#elif defined __AVX2__ && defined NM_DOUBLE
    _mm256_maskstore_pd(to, nm_vector_first(lanes), (__m256d)*v);
#elif defined __AVX2__
    _mm256_maskstore_ps(to, nm_vector_first(lanes), (__m256)*v);
#else
    for (int i = 0; i < NM_VECTOR; i++)
        if (i < lanes)
            to[i] = (*v)[i];
#endif
}

/* A whole vector past the caches, to where it is aligned: for arrays larger than them, whose lines
 * need not be read before they are written. nm_vector_settle, before another thread may read what
 * was written so. */
static inline void nm_vector_stream(real *to, const nm_vector *v)
{
#if defined __AVX512F__
    _mm512_stream_si512((void *)to, (__m512i)*v);
#elif defined __AVX__
    _mm256_stream_si256((void *)to, (__m256i)*v);
#elif defined __SSE2__
    _mm_stream_si128((void *)to, (__m128i)*v);
#else
    nm_vector_store(to, v, NM_VECTOR);
#endif
}
static inline void nm_vector_settle(void)
{
#ifdef __SSE2__
    _mm_sfence();
#endif
}
/* Whether an array of so many pixels is one for that: every pixel begins a vector, and a vector is
 * a whole cache line (lines written in halves, at different times, go to memory twice: three times
 * as slow). */
static inline int nm_vector_streams(size_t pixels, int channels)
{
    enum { CACHED = 8 << 20 };
    return NM_VECTOR_BYTES == 64 && channels % NM_VECTOR == 0 && pixels * (size_t)channels * sizeof(real) >= CACHED;
}

/* max(value, 0); NaN stays NaN. */
static inline void nm_vector_positive(nm_vector *value)
{
    *value = (nm_vector)((nm_mask)*value & ~(*value <= 0));
}

/* a becomes the larger of each; NaN wins. */
static inline void nm_vector_larger(nm_vector *a, const real *from)
{
    nm_vector b;
    nm_vector_load(&b, from, NM_VECTOR);
    nm_mask wins = (b > *a) | (b != b);
    *a = (nm_vector)(((nm_mask)b & wins) | ((nm_mask)*a & ~wins));
}
#endif
