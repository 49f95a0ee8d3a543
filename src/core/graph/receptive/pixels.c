/* Sets of pixels: union by a sweep over the bands of both. */
#include "pixels.h"

#include "alloc.h"

#include <string.h>

void nm_pixels_free(nm_pixels *set)
{
    nm_free(set->rect);
    *set = (nm_pixels){0};
}

static nm_status lose(nm_pixels *set)
{
    nm_pixels_free(set);
    set->lost = true;
    return NM_OK;
}

static nm_status append(nm_context *ctx, nm_pixels *set, nm_rect rect)
{
    if (set->count == set->capacity) {
        int capacity = set->capacity ? 2 * set->capacity : 4;
        nm_rect *more = nm_alloc(ctx, (size_t)capacity, sizeof *more);
        if (!more)
            return NM_FAILED;
        if (set->count)
            memcpy(more, set->rect, (size_t)set->count * sizeof *more);
        nm_free(set->rect);
        set->rect = more;
        set->capacity = capacity;
    }
    set->rect[set->count++] = rect;
    return NM_OK;
}

nm_status nm_pixels_rect(nm_context *ctx, nm_rect rect, nm_pixels *out)
{
    *out = (nm_pixels){0};
    return append(ctx, out, rect);
}

/* A band of a set that is read from top to bottom: rectangles first..last-1; none at the end. */
typedef struct band {
    const nm_pixels *set;
    int64_t shift[2];
    int first, last;
} band;

static void next_band(band *b)
{
    const nm_rect *rect = b->set->rect;
    b->first = b->last;
    while (b->last < b->set->count && rect[b->last].first[0] == rect[b->first].first[0])
        b->last++;
}

static bool at_end(const band *b)
{
    return b->first == b->set->count;
}

static int64_t top(const band *b)
{
    return b->set->rect[b->first].first[0] + b->shift[0];
}

static int64_t bottom(const band *b)
{
    return b->set->rect[b->first].end[0] + b->shift[0];
}

/* Rows first..end-1: the columns of the bands that are not NULL, from left to right. */
static nm_status add_rows(nm_context *ctx, nm_pixels *out, int64_t first, int64_t end, const band *one,
                          const band *other)
{
    const band *from[2] = {one, other};
    int at[2] = {one ? one->first : 0, other ? other->first : 0}, begin = out->count;
    for (;;) {
        int left = -1;
        int64_t least = 0;
        for (int k = 0; k < 2; k++) {
            if (!from[k] || at[k] == from[k]->last)
                continue;
            int64_t column = from[k]->set->rect[at[k]].first[1] + from[k]->shift[1];
            if (left < 0 || column < least) {
                left = k;
                least = column;
            }
        }
        if (left < 0)
            return NM_OK;
        int64_t beyond = from[left]->set->rect[at[left]++].end[1] + from[left]->shift[1];
        nm_rect *last = out->count > begin ? &out->rect[out->count - 1] : NULL;
        if (!last || last->end[1] < least)
            NM_TRY(append(ctx, out, (nm_rect){{first, least}, {end, beyond}}));
        else if (last->end[1] < beyond)
            last->end[1] = beyond;
    }
}

/* Makes one band of the last, which begins at rectangle `begin`, and the one before it at `before`,
 * where that is one.
 */
static bool join_bands(nm_pixels *set, int before, int begin)
{
    int count = set->count - begin;
    const nm_rect *upper = set->rect + before, *lower = set->rect + begin;
    if (begin - before != count || count == 0 || upper->end[0] != lower->first[0])
        return false;
    for (int i = 0; i < count; i++)
        if (upper[i].first[1] != lower[i].first[1] || upper[i].end[1] != lower[i].end[1])
            return false;
    for (int i = 0; i < count; i++)
        set->rect[before + i].end[0] = lower[i].end[0];
    set->count = begin;
    return true;
}

