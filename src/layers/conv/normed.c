/* Convolution and batch norm in training: see normed.h. */
#include "normed.h"

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Saved: the outputs z of the planned batch, then batch norm's own. */
static size_t outputs_size(const nm_conv_geometry *g, int n)
{
    return rounded((size_t)n * nm_shape_size(g->out) * sizeof(real));
}

static int pieces_of(const nm_conv_algorithm *by, const nm_conv_geometry *g, int n, int most)
{
    return by->pieces ? by->pieces(g, n, most) : 0;
}

void NM_ISA(nm_conv_normed_book)(const nm_conv_geometry *g, const nm_conv_algorithm *by, const nm_batchnorm_after *after, int n,
                                 size_t *saved, size_t *scratch, size_t *thread, size_t *moments_offset)
{
    size_t own_saved = 0, own_scratch = 0, own_thread = 0;
    NM_ISA(nm_batchnorm_book_all)(after, n, g->out, &own_saved, &own_scratch, &own_thread);
    *saved = outputs_size(g, n) + own_saved;
    *moments_offset = rounded(own_scratch > *scratch ? own_scratch : *scratch);
    *scratch = *moments_offset + (size_t)pieces_of(by, g, n, n) * (1 + 2 * (size_t)g->out.c) * sizeof(double);
    *thread = own_thread > *thread ? own_thread : *thread;
}

/* Batch norm's pass over z; *z holds the pointer that its x points to. */
static nm_pass norm_pass(const nm_conv_normed *s, real **z)
{
    nm_pass p = s->pass;
    *z = p.saved;
    p.x = (const real *const *)z;
    p.saved = (char *)p.saved + outputs_size(s->call.g, s->call.most);
    return p;
}

void NM_ISA(nm_conv_normed_forward)(const nm_conv_normed *s, const nm_conv_algorithm *by)
{
    real *z;
    nm_pass p = norm_pass(s, &z);
    int pieces = pieces_of(by, s->call.g, s->call.n, s->call.most);
    double *pixels = (double *)(void *)((char *)p.scratch + s->moments_offset);
    nm_conv_moments moments = {pixels, pixels + pieces};
    nm_conv_call call = s->call;
    call.y = z;
    call.moments = pieces ? &moments : NULL;
    by->forward(&call);
    double rate = p.statistics_rate > 0 ? p.statistics_rate : s->norm->rate;
    if (pieces)
        NM_ISA(nm_batchnorm_merge_pieces)(&p, s->norm, pieces, moments.of, moments.pixels, rate);
    else
        NM_ISA(nm_batchnorm_statistics)(&p, s->norm, rate);
    NM_ISA(nm_batchnorm_forward_pass)(&s->after)(&p, s->norm, &s->after);
}

const real *NM_ISA(nm_conv_normed_backward)(const nm_conv_normed *s)
{
    real *z;
    nm_pass p = norm_pass(s, &z);
    real *dz = s->after.pool ? z : p.spare_dy;
    p.dx = &dz;
    NM_ISA(nm_batchnorm_backward_pass)(&s->after)(&p, s->norm, &s->after);
    return dz;
}
