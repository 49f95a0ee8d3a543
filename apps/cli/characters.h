/* Text in UTF-8: its characters, how wide they are, and how those are shown that are none. */
#ifndef CHARACTERS_H
#define CHARACTERS_H

/* The character that *at begins with; *at then stands behind it. -1: a byte that belongs to none.
 */
int next_character(const char **at);

/* The text as it may be printed: with "\\n", "\\x1b" and the like for what moves a terminal's
 * cursor, ends a line or is not UTF-8. Each name, path or word that a file, a folder or the command
 * line gave goes through it, but for the names in networks and data sets, which are refused where
 * they need it. Good until the eighth call from here. */
const char *shown(const char *text);

/* The columns that a text takes where every letter is equally wide: 2 for each wide character
 * (Chinese, Japanese, Korean), 0 for one that combines with the letter before it. */
int text_width(const char *text);

/* printf counts bytes: the field width with which "%-*s" gives the text so many columns. */
int padded_width(const char *text, int columns);
/* The larger of `columns` and the text's. */
int wider(int columns, const char *text);

#endif
