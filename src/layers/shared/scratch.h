/* What lies where in scratch memory, written once. A struct of pointers has what a task
 * needs; one function, its layout, fills the struct by asking here for buffer after buffer:
 *
 *     static product_scratch product_layout(nm_scratch *s, const nm_conv_geometry *g)
 *     {
 *         return (product_scratch){.patches = nm_scratch_reals(s, …), .outputs =
 * nm_scratch_reals(s, …)};
 *     }
 *
 * Planning calls it with an nm_scratch of zeros: the pointers are NULL, and `size` is what to
 * reserve. The work calls it with `base` set. Buffers begin at cache lines, as `base` does. Builds
 * with the address sanitizer fill what lies between them with NaN, so that a result that came from
 * reading beyond a buffer shows. */
#ifndef NM_SCRATCH_H
#define NM_SCRATCH_H

#include "real.h"

#include <stddef.h>
#include <string.h>

typedef struct nm_scratch {
    char *base;  /* NULL: buffers are only counted */
    size_t size; /* bytes up to here */
} nm_scratch;

enum { NM_SCRATCH_LINE = 64 };
#ifdef __SANITIZE_ADDRESS__
enum { NM_SCRATCH_GUARD = NM_SCRATCH_LINE };
#else
enum { NM_SCRATCH_GUARD = 0 };
#endif

static inline void *nm_scratch_bytes(nm_scratch *s, size_t bytes)
{
    char *buffer = s->base ? s->base + s->size : NULL;
    size_t whole = (bytes + NM_SCRATCH_LINE - 1) / NM_SCRATCH_LINE * NM_SCRATCH_LINE + NM_SCRATCH_GUARD;
    if (buffer && NM_SCRATCH_GUARD)
        memset(buffer + bytes, 0xff, whole - bytes); /* all bits set is a NaN */
    s->size += whole;
    return buffer;
}

static inline real *nm_scratch_reals(nm_scratch *s, size_t count)
{
    return nm_scratch_bytes(s, count * sizeof(real));
}

/* `other` began where `s` stood, for buffers that are used at another time than those of `s`: what
 * follows lies behind both. */
static inline void nm_scratch_overlap(nm_scratch *s, const nm_scratch *other)
{
    s->size = other->size > s->size ? other->size : s->size;
}

#endif
