/* How the samples of a dense layer's products are cut into blocks, which tasks compute. */
#ifndef NM_DENSE_BLOCKS_H
#define NM_DENSE_BLOCKS_H

#include "layer.h"

#include "gemm.h"

enum {
    DENSE_ROWS = 16,    /* at least, in a block */
    DENSE_COLUMNS = 32, /* outputs (or inputs) in a task */
    DENSE_FEW = 256,    /* outputs, up to which inputs are cut */
    DENSE_DEEP = 768,   /* inputs of a partial sum, at least */
    DENSE_MOST_SUMS = 8,
    DENSE_PACKED_SAMPLES = 128, /* in a block, for kernels that copy both operands of a product first */
    DENSE_FEW_SAMPLES = 4,      /* of a turned block, up to which they are multiplied alone */
    DENSE_TURNED_COLUMNS = 64,  /* in a task of products that are turned (gemm.h), which lays the block out by itself */
};

/* y[samples][columns] = x[samples][inputs] * w[inputs][columns], each with a stride, with the bits
 * that nm_gemm_turned gives; only where nm_dense_few_alike says that it does. */
void NM_ISA(nm_dense_few)(int samples, int columns, int inputs, const real *x, size_t x_stride, const real *w,
                          size_t w_stride, real *y, size_t y_stride);
/* Measured at the first call, which is planning's. */
bool NM_ISA(nm_dense_few_alike)(void);

/* Of a product over `in` numbers of each sample. */
typedef struct dense_blocks {
    nm_gemm_rows rows; /* where samples lie in a block, for the same bits at any batch */
    int block;         /* rows */
    int samples;       /* in a block */
    int blocks;
    int sums;    /* into how many the inputs are cut */
    int columns; /* outputs of a task */
    bool few;    /* DENSE_FEW_SAMPLES of a turned block may be multiplied by nm_dense_few */
} dense_blocks;

/* n may be 0: of several processes, one has no samples of a small batch. */
static inline dense_blocks dense_blocks_of(int n, bool evaluation, int in, int out)
{
    dense_blocks b = {.rows = nm_gemm_rows_of(1, out, in, evaluation),
                      .block = nm_gemm_whole_rows(DENSE_ROWS),
                      .columns = DENSE_COLUMNS};
    int sums = in / DENSE_DEEP < DENSE_MOST_SUMS ? in / DENSE_DEEP : DENSE_MOST_SUMS;
    b.samples = b.block / b.rows.padded_rows;
    bool turned = evaluation && nm_gemm_turns();
    if (turned || !(evaluation || nm_gemm_rows_alike())) {
        int whole = nm_ceil_div(n > 0 ? n : 1, NM_GEMM_WHOLE_COLUMNS) * NM_GEMM_WHOLE_COLUMNS;
        b.rows = turned ? nm_gemm_turned_rows() : b.rows;
        b.samples = whole < DENSE_PACKED_SAMPLES ? whole : DENSE_PACKED_SAMPLES;
        b.block = b.samples + 2 * b.rows.edge;
        b.columns = turned ? DENSE_TURNED_COLUMNS : DENSE_COLUMNS;
        b.few = turned && NM_ISA(nm_dense_few_alike)();
    }
    b.blocks = nm_ceil_div(n, b.samples);
    b.sums = out <= DENSE_FEW && sums > 1 ? sums : 1;
    return b;
}

/* The sample at a row of the block that begins with `first`, of n; -1: the row is nobody's, or the
 * place of a sample that another block has. */
static inline int dense_sample_at(const dense_blocks *b, int first, int row, int n)
{
    nm_gemm_place p = nm_gemm_place_of(&b->rows, row);
    return p.number == 0 && p.sample < b->samples && first + p.sample < n ? first + p.sample : -1;
}

/* Scratch: partial sums. [sums][rows of all blocks][out] */
static inline size_t dense_sums_size(const dense_blocks *b, int out)
{
    return b->sums > 1 ? (size_t)(b->sums * b->blocks * b->block) * (size_t)out : 0;
}

/* Thread scratch: a padded block of inputs, the block of outputs it gives, and the same turned. */
static inline size_t dense_block_size(const dense_blocks *b, size_t widest)
{
    return (size_t)b->block * (widest + (b->rows.edge ? 2 : 1) * (size_t)b->columns);
}

#endif
