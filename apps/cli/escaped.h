/* Texts out of files, as they may be shown. */
#ifndef ESCAPED_H
#define ESCAPED_H

/* As `shown` (characters.h), with
 * its end as … where it is longer than 1,000 bytes. One of eight buffers in turn. */
const char *escaped(const char *text);

/* Prints the whole of a text of lines so. */
void print_escaped_lines(const char *text);

#endif
