/* Winograd convolution F(2x2, 3x3), points 0, 1, -1, infinity: 16 products where direct summation
 * has 36, and an error near its own. For outputs of two rows or columns, of which a tile of 4x4
 * would waste most. See winograd_2d_template.h. */
#include "conv.h"

enum { TILE = 2, FEWEST_ROWS = 2 };
#define WINOGRAD(name) winograd_2x2_##name

static const double G[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

/* y = B' d */
static inline void input_points(const nm_vector *d, nm_vector *y)
{
    y[0] = d[0] - d[2];
    y[1] = d[1] + d[2];
    y[2] = d[2] - d[1];
    y[3] = d[3] - d[1];
}

/* y = A' m */
static inline void output_points(const nm_vector *m, nm_vector *y)
{
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] + m[3];
}

/* y = A d */
static inline void gradient_points(const nm_vector *d, nm_vector *y)
{
    y[0] = d[0];
    y[1] = d[0] + d[1];
    y[2] = d[0] - d[1];
    y[3] = d[1];
}

#include "winograd_2d_template.h"

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_2x2);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_2x2) = {
    .name = "winograd_2x2",
    WINOGRAD_2D_FIELDS,
    .setup = 20,
    .block = 4 * NM_GEMM_BLOCK,
};
