/* Convolution and batch norm in training: see normed.h. */
#include "normed.h"

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Saved: the outputs z of the planned batch, then batch norm's own. */
static size_t outputs_size(const nm_conv_geometry *g, int n, bool bf16)
{
    return rounded((size_t)n * nm_shape_size(g->out) * (bf16 ? sizeof(nm_bf16) : sizeof(real)));
}

static int chunks_of(const nm_conv_algorithm *by, const nm_conv_geometry *g, int n, int most)
{
    return by->chunks ? by->chunks(g, n, most) : 0;
}

/* Scratch: the convolution's, batch norm's, the moments. */
static size_t norm_scratch(const nm_conv_geometry *g, const nm_tail *tail, int n)
{
    size_t saved, scratch, thread;
    NM_ISA(nm_batchnorm_reserve_all)(tail, n, g->out, &saved, &scratch, &thread);
    return rounded(scratch);
}

/* The gradient by a slice's outputs, where a pool makes dy smaller and the outputs, which it would
 * lie over, are in bfloat16: at the end of scratch. */
static size_t gradient_size(const nm_conv_geometry *g, const nm_tail *tail, bool bf16, int slice)
{
    return tail->pools && bf16 ? (size_t)slice * nm_shape_size(g->out) * sizeof(real) : 0;
}

void NM_ISA(nm_conv_normed_reserve)(const nm_conv_geometry *g, const nm_conv_algorithm *by, bool bf16, int slice,
                                    nm_reservation *b, nm_conv_normed_offsets *at)
{
    size_t own_saved, own_scratch, own_thread;
    NM_ISA(nm_batchnorm_reserve_all)(b->tail, b->n, g->out, &own_saved, &own_scratch, &own_thread);
    b->saved = outputs_size(g, b->n, bf16) + own_saved;
    at->norm = rounded(b->scratch);
    at->gradient = at->norm + rounded(norm_scratch(g, b->tail, b->n) + (size_t)chunks_of(by, g, b->n, b->n) *
                                                                           (1 + 2 * (size_t)g->out.c) * sizeof(double));
    b->scratch = at->gradient + gradient_size(g, b->tail, bf16, slice);
    b->thread_scratch = own_thread > b->thread_scratch ? own_thread : b->thread_scratch;
}

/* Batch norm's pass over z; *z holds the pointer that its x points to. */
static nm_pass norm_pass(const nm_conv_normed *s, real **z)
{
    nm_pass p = s->pass;
    *z = p.saved;
    p.x = (const real *const *)z;
    p.bf16 = (p.bf16 & ~(unsigned)NM_BF16_X) | (s->bf16 ? NM_BF16_X : 0);
    p.saved = (char *)p.saved + outputs_size(s->call.g, s->call.most, s->bf16);
    p.scratch = (char *)p.scratch + s->at.norm;
    return p;
}

/* ---- forward -------------------------------------------------------------------------------- */

void NM_ISA(nm_conv_normed_forward)(const nm_conv_normed *s, const nm_conv_algorithm *by)
{
    real *z;
    nm_pass p = norm_pass(s, &z);
    int chunks = chunks_of(by, s->call.g, s->call.n, s->call.most);
    double *pixels = (double *)(void *)((char *)p.scratch + norm_scratch(s->call.g, p.tail, s->call.most));
    nm_conv_moments moments = {pixels, pixels + chunks};
    nm_conv_call call = s->call;
    if (s->bf16)
        call.y_bf16 = (nm_bf16 *)(void *)z;
    else
        call.y = z;
    call.stream =
        !s->bf16 && nm_vector_streams((size_t)(call.n * call.g->out.h) * (size_t)call.g->out.w, call.g->out.c);
    call.moments = chunks ? &moments : NULL;
    by->forward(&call);
    double rate = nm_batchnorm_rate(&p, s->norm);
    if (chunks)
        NM_ISA(nm_batchnorm_merge_chunks)(&p, s->norm, chunks, moments.of, moments.pixels, rate);
    else
        NM_ISA(nm_batchnorm_statistics)(&p, s->norm, rate);
    if (p.y)
        NM_ISA(nm_batchnorm_forward_pass)(p.tail)(&p, s->norm);
}

void NM_ISA(nm_conv_normed_lazy_normalisation)(const nm_conv_normed *s, nm_lazy_normalisation *out)
{
    real *z;
    nm_pass p = norm_pass(s, &z);
    NM_ISA(nm_batchnorm_lazy_normalisation)(&p, out);
}

/* ---- backward ------------------------------------------------------------------------------- */

void NM_ISA(nm_conv_normed_sums)(const nm_conv_normed *s)
{
    real *z;
    nm_pass p = norm_pass(s, &z);
    NM_ISA(nm_batchnorm_find_gradients)(&p, s->norm);
}

/* An array from number `first` on. */
static real *skip(const real *array, size_t first, bool bf16)
{
    nm_stored from = nm_stored_from(nm_stored_of(array, bf16), first);
    return from.halves ? (real *)(void *)from.halves : from.reals;
}

const real *NM_ISA(nm_conv_normed_gradient)(const nm_conv_normed *s, int first, int n)
{
    real *z, *dz;
    nm_pass p = norm_pass(s, &z);
    size_t outputs = (size_t)first * nm_shape_size(s->call.g->out), last = p.tail->pools ? outputs / 4 : outputs;
    if (!p.tail->pools)
        dz = p.dy_scratch + outputs;
    else
        dz = s->bf16 ? (real *)(void *)((char *)s->pass.scratch + s->at.gradient) : z + outputs;
    nm_tail tail = *p.tail;
    tail.other = skip(tail.other, outputs, p.bf16 & NM_BF16_OTHER);
    tail.other_dx = tail.other_dx ? tail.other_dx + outputs : NULL;
    z = skip(z, outputs, p.bf16 & NM_BF16_X);
    p.n = n;
    p.dx = &dz;
    p.dy += last;
    p.y = skip(p.y, last, p.bf16 & NM_BF16_Y);
    p.tail = &tail;
    NM_ISA(nm_batchnorm_gradient_pass)(p.tail)(&p, s->norm);
    return dz;
}
