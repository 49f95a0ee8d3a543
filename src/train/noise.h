/* A batch of noise with targets of every kind, for measuring: uniform on -1..1, random labels,
 * zeros as values. */
#ifndef NM_NOISE_H
#define NM_NOISE_H

#include "network.h"

typedef struct nm_noise {
    int n;
    real *x, *values;
    int32_t *labels;
} nm_noise;

/* For networks of one input; free with nm_noise_free. */
nm_status nm_noise_new(nm_context *ctx, const nm_network *net, int n, nm_noise *out) NM_MUST_USE;
/* Refers to *noise, which must stay where it is. */
nm_batch nm_noise_batch(const nm_noise *noise);
void nm_noise_free(nm_noise *noise);

#endif
