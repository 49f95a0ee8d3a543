/* Weight standardisation (Qiao et al. 2019): filters of mean 0 and variance 1, over kernel and
 * input channels. Weights are few beside activations: it is done on one thread. With s = 1 /
 * sqrt(var + epsilon), v the standardised weights, g the gradient by them and m the weights of a
 * filter:   dw = s * (g - sum g / m - v * sum g v / m). */
#include "conv.h"

#include <math.h>

static const double epsilon = 1e-5;

/* Mean and 1 / deviation of filter o. */
static void moments(const nm_conv_geometry *g, const real *w, int o, double *mean, double *inverse)
{
    size_t filters = (size_t)g->out.c, count = nm_conv_weight_count(g) / filters;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)w[i * filters + (size_t)o];
    *mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        double off = (double)w[i * filters + (size_t)o] - *mean;
        squares += off * off;
    }
    *inverse = 1 / sqrt(squares / (double)count + epsilon);
}

void NM_ISA(nm_conv_standardise)(const nm_conv_geometry *g, const real *w, real *standard)
{
    size_t filters = (size_t)g->out.c, count = nm_conv_weight_count(g) / filters;
    for (int o = 0; o < g->out.c; o++) {
        double mean, inverse;
        moments(g, w, o, &mean, &inverse);
        for (size_t i = (size_t)o; i < count * filters; i += filters)
            standard[i] = (real)(((double)w[i] - mean) * inverse);
    }
}

void NM_ISA(nm_conv_standardise_gradient)(const nm_conv_geometry *g, const real *w, const real *standard,
                                          const real *gradient, real *dw)
{
    size_t filters = (size_t)g->out.c, count = nm_conv_weight_count(g) / filters;
    for (int o = 0; o < g->out.c; o++) {
        double mean, inverse, sum = 0, product = 0;
        moments(g, w, o, &mean, &inverse);
        for (size_t i = (size_t)o; i < count * filters; i += filters) {
            sum += (double)gradient[i] / (double)count;
            product += (double)gradient[i] * (double)standard[i] / (double)count;
        }
        for (size_t i = (size_t)o; i < count * filters; i += filters)
            dw[i] += (real)(inverse * ((double)gradient[i] - sum - (double)standard[i] * product));
    }
}
