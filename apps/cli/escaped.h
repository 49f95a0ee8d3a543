/* Texts out of files, as they may be shown. */
#ifndef ESCAPED_H
#define ESCAPED_H

#include <stdio.h>

/* As `shown` (characters.h), with
 * its end as … where it is longer than 1,000 bytes. One of eight buffers in turn. */
const char *escaped(const char *text);

/* Prints the whole of a text of lines so. */
void print_escaped_lines(const char *text);

/* A text and what stands before it, in single quotes: one word for any shell. */
void put_shell_quoted(FILE *f, const char *before, const char *text);

#endif
