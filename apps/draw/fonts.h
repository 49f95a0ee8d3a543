/* Which characters the installed fonts have. */
#ifndef FONTS_H
#define FONTS_H

#include <norma/fail.h>

#include <stdbool.h>

/* Whether any font is there that text can be drawn in. */
bool fonts_exist(void);
/* Whether one has the character. One that none has is remembered for fonts_report. Without any
 * font: true, as nothing is drawn then. */
bool fonts_have(int character);
/* Says which characters of the picture PREFIX were replaced, and what to install; then forgets
 * them. */
void fonts_report(nm_context *ctx, const char *prefix);

#endif
