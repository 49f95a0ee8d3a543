/* Private to option.c. */
#ifndef NM_OPTION_MESSAGE_H
#define NM_OPTION_MESSAGE_H

#include "option_read.h"

/* Fails with what the option expects and what `value` is, at the value's place in its file or by
 * the flag that gave it. `who` ("conv 'c1'") opens the message. */
nm_status nm_option_wrong(nm_context *ctx, const nm_option *option, const char *who, const nm_yaml *value) NM_MUST_USE;
/* Fails for every key of `map` (or NULL) that the table does not have. */
nm_status nm_option_check_keys(nm_context *ctx, const nm_option *table, const nm_yaml *map,
                               const char *who) NM_MUST_USE;

#endif
