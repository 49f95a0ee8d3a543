/* A batch of noise with targets of every kind, for measuring. */
#include "noise.h"

#include "alloc.h"

nm_status nm_noise_new(nm_context *ctx, const nm_network *net, int n, nm_noise *out)
{
    *out = (nm_noise){0};
    if (net->inputs != 1)
        return nm_fail(ctx, NM_INVALID, "%s: has %d inputs; networks with one are measured", net->document->file,
                       net->inputs);
    nm_shape s = net->node[net->output].out;
    size_t count = (size_t)n * nm_shape_size(net->node[0].out), places = (size_t)n * (size_t)s.h * (size_t)s.w;
    out->x = nm_alloc(ctx, count, sizeof *out->x);
    out->labels = nm_alloc(ctx, places, sizeof *out->labels);
    out->values = nm_alloc(ctx, places * (size_t)s.c, sizeof *out->values);
    if (!out->x || !out->labels || !out->values) {
        nm_noise_free(out);
        return NM_FAILED;
    }
    nm_rng r = nm_rng_stream(1, "bench", "noise");
    for (size_t i = 0; i < count; i++)
        out->x[i] = (real)(2 * nm_rng_uniform(&r) - 1);
    for (size_t i = 0; i < places; i++)
        out->labels[i] = (int32_t)nm_rng_below(&r, (uint32_t)s.c);
    out->n = n;
    return NM_OK;
}

nm_batch nm_noise_batch(const nm_noise *noise)
{
    return (nm_batch){
        .n = noise->n, .x = (const real *const *)&noise->x, .targets = {noise->labels, noise->values}, .seed = 1};
}

void nm_noise_free(nm_noise *noise)
{
    nm_free(noise->x);
    nm_free(noise->labels);
    nm_free(noise->values);
    *noise = (nm_noise){0};
}
