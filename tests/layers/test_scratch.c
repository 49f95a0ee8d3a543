/* Layouts of scratch memory: sizes without memory are those with it, buffers lie at cache lines and
 * beside each other, and buffers of another time lie over them. */
#include "run_suite.h"
#include "scratch.h"

#include <math.h>
#include <stdint.h>

typedef struct buffers {
    real *first, *second, *after;
    char *later;
} buffers;

enum { FIRST = 5, SECOND = 40, LATER = 700, AFTER = 3 };

static buffers layout(nm_scratch *s)
{
    nm_scratch other = *s;
    buffers b = {.first = nm_scratch_reals(s, FIRST), .second = nm_scratch_reals(s, SECOND)};
    b.later = nm_scratch_bytes(&other, LATER);
    nm_scratch_overlap(s, &other);
    b.after = nm_scratch_reals(s, AFTER);
    return b;
}

START_TEST(planned_as_used)
{
    static _Alignas(64) char memory[4096];
    nm_scratch planned = {0}, used = {.base = memory};
    buffers none = layout(&planned), b = layout(&used);
    ck_assert_ptr_null(none.first);
    ck_assert_ptr_null(none.after);
    ck_assert_uint_eq(planned.size, used.size);
    ck_assert_ptr_eq(b.first, memory);
    ck_assert_ptr_eq(b.later, memory);
    ck_assert((char *)b.second >= (char *)(b.first + FIRST));
    ck_assert((char *)b.after >= (char *)(b.second + SECOND));
    ck_assert((char *)b.after >= b.later + LATER);
    ck_assert(memory + used.size >= (char *)(b.after + AFTER));
    ck_assert_uint_eq((uintptr_t)b.second % 64 + (uintptr_t)b.after % 64, 0);
}
END_TEST

/* In builds with the address sanitizer a read beyond a buffer gives NaN. */
START_TEST(reading_beyond)
{
    static _Alignas(64) char memory[4096];
    nm_scratch used = {.base = memory};
    buffers b = layout(&used);
    ck_assert(isnan(b.first[FIRST]) || !NM_SCRATCH_GUARD);
    ck_assert(isnan(b.after[AFTER]) || !NM_SCRATCH_GUARD);
    b.after = nm_scratch_reals(&used, 16);
    ck_assert(isnan(b.after[16]) || !NM_SCRATCH_GUARD); /* where it ends with a cache line, too */
}
END_TEST

SUITE("scratch", planned_as_used, reading_beyond)
