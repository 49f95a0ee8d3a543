/* Whether numbers are numbers. */
#ifndef NM_FINITE_H
#define NM_FINITE_H

#include "real.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether none of them is NaN or infinite. */
bool nm_all_finite(const real *values, size_t count);

#endif
