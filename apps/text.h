/* Text in UTF-8: its characters, and how wide they are. */
#ifndef TEXT_H
#define TEXT_H

#include <stdio.h>

/* The character that *at begins with; *at then stands behind it. -1: a byte that belongs to none. */
int next_character(const char **at);

/* The columns that a text takes where every letter is equally wide: 2 for each wide character
 * (Chinese, Japanese, Korean), 0 for one that combines with the letter before it. */
int text_width(const char *text);

/* Prints the text, and blanks up to `width` columns. printf's "%-20s" counts bytes. */
void print_padded(FILE *f, const char *text, int width);

#endif
