/* Arrays that are kept from forward to backward, as reals or, with train.storage bf16, as bfloat16
 * (fusion.h). They are read into registers or into a few rows in cache, and computed with as reals;
 * what is written is rounded to the nearest, ties to even; NaN stays NaN. */
#ifndef NM_STORED_H
#define NM_STORED_H

#include "fusion.h"
#include "vector.h"

/* One of the two is NULL, or both: there is no array. */
typedef struct nm_stored {
    real *reals;
    nm_bf16 *halves;
} nm_stored;

static inline nm_stored nm_stored_of(const real *memory, bool bf16)
{
    void *at = (void *)(uintptr_t)memory;
    return bf16 ? (nm_stored){.halves = at} : (nm_stored){.reals = at};
}

/* From number `first` on. */
static inline nm_stored nm_stored_from(nm_stored s, size_t first)
{
    return (nm_stored){s.reals ? s.reals + first : NULL, s.halves ? s.halves + first : NULL};
}

/* Of an array that is known to be of reals: the compiler knows it then too, and leaves no question
 * in a loop. */
static inline nm_stored nm_stored_reals(nm_stored s)
{
    return (nm_stored){.reals = s.reals};
}

/* ---- single numbers ------------------------------------------------------------------- */

static inline real nm_bf16_widen(nm_bf16 half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (real)value;
}

static inline nm_bf16 nm_bf16_narrow(real number)
{
    float value = (float)number;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, nan = bits >> 16 | 0x40;
    return (nm_bf16)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

/* ---- vectors ---------------------------------------------------------------------------- */

/* The first `lanes` numbers, zeros after them. */
static inline void nm_vector_widen(nm_vector *v, const nm_bf16 *from, int lanes)
{
#if defined __AVX512F__ && !defined NM_DOUBLE
    __m256i halves = lanes >= NM_VECTOR ? _mm256_loadu_si256((const __m256i *)(const void *)from)
                                        : _mm256_maskz_loadu_epi16((__mmask16)((1u << lanes) - 1), from);
    *v = (nm_vector)_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16);
#else
    nm_bf16 some[NM_VECTOR] = {0};
    if (lanes >= NM_VECTOR)
        memcpy(some, from, sizeof some);
    else
        for (int i = 0; i < lanes; i++)
            some[i] = from[i];
#if defined __AVX2__ && !defined NM_DOUBLE
    __m128i halves = _mm_loadu_si128((const __m128i *)(const void *)some);
    *v = (nm_vector)_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16);
#else
    nm_vector wide = {0};
    for (int i = 0; i < NM_VECTOR; i++)
        wide[i] = nm_bf16_widen(some[i]);
    *v = wide;
#endif
#endif
}

/* Every number becomes the nearest that a bfloat16 can hold. */
static inline void nm_vector_round_to_bf16(nm_vector *v)
{
#ifdef NM_DOUBLE
    for (int i = 0; i < NM_VECTOR; i++)
        (*v)[i] = nm_bf16_widen(nm_bf16_narrow((*v)[i]));
#else
    typedef uint32_t bits __attribute__((vector_size(NM_VECTOR_BYTES)));
    const bits b = (bits)*v, rounded = b + 0x7fff + (b >> 16 & 1), nan = b | 0x400000;
#if defined __AVX512F__
    const __m512i all =
        _mm512_mask_mov_epi32((__m512i)rounded, _mm512_cmp_ps_mask((__m512)*v, (__m512)*v, _CMP_UNORD_Q), (__m512i)nan);
#elif defined __AVX2__
    const __m256 is_nan = _mm256_cmp_ps((__m256)*v, (__m256)*v, _CMP_UNORD_Q);
    const __m256 all = _mm256_blendv_ps((__m256)rounded, (__m256)nan, is_nan);
#else
    const bits is_nan = (bits)(*v != *v), all = (rounded & ~is_nan) | (nan & is_nan);
#endif
    *v = (nm_vector)((bits)all & 0xffff0000);
#endif
}

/* The first `lanes` numbers of a vector that has been rounded so. */
static inline void nm_vector_store_bf16(nm_bf16 *to, const nm_vector *v, int lanes)
{
#if defined __AVX512F__ && !defined NM_DOUBLE
    const __m512i upper = _mm512_srli_epi32((__m512i)*v, 16);
    if (lanes >= NM_VECTOR)
        _mm256_storeu_si256((__m256i *)(void *)to, _mm512_cvtepi32_epi16(upper));
    else
        _mm512_mask_cvtepi32_storeu_epi16(to, (__mmask16)((1u << lanes) - 1), upper);
#else
    nm_bf16 some[NM_VECTOR];
#if defined __AVX2__ && !defined NM_DOUBLE
    const __m256i upper = _mm256_srli_epi32((__m256i)*v, 16);
    const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
    if (lanes >= NM_VECTOR) {
        _mm_storeu_si128((__m128i *)(void *)to, halves);
        return;
    }
    _mm_storeu_si128((__m128i *)(void *)some, halves);
#else
    for (int i = 0; i < NM_VECTOR; i++)
        some[i] = nm_bf16_narrow((*v)[i]);
#endif
    for (int i = 0; i < NM_VECTOR && i < lanes; i++)
        to[i] = some[i];
#endif
}

/* `lanes` numbers from number `at` on. */
static inline void nm_stored_load(nm_vector *v, const nm_stored *s, size_t at, int lanes)
{
    if (s->halves)
        nm_vector_widen(v, s->halves + at, lanes);
    else
        nm_vector_load(v, s->reals + at, lanes);
}
static inline void nm_stored_store(const nm_stored *s, size_t at, nm_vector *v, int lanes)
{
    if (s->halves) {
        nm_vector_round_to_bf16(v);
        nm_vector_store_bf16(s->halves + at, v, lanes);
    } else {
        nm_vector_store(s->reals + at, v, lanes);
    }
}

/* ---- rows ------------------------------------------------------------------------------- */

/* `count` numbers from number `at` on: where they lie, or widened to `row`. */
static inline const real *nm_stored_read(const nm_stored *s, size_t at, size_t count, real *restrict row)
{
    if (!s->halves)
        return s->reals + at;
    const nm_bf16 *restrict from = s->halves + at;
    nm_vector v;
    size_t i = 0;
    for (; i + NM_VECTOR <= count; i += NM_VECTOR) {
        nm_vector_widen(&v, from + i, NM_VECTOR);
        nm_vector_store(row + i, &v, NM_VECTOR);
    }
    for (; i < count; i++)
        row[i] = nm_bf16_widen(from[i]);
    return row;
}

#endif
