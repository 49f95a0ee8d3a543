#include "outputs.h"

#include <math.h>

/* Over the channels of each place, in double; shifted by the largest, so that nothing overflows. */
static void softmax(const real *y, int channels, float *out)
{
    double largest = (double)y[0], sum = 0;
    for (int c = 1; c < channels; c++)
        largest = (double)y[c] > largest ? (double)y[c] : largest;
    for (int c = 0; c < channels; c++)
        sum += exp((double)y[c] - largest);
    for (int c = 0; c < channels; c++)
        out[c] = (float)(exp((double)y[c] - largest) / sum);
}

static double sigmoid(double x)
{
    return x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

bool nm_finish_outputs(const nm_network *net, const real *y, float *out)
{
    nm_shape shape = net->node[net->output].out;
    size_t count = nm_shape_size(shape), channels = (size_t)shape.c;
    bool finite = true;
    for (size_t i = 0; i < count; i++)
        finite = finite && isfinite((double)y[i]);
    for (size_t i = 0; i < count; i++)
        out[i] = !finite ? NAN : net->apply == NM_SIGMOID ? (float)sigmoid((double)y[i]) : (float)y[i];
    for (size_t i = 0; i < count && finite && net->apply == NM_SOFTMAX; i += channels)
        softmax(y + i, (int)channels, out + i);
    return finite;
}
