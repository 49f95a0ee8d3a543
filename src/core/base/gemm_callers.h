/* How many threads may call OpenBLAS at once. Each call takes a buffer, of which OpenBLAS makes
 * more while they run out: up to a number that is fixed when it is built, beyond which it crashes;
 * and where the address space is limited (ulimit -v) and is full, it tries for ever. So threads
 * wait here instead. No result depends on it. */
#ifndef NM_GEMM_CALLERS_H
#define NM_GEMM_CALLERS_H

#include <stdbool.h>

/* Before a call and after it; leave takes what enter has returned. */
bool nm_blas_enter(void);
void nm_blas_leave(bool counted);

/* Whether at least one thread can. */
bool nm_blas_has_memory(void);

/* For tests: buffers as if there was memory for no more; 0: as it is. */
void nm_blas_limit_callers(int most);

#endif
