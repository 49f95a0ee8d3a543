/* Stochastic gradient descent with momentum, as PyTorch's SGD:
 *
 *     g = dw + l2 * w;  v = momentum * v + g;  w -= lr * (nesterov ? g + momentum * v : v)
 */
#include "optimizer.h"

typedef struct sgd {
    double lr, momentum;
    bool nesterov;
} sgd;

static const nm_option options[] = {
    {"lr", NM_OPT_REAL, offsetof(sgd, lr), "0.01", 0, 1e9, .help = "learning rate"},
    {"momentum", NM_OPT_REAL, offsetof(sgd, momentum), "0", 0, 1, .help = "share of the last update that is kept"},
    {"nesterov", NM_OPT_BOOL, offsetof(sgd, nesterov), "false", .help = "look ahead along the momentum"},
    {0},
};

static void sgd_update(const nm_span *span, double lr, uint64_t step, const void *private)
{
    (void)step;
    const sgd *self = private;
    const real rate = (real)lr, momentum = (real)self->momentum, l2 = (real)span->l2, scale = (real)span->scale;
    real *w = span->w, *v = span->slot[0];
    const real *dw = span->dw;
    const size_t count = nm_span_count(span);
    if (self->nesterov) {
        NM_INDEPENDENT
        for (size_t i = 0; i < count; i++) {
            real g = scale * dw[i] + l2 * w[i];
            v[i] = momentum * v[i] + g;
            w[i] -= rate * (g + momentum * v[i]);
        }
    } else {
        NM_INDEPENDENT
        for (size_t i = 0; i < count; i++) {
            v[i] = momentum * v[i] + (scale * dw[i] + l2 * w[i]);
            w[i] -= rate * v[i];
        }
    }
}

static const char *const slots[] = {"momentum"};

extern const nm_optimizer_type NM_ISA(nm_optimizer_sgd);
const nm_optimizer_type NM_ISA(nm_optimizer_sgd) = {
    .name = "sgd",
    .help = "Stochastic gradient descent with momentum",
    .size = sizeof(sgd),
    .options = options,
    .slots = 1,
    .slot_names = slots,
    .update = sgd_update,
};
