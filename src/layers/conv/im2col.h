/* Inside im2col: what a block is (im2col_blocks.c), and its patches (im2col_patches.c). */
#ifndef NM_IM2COL_H
#define NM_IM2COL_H

#include "conv_partials.h"
#include "gemm.h"

typedef struct im2col_blocking {
    int samples; /* in a block */
    int rows;    /* output rows of a sample in a block */
    int blocks_per_sample, groups_of_samples;
    int pixels;                   /* rows of a full block's product */
    nm_gemm_rows rows_of_samples; /* where blocks hold several: the place of their pixels */
    bool scattered;               /* those places are not the pixels' own in y */
    int patch;                    /* numbers in a patch of one group */
    int pieces;                   /* forward: into how many the filters of a block are cut */
} im2col_blocking;

/* Thread scratch. */
typedef struct im2col_scratch {
    real *patches; /* [pixels][patch] */
    real *input;   /* forward, weights: rows of a sample that are normalised here */
    void *moments; /* forward: where those lay before */
    real *outputs; /* forward: [pixels][filters] of a block that is not computed where it goes */
} im2col_scratch;

/* What block number `unit` covers. */
typedef struct im2col_block {
    int sample, samples, first, last, pixels;
    size_t out;          /* its first output's index */
    int filter, filters; /* forward: those that are computed, from `filter` on */
} im2col_block;

/* Whether the pixels are their own patches: a kernel of 1x1 that moves by one, without padding. */
static inline bool im2col_is_pointwise(const nm_conv_geometry *g)
{
    return g->kernel[0] == 1 && g->kernel[1] == 1 && g->stride[0] == 1 && g->stride[1] == 1 && g->groups == 1 &&
           g->out.h == g->in.h && g->out.w == g->in.w && !g->top && !g->left;
}

/* Of n samples. */
im2col_blocking NM_ISA(im2col_blocking_of)(const nm_conv_geometry *g, int n, nm_conv_kind kind, bool by_sample);
/* Blocks in all. */
static inline int im2col_units(const im2col_blocking *b)
{
    return b->groups_of_samples * b->blocks_per_sample;
}
im2col_block NM_ISA(im2col_block_at)(const nm_conv_geometry *g, const im2col_blocking *b, int n, int unit);
/* Of forward's task number `task`: a block, or where that is cut a part of its filters. */
im2col_block NM_ISA(im2col_forward_block_at)(const nm_conv_geometry *g, const im2col_blocking *b, int n, int task);

/* Enough for blocks of several samples, whatever `by_sample` says. */
im2col_scratch NM_ISA(im2col_layout)(nm_scratch *s, const nm_conv_geometry *g, nm_conv_kind kind,
                                     const im2col_blocking *b);
/* Thread number `thread`'s. */
im2col_scratch NM_ISA(im2col_scratch_of)(const nm_conv_call *call, nm_conv_kind kind, const im2col_blocking *b,
                                         int thread);

/* The block's matrix of patches [pixels][patch] of a group: x itself where that is one, otherwise
 * laid out in the scratch. */
const real *NM_ISA(im2col_rows)(const nm_conv_call *call, const im2col_blocking *b, const im2col_block *k, int group,
                                const im2col_scratch *scratch);

/* The same of the first `rows` of a block of several samples, laid out in scratch->patches: each
 * pixel in the row that is its, zeros in rows of nobody. */
void NM_ISA(im2col_lay_out)(const nm_conv_call *call, const im2col_blocking *b, const im2col_block *k, int group,
                            int rows, const im2col_scratch *scratch);

#endif
