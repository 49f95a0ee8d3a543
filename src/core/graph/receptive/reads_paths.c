/* What units read along several paths, taken together or compared. */
#include "reads_private.h"

/* The same reads with a period that is a multiple of its own. */
static nm_status expand(nm_context *ctx, const nm_reads *from, const int period[2], nm_reads **out)
{
    int64_t advance[2];
    for (int axis = 0; axis < 2; axis++)
        advance[axis] = from->advance[axis] * (period[axis] / from->period[axis]);
    NM_TRY(nm_reads_make(ctx, period, advance, out));
    nm_status status = NM_OK;
    for (int i = 0; i < nm_reads_sets(*out) && status == NM_OK; i++) {
        int row = i / period[1], column = i % period[1];
        int64_t shift[2] = {row / from->period[0] * from->advance[0], column / from->period[1] * from->advance[1]};
        int at = row % from->period[0] * from->period[1] + column % from->period[1];
        status = nm_pixels_unite(ctx, &(*out)->set[i], &from->set[at], shift);
    }
    (*out)->gaps = from->gaps;
    if (status != NM_OK)
        nm_reads_free(*out);
    return status;
}

nm_status nm_reads_copy(nm_context *ctx, const nm_reads *from, nm_reads **out)
{
    return from->lost ? nm_reads_make_lost(ctx, from->gaps, out) : expand(ctx, from, from->period, out);
}

bool nm_reads_on_one_grid(const nm_reads *a, const nm_reads *b)
{
    bool same = true;
    for (int axis = 0; axis < 2; axis++)
        same = same && a->advance[axis] * b->period[axis] == b->advance[axis] * a->period[axis];
    return same;
}

/* The period in which both repeat; false: they are not both known in one. */
static bool common_period(const nm_reads *a, const nm_reads *b, int period[2])
{
    for (int axis = 0; axis < 2 && !a->lost && !b->lost; axis++) {
        period[axis] = a->period[axis] / nm_common_divisor(a->period[axis], b->period[axis]) * b->period[axis];
        if (period[axis] > MOST_SETS)
            return false;
    }
    return !a->lost && !b->lost && nm_reads_on_one_grid(a, b) && (int64_t)period[0] * period[1] <= MOST_SETS;
}

nm_status nm_reads_unite(nm_context *ctx, nm_reads *to, const nm_reads *from)
{
    const int64_t nowhere[2] = {0, 0};
    int period[2];
    nm_reads *a, *b;
    if (!common_period(to, from, period)) {
        for (int i = 0; i < nm_reads_sets(to); i++)
            nm_pixels_free(&to->set[i]);
        to->lost = true;
        to->gaps = to->gaps && from->gaps;
        return NM_OK;
    }
    NM_TRY(expand(ctx, to, period, &a));
    nm_status status = expand(ctx, from, period, &b);
    if (status != NM_OK) {
        nm_reads_free(a);
        return status;
    }
    for (int i = 0; i < nm_reads_sets(a) && status == NM_OK; i++)
        status = nm_pixels_unite(ctx, &a->set[i], &b->set[i], nowhere);
    nm_reads_free(b);
    if (status == NM_OK) {
        nm_reads_note_gaps(a);
        nm_reads swap = *to;
        *to = *a;
        *a = swap;
    }
    nm_reads_free(a);
    return status;
}

bool nm_reads_has_gaps(const nm_reads *r)
{
    return r->gaps;
}

/* Whether some of the rectangle around `set` is missing in `all`. */
static nm_status is_missing(nm_context *ctx, const nm_pixels *set, const nm_pixels *all, bool *missing)
{
    const int64_t nowhere[2] = {0, 0};
    nm_pixels part = {0};
    *missing = false;
    if (nm_reads_is_full(set))
        return NM_OK;
    nm_rect box = nm_pixels_box(set);
    nm_status status = nm_pixels_unite(ctx, &part, all, nowhere);
    if (status == NM_OK)
        status = nm_pixels_clip(ctx, &part, box);
    *missing = !nm_reads_is_full(&part);
    nm_pixels_free(&part);
    return status;
}

nm_status nm_reads_leaves_gaps(nm_context *ctx, const nm_reads *r, const nm_reads *all, bool *gaps)
{
    int period[2];
    nm_reads *a, *b;
    *gaps = r->gaps;
    if (!r->gaps || !common_period(r, all, period))
        return NM_OK;
    NM_TRY(expand(ctx, r, period, &a));
    nm_status status = expand(ctx, all, period, &b);
    if (status != NM_OK) {
        nm_reads_free(a);
        return status;
    }
    *gaps = false;
    for (int i = 0; i < nm_reads_sets(a) && status == NM_OK && !*gaps; i++)
        status = is_missing(ctx, &a->set[i], &b->set[i], gaps);
    nm_reads_free(a);
    nm_reads_free(b);
    return status;
}
