/* Text that grows, and options as text. Private to src/train. */
#ifndef NM_OPTION_TEXT_H
#define NM_OPTION_TEXT_H

#include "option_read.h"

typedef struct nm_text {
    nm_context *ctx;
    char *text; /* NULL: nothing was added yet; nm_free */
    size_t size, capacity;
    bool failed; /* there was no memory for all of it */
} nm_text;

void nm_text_add(nm_text *t, const char *fmt, ...) NM_PRINTF(2, 3);
/* The value of an option in `target`, once infer has completed it, such that other values have
 * another text. Of a choice its name alone: its options are another table's. */
void nm_text_add_option(nm_text *t, const nm_option *option, const void *target);
/* Whether an option has the same value in both; false also where memory is short. */
bool nm_option_same(nm_context *ctx, const nm_option *option, const void *a, const void *b);

#endif
