/* Running gnuplot, which draws all pictures. */
#ifndef GNUPLOT_H
#define GNUPLOT_H

#include "error.h"

#include <stdbool.h>
#include <stdio.h>

/* Runs gnuplot with the script in `text` (piped) or in `path`. Its exit status; 127: it is not there. */
int gnuplot_run(const char *path, const char *text);
/* NM_OK, or a message that says what to do. */
nm_status gnuplot_status(nm_context *ctx, int result) NM_MUST_USE;

/* A label within single quotes of gnuplot, or a field of CSV within double quotes: the quote is doubled. */
void put_quoted(FILE *f, char quote, const char *text);

/* Makes the text the content of PREFIX.ENDING. */
nm_status plot_write(nm_context *ctx, const char *prefix, const char *ending, const char *text,
                     size_t size) NM_MUST_USE;
/* Runs PREFIX.gp. Where gnuplot is not there, a message says so and *drawn is false. */
nm_status plot_draw(nm_context *ctx, const char *prefix, bool *drawn) NM_MUST_USE;

#endif
