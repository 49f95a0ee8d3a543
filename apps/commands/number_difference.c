/* The numbers of two arrays, one by one. */
#include "alloc.h"
#include "difference.h"
#include "number_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- one pair ------------------------------------------------------------------------------ */

/* Floating-point numbers in their order as whole numbers: neighbours differ by one, and so do -0
 * and 0, which are not the same bits. */
static uint64_t place_of(double x, bool narrow)
{
    if (narrow) {
        float f = (float)x;
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        return bits & 0x80000000U ? 0x7fffffffU - (bits & 0x7fffffffU) : 0x80000000U + bits;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? INT64_MAX - (bits & INT64_MAX) : (1ULL << 63) + bits;
}

static void measure(array_difference *d, double a, double b, nm_h5_type type)
{
    if (!isfinite(a) || !isfinite(b)) {
        d->not_finite++;
        return;
    }
    double apart = fabs(a - b), larger = fmax(fabs(a), fabs(b));
    d->largest = fmax(d->largest, apart);
    if (larger > 0)
        d->relative = fmax(d->relative, apart / larger);
    if (type != NM_H5_F32 && type != NM_H5_F64)
        return;
    uint64_t p = place_of(a, type == NM_H5_F32), q = place_of(b, type == NM_H5_F32), between = p > q ? p - q : q - p;
    d->ulps = between > d->ulps ? between : d->ulps;
}

static double as_double(nm_h5_type wide, const void *number)
{
    uint64_t natural;
    double value;
    memcpy(&natural, number, sizeof natural);
    memcpy(&value, number, sizeof value);
    return wide == NM_H5_F64 ? value : wide == NM_H5_U64 ? (double)natural : (double)(int64_t)natural;
}

static void value_text(const nm_stored *o, const void *number, char text[VALUE_TEXT])
{
    uint64_t natural;
    memcpy(&natural, number, sizeof natural);
    switch (nm_stored_wide(o)) {
    case NM_H5_F64:
        if (o->shape.type == NM_H5_F64)
            nm_number_text(as_double(NM_H5_F64, number), text);
        else
            nm_float_text((float)as_double(NM_H5_F64, number), text);
        break;
    case NM_H5_U64:
        snprintf(text, VALUE_TEXT, "%" PRIu64, natural);
        break;
    default:
        snprintf(text, VALUE_TEXT, "%" PRId64, (int64_t)natural);
    }
}

/* ---- blocks of them ------------------------------------------------------------------------ */

static void compare_block(const nm_stored *o, size_t first, const char *a, const char *b, size_t count,
                          array_difference *d)
{
    nm_h5_type wide = nm_stored_wide(o);
    for (size_t i = 0; i < count; i++) {
        const char *x = a + 8 * i, *y = b + 8 * i;
        if (memcmp(x, y, 8) == 0)
            continue;
        if (d->different++ == 0) {
            d->first = first + i;
            value_text(o, x, d->a);
            value_text(o, y, d->b);
        }
        measure(d, as_double(wide, x), as_double(wide, y), o->shape.type);
    }
}

nm_status compare_numbers(const nm_contents *a, const nm_stored *in_a, const nm_contents *b, const nm_stored *in_b,
                          array_difference *d)
{
    size_t rows = nm_stored_rows(in_a), row = nm_stored_row(in_a), block = nm_stored_block(in_a);
    d->shape = in_a->shape;
    if (rows == 0 || row == 0)
        return NM_OK;
    char *x = nm_alloc(a->ctx, block * row, 8), *y = nm_alloc(a->ctx, block * row, 8);
    nm_status status = x && y ? NM_OK : NM_FAILED;
    for (size_t at = 0; at < rows && status == NM_OK; at += block) {
        size_t some = rows - at < block ? rows - at : block;
        status = nm_contents_rows(a, in_a, at, some, x);
        if (status == NM_OK)
            status = nm_contents_rows(b, in_b, at, some, y);
        if (status == NM_OK)
            compare_block(in_a, at * row, x, y, some * row, d);
    }
    nm_free(x);
    nm_free(y);
    return status;
}

void element_text(const nm_h5_shape *shape, size_t index, char *text, size_t size)
{
    size_t at[NM_H5_MAX_RANK], used = 0;
    for (int i = shape->rank - 1; i >= 0; i--) {
        at[i] = index % shape->dims[i];
        index /= shape->dims[i];
    }
    text[0] = '\0';
    for (int i = 0; i < shape->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "[%zu]", at[i]);
}
