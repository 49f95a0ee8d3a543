/* Reading values by a table of options (option.h). */
#ifndef NM_OPTION_READ_H
#define NM_OPTION_READ_H

#include "document.h"
#include "option.h"

/* Fills `target` from `given` (a map or NULL), then from `defaults` (a map or NULL), then from the
 * presets. `who` ("conv 'c1'") opens each message. All errors of the map are recorded before it
 * returns. */
nm_status nm_options_read(nm_context *ctx, const nm_option *table, void *target, const nm_yaml *given,
                          const nm_yaml *defaults, const char *who) NM_MUST_USE;

/* Frees the strings and lists in `target` and zeroes them. */
void nm_options_free(const nm_option *table, void *target);

/* The entry called `name`, or NULL. */
const nm_option *nm_option_find(const nm_option *table, const char *name);

/* "number in [0, 1]", "one of he_normal, glorot_normal", … for help and messages. */
void nm_option_expected(const nm_option *option, char *text, size_t size);

#endif
