/* Text that others wrote: names out of files, paths, what libraries say. Shown as it is, it could
 * move a terminal's cursor, end a line of a script or hide what stands beside it. */
#ifndef PRINTABLE_H
#define PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* The character of UTF-8 that *at begins with; *at then stands behind it. -1: a byte that belongs
 * to none. Not at the end of a text. */
int nm_utf8_next(const char **at);

/* False for control characters, for those that end a line or paragraph, for those that turn the
 * direction of what follows, for the mark of byte order, and for -1. */
bool nm_is_printable(int character);

/* Whether the text is UTF-8 of printable characters, or of those in `also` ("\n", or ""). */
bool nm_text_is_printable(const char *text, const char *also);

/* Writes the text with "\n", "\x1b" (a byte) or "\u202e" for what is not printable; a
 * backslash of the text stays one, so that paths read as they are. What does not fit is left out,
 * whole characters at a time. The bytes that all of it takes, without the zero byte. */
size_t nm_text_escape(char *out, size_t size, const char *text);

#endif
