/* Adam (Kingma, Ba 2015) and AdamW (Loshchilov, Hutter 2019), which differ in where L2 goes:
 *
 *     g = dw (+ l2 * w for Adam);  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) *
 * g^2 w -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) (+ lr * l2 * w for AdamW)
 */
#ifndef NM_ADAM_H
#define NM_ADAM_H

#include "optimizer.h"

#include <math.h>

typedef struct nm_adam {
    double lr, beta1, beta2, epsilon;
} nm_adam;

#define NM_ADAM_OPTIONS                                                                                                \
    {"lr", NM_OPT_REAL, offsetof(nm_adam, lr), "0.001", 0, 1e9, .help = "learning rate"},                              \
        {"beta1", NM_OPT_REAL, offsetof(nm_adam, beta1), "0.9", 0, 0.999999, .help = "decay of the mean gradient"},    \
        {"beta2",                                                                                                      \
         NM_OPT_REAL,                                                                                                  \
         offsetof(nm_adam, beta2),                                                                                     \
         "0.999",                                                                                                      \
         0,                                                                                                            \
         0.999999999,                                                                                                  \
         .help = "decay of the mean squared gradient"},                                                                \
        {"epsilon", NM_OPT_REAL, offsetof(nm_adam, epsilon), "1e-8", 0, 1, .help = "added to the denominator"},        \
    {                                                                                                                  \
        0                                                                                                              \
    }

static inline void nm_adam_update(const nm_span *span, double lr, uint64_t step, const nm_adam *self, bool decoupled)
{
    const real beta1 = (real)self->beta1, beta2 = (real)self->beta2, epsilon = (real)self->epsilon;
    const real rest1 = (real)(1 - self->beta1), rest2 = (real)(1 - self->beta2); /* 1 - beta2 in float loses 4 digits */
    const real correction = (real)sqrt(1 - pow(self->beta2, (double)step));
    const real rate = (real)(lr / (1 - pow(self->beta1, (double)step)));
    const real l2 = decoupled ? 0 : (real)span->l2, keep = decoupled ? (real)(1 - lr * span->l2) : 1;
    const real scale = (real)span->scale;
    real *w = span->w, *m = span->slot[0], *v = span->slot[1];
    const real *dw = span->dw;
    const size_t count = nm_span_count(span);
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        real g = scale * dw[i] + l2 * w[i];
        m[i] = beta1 * m[i] + rest1 * g;
        v[i] = beta2 * v[i] + rest2 * g * g;
#ifdef NM_DOUBLE
        real root = sqrt(v[i]);
#else
        real root = sqrtf(v[i]);
#endif
        w[i] = keep * w[i] - rate * m[i] / (root / correction + epsilon);
    }
}

#endif
