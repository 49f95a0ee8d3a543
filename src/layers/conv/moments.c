/* The moments (see conv.h) of outputs that an algorithm has just written. */
#include "conv.h"

#include "batchnorm_chunks.h"

void NM_ISA(nm_conv_take_moments)(const nm_conv_geometry *g, const nm_conv_moments *to, int chunk, const real *y,
                                  int pixels, void *scratch)
{
    layout l = layout_of(1, g->out);
    to->pixels[chunk] = pixels;
    NM_ISA(nm_batchnorm_chunk_statistics)
    (&l, (nm_stored){.reals = (real *)(uintptr_t)y}, pixels, scratch, to->of + (size_t)chunk * 2 * (size_t)g->out.c);
}

size_t NM_ISA(nm_conv_moments_scratch)(const nm_conv_geometry *g)
{
    layout l = layout_of(1, g->out);
    return buffers_size(&l);
}
