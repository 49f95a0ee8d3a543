/* Running gnuplot, which draws all pictures. */
#ifndef GNUPLOT_H
#define GNUPLOT_H

#include "error.h"

/* Runs gnuplot with the script in `text` (piped) or in `path`. Its exit status; 127: it is not there. */
int gnuplot_run(const char *path, const char *text);
/* NM_OK, or a message that says what to do. */
nm_status gnuplot_status(nm_context *ctx, int result) NM_MUST_USE;

#endif
