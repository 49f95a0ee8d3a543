/* The algorithms, in order of preference at equal cost. */
#include "conv.h"

#define ALGORITHMS(X)                                                                                                  \
    X(depthwise)                                                                                                       \
    X(direct) X(winograd_1d) X(winograd_1d_5) X(winograd_1d_7) X(winograd_4x4) X(winograd_2x2) X(im2col) X(reference)

#define DECLARE(name) extern const nm_conv_algorithm NM_ISA(nm_conv_##name);
ALGORITHMS(DECLARE)

const nm_conv_algorithm *const *NM_ISA(nm_conv_algorithms)(void)
{
#define ENTRY(name) &NM_ISA(nm_conv_##name),
    static const nm_conv_algorithm *const table[] = {ALGORITHMS(ENTRY) NULL};
    return table;
}
