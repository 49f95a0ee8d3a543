/* What reads.c (one path) and reads_paths.c (several) share. */
#ifndef NM_READS_PRIVATE_H
#define NM_READS_PRIVATE_H

#include "reads.h"

enum { MOST_SETS = 1024, MOST_RECTS = 1 << 15 }; /* of a path: what takes milliseconds */
#define MOST_ADVANCE ((int64_t)1 << 32)          /* keeps sums of moves within 64 bits */

struct nm_reads {
    int period[2];
    int64_t advance[2];
    nm_pixels *set; /* [period[0]][period[1]] */
    bool lost;      /* too many sets or too large numbers to follow: only `gaps` is known */
    bool gaps;
};

static inline int nm_reads_sets(const nm_reads *r)
{
    return r->lost ? 0 : r->period[0] * r->period[1];
}

/* Sets of `period`, all empty. */
nm_status nm_reads_make(nm_context *ctx, const int period[2], const int64_t advance[2], nm_reads **out) NM_MUST_USE;
/* Reads of which only `gaps`, what was known last, is known. */
nm_status nm_reads_make_lost(nm_context *ctx, bool gaps, nm_reads **out) NM_MUST_USE;
bool nm_reads_is_full(const nm_pixels *set);
/* Sets `gaps` from the sets; those that became too many to follow are lost. */
void nm_reads_note_gaps(nm_reads *r);

#endif
