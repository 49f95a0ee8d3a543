/* Long arrays, zeroed and summed by the threads of a team. */
#ifndef NM_ARRAYS_H
#define NM_ARRAYS_H

#include "real.h"

#include <stddef.h>

void nm_zero_array(int threads, real *to, size_t count);

/* to[i] += from[i]. They do not overlap. */
void nm_add_array(int threads, real *to, const real *from, size_t count);

#endif
