/* Errors. A function that can fail returns nm_status and records a message in the
 * caller's context; it passes a failure up with NM_TRY. Nothing in the library
 * prints, exits or aborts.
 *
 *     if (fd < 0)
 *         return nm_fail(ctx, NM_FAILED, "%s: cannot open: %s", path, strerror(errno));
 *     NM_TRY(read_header(ctx, fd, &header));
 *
 * A message names what, where (file:line:column, layer), what was expected and what
 * was found. Several messages may be recorded before a function returns; all of them
 * are reported. */
#ifndef NM_ERROR_H
#define NM_ERROR_H

#include <norma/norma.h>

#define NM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NM_MUST_USE __attribute__((warn_unused_result))

/* Records a message and returns `status`. */
nm_status nm_fail(nm_context *ctx, nm_status status, const char *fmt, ...) NM_PRINTF(3, 4);

/* Puts "PLACE: " before each message from number `first` on: of functions that do not know where
 * their arguments stood.
 */
void nm_errors_place(nm_context *ctx, int first, const char *place);

/* The status of "out of memory": NM_FAILED, with a message. */
nm_status nm_fail_memory(nm_context *ctx, size_t bytes);

/* Hands a line to the context's log callback (silent by default). Progress and warnings only. */
void nm_log(nm_context *ctx, const char *fmt, ...) NM_PRINTF(2, 3);

#define NM_TRY(call)                                                                                                   \
    do {                                                                                                               \
        nm_status nm_try_status_ = (call);                                                                             \
        if (nm_try_status_ != NM_OK)                                                                                   \
            return nm_try_status_;                                                                                     \
    } while (0)

/* Did you mean: the candidate nearest to `word` (edit distance at most 1 + length / 4), or NULL. */
const char *nm_nearest(const char *word, const char *const *candidates, int count);

/* The end of a message about an unknown word, in `text`: " (did you mean 'relu'?)", or where none
 * is near "; known are a, b, c", or nothing where those are too many. */
enum { NM_HINT = 400 };
const char *nm_did_you_mean(char text[NM_HINT], const char *word, const char *const *candidates, int count);

#endif
