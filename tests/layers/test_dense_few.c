/* Products of a few samples (dense_few.c): the bits of turned products of a whole block, and what a
 * plain sum gives. Nothing to see where OpenBLAS's kernels or the instruction set are others. */
#include "dense_blocks.h"
#include "layer_check.h"
#include "run_suite.h"
#include "threads.h"

#include <math.h>
#include <string.h>

enum { ROWS = 2 * NM_GEMM_WHOLE_COLUMNS, DEEPEST = 2500 };

typedef struct products {
    int samples, columns, inputs;
    real *x, *w, *turned, *block, *few;
} products;

/* Products are serial: inside a task. */
static void multiply_both(void *arg, int task, int thread)
{
    (void)task;
    (void)thread;
    products *p = arg;
    nm_gemm_turned(false, ROWS, p->columns, p->inputs, p->x, p->inputs, p->w, p->columns, p->block, p->columns,
                   p->turned);
    NM_ISA(nm_dense_few)
    (p->samples, p->columns, p->inputs, p->x + NM_GEMM_EDGE * p->inputs, (size_t)p->inputs, p->w, (size_t)p->columns,
     p->few, (size_t)p->columns);
}

static void check_sums(const products *p)
{
    for (int s = 0; s < p->samples; s++)
        for (int c = 0; c < p->columns; c++) {
            double sum = 0, size = 0;
            for (int i = 0; i < p->inputs; i++) {
                double one = (double)p->x[(NM_GEMM_EDGE + s) * p->inputs + i] * (double)p->w[i * p->columns + c];
                sum += one;
                size += fabs(one);
            }
            ck_assert_double_le(fabs((double)p->few[s * p->columns + c] - sum), 1e-5 * size);
        }
}

static real *numbers(int count)
{
    real *some = malloc((size_t)count * sizeof *some);
    for (int i = 0; i < count; i++)
        some[i] = (real)((double)pick(-1000, 1000) / 1000);
    return some;
}

START_TEST(the_bits_of_turned_products)
{
    for (int i = 0; i < 100 && NM_ISA(nm_dense_few_alike)(); i++) {
        products p = {.samples = pick(1, DENSE_FEW_SAMPLES),
                      .columns = pick(1, DENSE_TURNED_COLUMNS),
                      .inputs = pick(1, i % 3 ? 300 : DEEPEST)};
        p.x = numbers(ROWS * p.inputs);
        p.w = numbers(p.inputs * p.columns);
        p.turned = numbers(ROWS * p.columns);
        p.block = numbers(ROWS * p.columns);
        p.few = numbers(ROWS * p.columns);
        nm_parallel(1, 1, multiply_both, &p);
        ck_assert_msg(
            memcmp(p.few, p.block + NM_GEMM_EDGE * p.columns, (size_t)(p.samples * p.columns) * sizeof *p.few) == 0,
            "%d samples, %d columns, %d inputs: other bits", p.samples, p.columns, p.inputs);
        check_sums(&p);
        real *const all[] = {p.x, p.w, p.turned, p.block, p.few};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            free(all[k]);
    }
}
END_TEST

/* With AVX2 and the kernels for it, this is where evaluation's speed at batch 1 comes from. */
START_TEST(used_with_kernels_for_avx2)
{
#if defined __FMA__ && !defined NM_DOUBLE
    ck_assert(strcmp(nm_gemm_core(), "Haswell") != 0 || NM_ISA(nm_dense_few_alike)());
#endif
}
END_TEST

SUITE("dense few", the_bits_of_turned_products, used_with_kernels_for_avx2)
