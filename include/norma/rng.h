/* norma: random numbers: Philox 4x32-10 (Salmon et al., SC 2011), counter-based. A stream is
 * named by (seed, purpose, name) and placed by up to two numbers (epoch and sample, or
 * step and sample); nothing is carried from draw to draw but the stream's own position,
 * so no draw depends on threads, on timing, or on which other streams exist.
 *
 *     nm_rng r = nm_rng_stream(seed, "shuffle", "train");
 *     nm_rng_seek(&r, epoch, 0);
 *     uint32_t k = nm_rng_below(&r, n); */
#ifndef NORMA_RNG_H
#define NORMA_RNG_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_rng {
    uint32_t key[2];
    uint32_t counter[4]; /* [0] draw block, [1] reserved, [2] [3] place */
    uint32_t block[4];   /* the block being handed out */
    int left;            /* words of it not yet handed out */
} nm_rng;

NM_API nm_rng nm_rng_stream(uint64_t seed, const char *purpose, const char *name);
NM_API void nm_rng_seek(nm_rng *r, uint32_t a, uint32_t b);

NM_API uint32_t nm_rng_bits(nm_rng *r);              /* 32 random bits */
NM_API uint32_t nm_rng_below(nm_rng *r, uint32_t n); /* uniform on 0..n-1, n >= 1, without bias */
NM_API double nm_rng_uniform(nm_rng *r);             /* uniform on [0, 1), 32 bits */
NM_API double nm_rng_normal(nm_rng *r);              /* mean 0, deviation 1 (Box-Muller) */

/* Four words of the stream at draw block `index`, without touching the position. For filling arrays
 * in parallel. */
NM_API void nm_rng_block_at(const nm_rng *r, uint32_t index, uint32_t out[4]);

#ifdef __cplusplus
}
#endif

#endif
