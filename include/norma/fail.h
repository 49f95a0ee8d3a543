/* norma: failures in what you add to the library. A function that can fail returns nm_status and
 * records a message in the context; it passes a failure up with NM_TRY. Nothing in the library
 * prints, exits or aborts.
 *
 *     if (e->in[0].c % s->groups != 0)
 *         return nm_fail(e->ctx, NM_INVALID, "%s: %d channels are no multiple of %d groups",
 * e->who, e->in[0].c, s->groups); NM_TRY(nm_declare(e, "scale", NM_BIAS, "C", &e->in[0].c, ones));
 *
 * A message names what, where (file:line:column, layer), what was expected and what was found.
 * Several messages may be recorded before a function returns; all of them are reported. */
#ifndef NORMA_FAIL_H
#define NORMA_FAIL_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NM_MUST_USE __attribute__((warn_unused_result))
#else
#define NM_PRINTF(fmt, args)
#define NM_MUST_USE
#endif

/* Records a message and returns `status`. A context takes 64 messages; later ones are dropped. */
NM_API nm_status nm_fail(nm_context *ctx, nm_status status, const char *fmt, ...) NM_PRINTF(3, 4);

/* Hands a line to the context's log callback (silent by default). Progress and warnings only. */
NM_API void nm_log(nm_context *ctx, const char *fmt, ...) NM_PRINTF(2, 3);

/* The end of a message about an unknown word, in `text`: " (did you mean 'relu'?)" for the nearest
 * of `count` candidates, or where none is near "; known are a, b, c", or nothing where those are
 * too many. Returns `text`. */
enum { NM_HINT = 400 };
NM_API const char *nm_did_you_mean(char text[NM_HINT], const char *word, const char *const *candidates, int count);

#define NM_TRY(call)                                                                                                   \
    do {                                                                                                               \
        nm_status nm_try_status_ = (call);                                                                             \
        if (nm_try_status_ != NM_OK)                                                                                   \
            return nm_try_status_;                                                                                     \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
