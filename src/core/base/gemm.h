/* Matrix products: the only door to OpenBLAS, and to what is faster on small ones. Row-major,
 * c[m][n] = alpha * op(a)[m][k] * op(b)[k][n] + beta * c, with op the transpose where asked.
 * Serial: call it from inside a task of nm_parallel, on blocks that fit a core's L2. */
#ifndef NM_GEMM_H
#define NM_GEMM_H

#include "error.h"
#include "real.h"

#include <stdbool.h>

void nm_gemm(bool ta, bool tb, int m, int n, int k, real alpha, const real *a, int lda, const real *b, int ldb,
             real beta, real *c, int ldc);

/* Whether a product of any number of rows of a by b[k][n], not transposed, is computed where it
 * lies (gemm_small.h) and not by OpenBLAS. All its rows are treated alike. */
bool nm_gemm_is_small(int n, int k);

/* ---- rows that have the same bits wherever they lie -----------------------------------------
 *
 * Some of OpenBLAS's kernels (Haswell's, which all CPUs with AVX2 alone get) take twelve rows at
 * once and sum the second six in another order than the first, and what is left over of twelve in
 * yet another. So that a sample's result does not depend on its neighbours, products have a
 * multiple of NM_GEMM_BLOCK rows, and a sample's parts (pixels, tiles) of even number go into the
 * first halves, those of odd number into the second ones. Where all rows are alike, they lie in
 * order. */
enum { NM_GEMM_BLOCK = 48, NM_GEMM_HALF = 6 };

/* Whether this OpenBLAS treats all rows of a product alike; measured at the first call, by a
 * product that is not small. */
bool nm_gemm_rows_alike(void);

typedef struct nm_gemm_rows {
    int parts;       /* of a sample */
    bool split;      /* into even and odd ones */
    int padded_rows; /* that a sample takes, with those that nobody has */
    int edge;        /* rows of nobody before the first sample and after the last: nm_gemm_turned */
} nm_gemm_rows;

/* Of products by b[k][n]. by_sample: whether a sample's result must not depend on where it lies. */
nm_gemm_rows nm_gemm_rows_of(int parts, int n, int k, bool by_sample);

/* A sample of one part would leave every second half empty. Its product is computed transposed
 * there, with samples as columns: of those Haswell's kernel treats all alike but NM_GEMM_EDGE at
 * either end, up to NM_GEMM_COLUMNS. Whether this OpenBLAS is one for that: its rows are not alike,
 * such columns are; measured at the first call. */
enum { NM_GEMM_EDGE = 8, NM_GEMM_COLUMNS = 320, NM_GEMM_WHOLE_COLUMNS = 16 };
bool nm_gemm_turns(void);
/* The places of such samples: in order, behind an edge. */
nm_gemm_rows nm_gemm_turned_rows(void);
/* c = a * op(b) without the edges: of `rows` rows of a, a multiple of NM_GEMM_WHOLE_COLUMNS, the
 * first and the last NM_GEMM_EDGE are read and may hold any numbers, but those of c are left as
 * they are. turned: scratch for n * rows numbers. */
void nm_gemm_turned(bool tb, int rows, int n, int k, const real *a, int lda, const real *b, int ldb, real *c, int ldc,
                    real *turned);

typedef struct nm_gemm_place {
    int sample, number; /* number >= parts: the row has nobody */
} nm_gemm_place;

static inline nm_gemm_place nm_gemm_place_of(const nm_gemm_rows *r, int row)
{
    if (row < r->edge)
        return (nm_gemm_place){0, r->parts};
    row -= r->edge;
    if (!r->split)
        return (nm_gemm_place){row / r->parts, row % r->parts};
    int half = row / NM_GEMM_HALF, per_half = r->padded_rows / 2, slot = half / 2 * NM_GEMM_HALF + row % NM_GEMM_HALF;
    return (nm_gemm_place){slot / per_half, 2 * (slot % per_half) + half % 2};
}

/* At least so many rows, in whole groups that every kernel treats alike from product to product. */
int nm_gemm_whole_rows(int rows);

/* Where a block's later rows hold nothing they can be left out: a product of the first `rows` of a
 * block of `block`, rounded up to what has the same bits as in the whole block; at most `block`.
 * Measured at the first call. */
int nm_gemm_fewest_rows(int rows, int block);
/* At least so many rows, after which products of blocks can be cut with the same bits. */
int nm_gemm_cut_rows(int rows, int block);
/* c[m][n] = a[m][k] b[k][n] + beta c, in blocks of `block` rows, the last of which may have as few
 * as nm_gemm_fewest_rows says: with the bits that nm_gemm gives them in a product of a block. */
void nm_gemm_of_block(int block, int m, int n, int k, const real *a, int lda, const real *b, int ldb, real beta,
                      real *c, int ldc);

/* The row behind the last of n samples that lie in a block from its first row on. */
static inline int nm_gemm_rows_end(const nm_gemm_rows *r, int n)
{
    int slots = n * (r->padded_rows / 2);
    return r->split && n > 0
               ? (slots - 1) / NM_GEMM_HALF * 2 * NM_GEMM_HALF + NM_GEMM_HALF + 1 + (slots - 1) % NM_GEMM_HALF
               : n * r->parts;
}

/* How many products of `block` rows (a multiple of NM_GEMM_BLOCK) hold n samples. */
static inline int nm_gemm_blocks(const nm_gemm_rows *r, int n, int block)
{
    return (int)(((long)n * r->padded_rows + 2 * r->edge + block - 1) / block);
}

/* Where piece number `index` of a product's columns (or rows) begins; of the number behind the
 * last, where that ends. No piece has what is left over of vectors, but the last. */
static inline int nm_gemm_piece_at(int index, int pieces, int columns)
{
    enum { WHOLE = 16 };
    return index == pieces ? columns : columns * index / pieces / WHOLE * WHOLE;
}

/* Fails unless the OpenBLAS that was loaded is the OpenMP build (the pthread build would
 * oversubscribe the cores) and has memory for a call. */
nm_status nm_gemm_check(nm_context *ctx) NM_MUST_USE;

/* The kernel that OpenBLAS chose ("Haswell", "SkylakeX", …) and its version line. */
const char *nm_gemm_core(void);
const char *nm_gemm_config(void);

/* OpenBLAS takes a CPU that is newer than itself for an old one: products are then two to six times
 * slower than they could be. The kernels that suit instruction set `level` (isa.h) where `core`
 * does not; NULL: it does. */
const char *nm_gemm_core_for(int level, const char *core);
/* Where that is so and OPENBLAS_CORETYPE is not set, tells the context's log, once in a process. */
void nm_gemm_warn_of_core(nm_context *ctx);
/* Where that is so, starts the program again with OPENBLAS_CORETYPE set, unless it is set already.
 * To be called first in main; returns where there is nothing to do, or it cannot be done. */
void nm_gemm_restart_with_core(char **argv);

/* GFLOP/s of a 1024^3 product on `threads` threads at once (one serial product each), best of a
 * few. */
nm_status nm_gemm_peak(nm_context *ctx, int threads, double *gflops) NM_MUST_USE;

#endif