static nm_status sweep(nm_context *ctx, band *a, band *b, nm_pixels *out)
{
    int64_t row = INT64_MIN;
    int before = 0;
    next_band(a);
    next_band(b);
    while ((!at_end(a) || !at_end(b)) && out->count <= NM_PIXELS_MOST) {
        band *both[2] = {at_end(a) ? NULL : a, at_end(b) ? NULL : b};
        int64_t first = INT64_MAX, end = INT64_MAX;
        for (int k = 0; k < 2; k++)
            if (both[k] && top(both[k]) < first)
                first = top(both[k]);
        row = first > row ? first : row;
        for (int k = 0; k < 2; k++) {
            bool here = both[k] && top(both[k]) <= row;
            int64_t event = !both[k] ? INT64_MAX : here ? bottom(both[k]) : top(both[k]);
            end = event < end ? event : end;
            both[k] = here ? both[k] : NULL;
        }
        int begin = out->count;
        NM_TRY(add_rows(ctx, out, row, end, both[0], both[1]));
        if (!join_bands(out, before, begin))
            before = begin;
        row = end;
        for (int k = 0; k < 2; k++)
            if (both[k] && bottom(both[k]) == end)
                next_band(both[k]);
    }
    return NM_OK;
}

nm_status nm_pixels_unite(nm_context *ctx, nm_pixels *to, const nm_pixels *from, const int64_t shift[2])
{
    if (to->lost || from->lost)
        return lose(to);
    band a = {.set = to}, b = {.set = from, .shift = {shift[0], shift[1]}};
    nm_pixels out = {0};
    nm_status status = sweep(ctx, &a, &b, &out);
    if (status == NM_OK && out.count > NM_PIXELS_MOST)
        status = lose(&out);
    if (status != NM_OK) {
        nm_pixels_free(&out);
        return status;
    }
    nm_pixels_free(to);
    *to = out;
    return NM_OK;
}

/* By doubling: moved by as many steps as it has already, or as are missing. */
nm_status nm_pixels_repeat(nm_context *ctx, nm_pixels *set, int axis, int64_t step, int count)
{
    for (int have = 1; have < count && step != 0 && !set->lost && set->count > 0;) {
        int more = have < count - have ? have : count - have;
        int64_t shift[2] = {0, 0};
        shift[axis] = more * step;
        NM_TRY(nm_pixels_unite(ctx, set, set, shift));
        have += more;
    }
    return NM_OK;
}

nm_status nm_pixels_clip(nm_context *ctx, nm_pixels *set, nm_rect within)
{
    const int64_t nowhere[2] = {0, 0};
    nm_pixels cut = {0}, empty = {0};
    nm_status status = NM_OK;
    for (int i = 0; i < set->count && status == NM_OK; i++) {
        nm_rect r = set->rect[i];
        bool any = true;
        for (int axis = 0; axis < 2; axis++) {
            r.first[axis] = r.first[axis] > within.first[axis] ? r.first[axis] : within.first[axis];
            r.end[axis] = r.end[axis] < within.end[axis] ? r.end[axis] : within.end[axis];
            any = any && r.first[axis] < r.end[axis];
        }
        if (any)
            status = append(ctx, &cut, r);
    }
    /* bands that differed outside may be one now */
    if (status == NM_OK)
        status = nm_pixels_unite(ctx, &cut, &empty, nowhere);
    if (status != NM_OK) {
        nm_pixels_free(&cut);
        return status;
    }
    cut.lost = set->lost;
    nm_pixels_free(set);
    *set = cut;
    return NM_OK;
}

nm_rect nm_pixels_box(const nm_pixels *set)
{
    nm_rect box = set->rect[0];
    for (int i = 1; i < set->count; i++)
        for (int axis = 0; axis < 2; axis++) {
            box.first[axis] = set->rect[i].first[axis] < box.first[axis] ? set->rect[i].first[axis] : box.first[axis];
            box.end[axis] = set->rect[i].end[axis] > box.end[axis] ? set->rect[i].end[axis] : box.end[axis];
        }
    return box;
}
