/* Names within rows of CSV. */
#ifndef NM_CSV_H
#define NM_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Writes a text of printable characters as a field, within quotes where it needs them. One that a
 * spreadsheet would take for a formula, as it begins with = + - or @, gets an apostrophe before it.
 */
void nm_csv_put(FILE *f, const char *text);

/* The text of the field that *at begins with, as it was before nm_csv_put; *at then stands behind
 * the comma after it. false: no field and comma are there, or it does not fit. */
bool nm_csv_take(const char **at, char *text, size_t size);

#endif
