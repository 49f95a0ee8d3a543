/* Philox streams. */
#include "rng.h"

#include <Random123/philox.h>

#include <math.h>
#include <string.h>

/* FNV-1a over the bytes of the seed, the purpose and the name, the strings with their ends. */
static uint64_t hash(uint64_t h, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

nm_rng nm_rng_stream(uint64_t seed, const char *purpose, const char *name)
{
    unsigned char little[8];
    for (int i = 0; i < 8; i++)
        little[i] = (unsigned char)(seed >> 8 * i);
    uint64_t h = hash(0xcbf29ce484222325u, little, sizeof little);
    h = hash(h, purpose, strlen(purpose) + 1);
    h = hash(h, name, strlen(name) + 1);
    /* the finisher of MurmurHash3, since FNV's high bits are weak for short strings */
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    h ^= h >> 33;
    return (nm_rng){.key = {(uint32_t)h, (uint32_t)(h >> 32)}};
}

void nm_rng_seek(nm_rng *r, uint32_t a, uint32_t b)
{
    r->counter[0] = 0;
    r->counter[1] = 0;
    r->counter[2] = a;
    r->counter[3] = b;
    r->left = 0;
}

void nm_rng_block_at(const nm_rng *r, uint32_t index, uint32_t out[4])
{
    philox4x32_key_t key = {{r->key[0], r->key[1]}};
    philox4x32_ctr_t counter = {{index, r->counter[1], r->counter[2], r->counter[3]}};
    philox4x32_ctr_t block = philox4x32(counter, key);
    for (int i = 0; i < 4; i++)
        out[i] = block.v[i];
}

uint32_t nm_rng_bits(nm_rng *r)
{
    if (r->left == 0) {
        nm_rng_block_at(r, r->counter[0]++, r->block);
        r->left = 4;
    }
    return r->block[4 - r->left--];
}

uint32_t nm_rng_below(nm_rng *r, uint32_t n)
{
    /* Lemire 2019: multiply and reject the few low products that would bias. */
    uint64_t product = (uint64_t)nm_rng_bits(r) * n;
    if ((uint32_t)product < n) {
        uint32_t threshold = -n % n;
        while ((uint32_t)product < threshold)
            product = (uint64_t)nm_rng_bits(r) * n;
    }
    return (uint32_t)(product >> 32);
}

double nm_rng_uniform(nm_rng *r)
{
    return nm_rng_bits(r) * 0x1p-32;
}

double nm_rng_normal(nm_rng *r)
{
    double u = (nm_rng_bits(r) + 0.5) * 0x1p-32, v = nm_rng_uniform(r);
    return sqrt(-2 * log(u)) * cos(6.283185307179586477 * v);
}
