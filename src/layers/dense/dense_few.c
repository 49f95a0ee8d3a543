/* Products of a few samples for evaluation, without the rows that a turned product (gemm.h) needs
 * beside them: their time is that of reading the weights. A sample must have the same bits in any
 * batch, so they are added in the order of OpenBLAS's Haswell kernel (sgemm_kernel_8x4_haswell and
 * driver/level3/level3.c of OpenBLAS): the inputs in spans; in a span one sum for each output, but
 * two, of inputs of even and of odd number, for what fours there are behind the last twelve
 * outputs. Whether this OpenBLAS is one for that is measured, and where it is not, nobody asks. */
#include "dense_blocks.h"

#include "find_once.h"
#include "threads.h"
#include "vector.h"

#if defined __FMA__ && !defined NM_DOUBLE
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN = 320, WHOLE_SPAN = 8, TWELVE = 12, FOUR = 4, EIGHT = 8 };

/* Inputs of the next span, of those that are left. */
static int span_of(int left)
{
    if (left >= 2 * SPAN)
        return SPAN;
    return left > SPAN ? nm_ceil_div(left / 2, WHOLE_SPAN) * WHOLE_SPAN : left;
}

/* One span of 8 * vectors outputs, `vectors` (at most 3) a constant. */
NM_INLINE void add_eights(int vectors, int inputs, const float *x, const float *w, size_t stride, float *y)
{
    __m256 sum[3];
    for (int v = 0; v < vectors; v++)
        sum[v] = _mm256_setzero_ps();
    for (int i = 0; i < inputs; i++, w += stride)
        for (int v = 0; v < vectors; v++)
            sum[v] = _mm256_fmadd_ps(_mm256_broadcast_ss(x + i), _mm256_loadu_ps(w + v * EIGHT), sum[v]);
    for (int v = 0; v < vectors; v++)
        _mm256_storeu_ps(y + v * EIGHT, _mm256_add_ps(_mm256_loadu_ps(y + v * EIGHT), sum[v]));
}

/* One span of four outputs, whose first `paired` inputs are added in two sums. */
static void add_four(int paired, int inputs, const float *x, const float *w, size_t stride, float *y)
{
    __m128 even = _mm_setzero_ps(), odd = even;
    int i = 0;
    for (; i < paired; i += 2, w += 2 * stride) {
        even = _mm_fmadd_ps(_mm_broadcast_ss(x + i), _mm_loadu_ps(w), even);
        odd = _mm_fmadd_ps(_mm_broadcast_ss(x + i + 1), _mm_loadu_ps(w + stride), odd);
    }
    for (; i < inputs; i++, w += stride)
        even = _mm_fmadd_ps(_mm_broadcast_ss(x + i), _mm_loadu_ps(w), even);
    _mm_storeu_ps(y, _mm_add_ps(_mm_loadu_ps(y), _mm_add_ps(even, odd)));
}

static void add_one(int inputs, const float *x, const float *w, size_t stride, float *y)
{
    float sum = 0;
    for (int i = 0; i < inputs; i++, w += stride)
        sum = fmaf(x[i], *w, sum);
    *y += sum;
}

static void add_span(int columns, int inputs, const float *x, const float *w, size_t stride, float *y)
{
    int c = 0, twelves = columns / TWELVE * TWELVE, paired = inputs / EIGHT * EIGHT;
    for (; c + 3 * EIGHT <= twelves; c += 3 * EIGHT)
        add_eights(3, inputs, x, w + c, stride, y + c);
    for (; c + EIGHT <= twelves; c += EIGHT)
        add_eights(1, inputs, x, w + c, stride, y + c);
    for (; c + FOUR <= twelves; c += FOUR)
        add_four(0, inputs, x, w + c, stride, y + c);
    for (; c + FOUR <= columns; c += FOUR)
        add_four(paired, inputs, x, w + c, stride, y + c);
    for (; c < columns; c++)
        add_one(inputs, x, w + c, stride, y + c);
}

void NM_ISA(nm_dense_few)(int samples, int columns, int inputs, const real *x, size_t x_stride, const real *w,
                          size_t w_stride, real *y, size_t y_stride)
{
    for (int s = 0; s < samples; s++, x += x_stride, y += y_stride) {
        memset(y, 0, (size_t)columns * sizeof *y);
        for (int first = 0, span; first < inputs; first += span) {
            span = span_of(inputs - first);
            add_span(columns, span, x + first, w + (size_t)first * w_stride, w_stride, y);
        }
    }
}

/* ---- whether that is OpenBLAS's order ---------------------------------------------------- */

enum { ROWS = 2 * NM_GEMM_WHOLE_COLUMNS, WIDEST = DENSE_TURNED_COLUMNS, DEEPEST = 965 };

typedef struct products {
    real a[ROWS * DEEPEST], b[DEEPEST * WIDEST], turned[ROWS * WIDEST], c[ROWS * WIDEST], few[ROWS * WIDEST];
} products;

static real anything(uint32_t i)
{
    return (real)(i * 2654435761u >> 8) / (1 << 24) - (real)0.5;
}

static bool is_alike(products *p, int columns, int inputs)
{
    enum { SAMPLES = ROWS - 2 * NM_GEMM_EDGE };
    size_t edge = (size_t)NM_GEMM_EDGE;
    nm_gemm_turned(false, ROWS, columns, inputs, p->a, inputs, p->b, columns, p->c, columns, p->turned);
    NM_ISA(nm_dense_few)
    (SAMPLES, columns, inputs, p->a + edge * (size_t)inputs, (size_t)inputs, p->b, (size_t)columns, p->few,
     (size_t)columns);
    return memcmp(p->few, p->c + edge * (size_t)columns, (size_t)(SAMPLES * columns) * sizeof *p->few) == 0;
}

/* Outputs with and without what is left over of twelve, of four; one span, two, several. */
static void measure_task(void *alike, int task, int thread)
{
    static const int columns[] = {4, 10, 15, WIDEST}, inputs[] = {7, 64, 337, DEEPEST};
    products *p = calloc(1, sizeof *p);
    (void)task;
    (void)thread;
    for (uint32_t i = 0; p && i < ROWS * DEEPEST; i++)
        p->a[i] = anything(i);
    for (uint32_t i = 0; p && i < DEEPEST * WIDEST; i++)
        p->b[i] = anything(~i);
    bool all = p != NULL;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        for (size_t k = 0; all && k < sizeof inputs / sizeof *inputs; k++)
            all = is_alike(p, columns[i], inputs[k]);
    free(p);
    *(bool *)alike = all;
}

static int measure(void)
{
    bool alike = false;
    nm_parallel(1, 1, measure_task, &alike); /* serial, as all products */
    return alike;
}

bool NM_ISA(nm_dense_few_alike)(void)
{
    static atomic_int known = -1;
    return nm_gemm_turns() && nm_find_once(&known, measure);
}
#else
void NM_ISA(nm_dense_few)(int samples, int columns, int inputs, const real *x, size_t x_stride, const real *w,
                          size_t w_stride, real *y, size_t y_stride)
{
    (void)samples, (void)columns, (void)inputs, (void)x, (void)x_stride, (void)w, (void)w_stride, (void)y,
        (void)y_stride;
}

bool NM_ISA(nm_dense_few_alike)(void)
{
    return false;
}
#endif
