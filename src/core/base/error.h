/* Messages: what only the library's own code does with them. nm_fail and NM_TRY are in fail.h. */
#ifndef NM_ERROR_H
#define NM_ERROR_H

#include <norma/fail.h>
#include <norma/norma.h>

#include <stdbool.h>

/* Puts "PLACE: " before each message from number `first` on: of functions that do not know where
 * their arguments stood.
 */
void nm_errors_place(nm_context *ctx, int first, const char *place);

/* Forgets the messages from number `first` on: of an attempt after which another one succeeds. */
void nm_errors_drop(nm_context *ctx, int first);
/* Whether further messages would be dropped: what has failed already need not go on. */
bool nm_errors_full(const nm_context *ctx);

/* The status of "out of memory": NM_FAILED, with a message. */
nm_status nm_fail_memory(nm_context *ctx, size_t bytes);
/* The status of work that goes on after a message, to report all that is wrong at once: NM_INVALID,
 * or NM_FAILED where memory ran out on the way, because what was read may be right then. */
nm_status nm_failed_status(const nm_context *ctx);

/* Did you mean: the candidate nearest to `word` (edit distance at most 1 + length / 4), or NULL. */
const char *nm_nearest(const char *word, const char *const *candidates, int count);

#endif
