/* --vary KEY=A,B…: the variants of a comparison. */
#ifndef VARY_H
#define VARY_H

#include "command.h"

enum { MOST_VARIED = 8, MOST_VALUES = 32, MOST_VARIANTS = 64 };

typedef struct varied {
    char *text; /* KEY=A,B cut into pieces */
    const char *key;
    int values;
    const char *value[MOST_VALUES];
} varied;

/* Cuts "KEY=A,B" at its commas; those within brackets belong to a value. */
nm_status vary_read(nm_context *ctx, const char *text, varied *out) NM_MUST_USE;
void vary_free(varied *v);

/* Variant number `index` of all combinations, the last key turning fastest: its label
 * ("batchnorm=on lr=0.1"), and its document, a changed copy of `base`. */
nm_status vary_make(nm_context *ctx, const varied *keys, int count, int index, const nm_yaml *base, char **label,
                    nm_yaml **document) NM_MUST_USE;

#endif
