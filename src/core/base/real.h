/* The element type. Every source file is compiled twice: with `real` as float
 * for libnorma and the program, and with -DNM_DOUBLE as double for gradient
 * checks (libnorma_f64 and the program norma-f64). */
#ifndef NM_REAL_H
#define NM_REAL_H

#ifdef NM_DOUBLE
typedef double real;
#define NM_REAL_NAME "float64"
#else
typedef float real;
#define NM_REAL_NAME "float32"
#endif

#endif
