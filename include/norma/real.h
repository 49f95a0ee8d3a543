/* norma: the type of values, parameters and gradients, nm_real: float. Every source file of the
 * library is compiled twice, the second time with -DNM_DOUBLE for gradient checks in double. */
#ifndef NORMA_REAL_H
#define NORMA_REAL_H

#ifdef NM_DOUBLE
typedef double nm_real;
#define NM_REAL_NAME "float64"
#else
typedef float nm_real;
#define NM_REAL_NAME "float32"
#endif

#ifdef NM_INTERNAL /* the library's own files, whose names cannot meet a caller's */
typedef nm_real real;
#endif

#endif
