/* Running gnuplot, which draws all pictures, and writing texts into its scripts. */
#ifndef GNUPLOT_H
#define GNUPLOT_H

#include <norma/fail.h>

#include <stdbool.h>
#include <stdio.h>

/* ---- texts in a script
 * --------------------------------------------------------------------------- A name comes from a
 * file or a folder: no character of it may end the string or start a command, and one that no font
 * has would be drawn as a box over half of the picture. */

/* One line as a string: what is not printable is escaped (shown), and a character that no font has
 * is written "U+72AC"; plot_draw then says which font is missing. */
void put_label(FILE *f, const char *text);
/* The same, wrapped into lines of at most `columns` letters. How many lines. */
int put_wrapped(FILE *f, const char *text, int columns);
/* How many lines that is, and how many letters the longest has. */
int count_wrapped(const char *text, int columns, int *longest);
/* Pixels that a letter of Sans 12 takes, so that a text of that many letters surely fits. */
#define LETTER 9.4

/* At most `columns` letters of it: the middle of a longer one is left out. */
void put_short_label(FILE *f, const char *text, int columns);
/* The same for `set xtics (…)`, where gnuplot reads formats. */
void put_tick_label(FILE *f, const char *text, int columns);

/* The beginning of a script that draws beside itself: `prefix` is its path without ".gp", and
 * begins with '/' or "./", as `set output` runs what follows a '|' as a command. */
void put_prefix(FILE *f);

/* Makes a range begin and end at round numbers. */
void round_range(double range[2]);
/* Ticks of a logarithmic axis 'x' or 'y': at 1, 2, 5 of each decade, or at the decades of a long
 * one. */
void put_log_ticks(FILE *f, char axis, const double range[2]);

/* ---- running ------------------------------------------------------------------------------- */

enum { NO_GNUPLOT = 127 };

/* Runs gnuplot with the script in `text` (through a pipe) or in `path`, without a shell and without
 * the user's own gnuplotrc. The path begins with '/' or "./" (plain_path). Its exit status, or
 * NO_GNUPLOT. */
int gnuplot_run(const char *path, const char *text);
/* NM_OK, or a message that says what to do. */
nm_status gnuplot_status(nm_context *ctx, int result) NM_MUST_USE;

/* "./" where a path does not begin with '/', else "": gnuplot takes a name that begins with '-' for
 * an option, runs what follows a '<' or '|' as a command, and looks for a home behind a '~'. */
const char *plain_path(const char *path);
/* A path or its beginning, as printf has it; free. NULL, with a message: no memory. */
char *plot_path(nm_context *ctx, const char *fmt, ...) NM_PRINTF(2, 3);

/* Makes the text the content of PREFIX.ENDING. */
nm_status plot_write(nm_context *ctx, const char *prefix, const char *ending, const char *text,
                     size_t size) NM_MUST_USE;
/* Runs PREFIX.gp. Where gnuplot or any font is missing, a message says so and *drawn is false. */
nm_status plot_draw(nm_context *ctx, const char *prefix, bool *drawn) NM_MUST_USE;

#endif
