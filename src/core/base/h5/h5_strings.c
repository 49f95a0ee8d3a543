/* Text of HDF5 files, in the process that reads them. */
#include "alloc.h"
#include "h5_inside.h"

#include <string.h>

bool nm_h5_is_one_text(hid_t type, hid_t space)
{
    return type >= 0 && H5Tis_variable_str(type) > 0 && H5Sget_simple_extent_npoints(space) == 1;
}

/* The strings of a dataset as HDF5 lays them out: pointers, or `size` bytes each. */
typedef struct strings {
    size_t count, size; /* size 0: pointers */
    bool spaces;        /* filled up with spaces */
    char **pointer;
    char *fixed;
} strings;

static size_t string_at(const strings *s, size_t i, const char **text)
{
    *text = s->size ? s->fixed + i * s->size : s->pointer[i] ? s->pointer[i] : "";
    size_t length = s->size ? strnlen(*text, s->size) : strlen(*text);
    while (length > 0 &&
           ((*text)[length - 1] == '\n' || (*text)[length - 1] == '\r' || (s->spaces && (*text)[length - 1] == ' ')))
        length--;
    return length;
}

static nm_status read_strings(nm_h5 *h5, const char *path, const nm_h5_set *o, strings *s)
{
    htri_t pointers = H5Tis_variable_str(o->type);
    if (pointers < 0) /* else addresses would be taken for text */
        return nm_h5_fail(h5, NM_INVALID, path, "cannot be read");
    s->count = o->shape.count;
    s->size = pointers ? 0 : H5Tget_size(o->type);
    s->spaces = H5Tget_strpad(o->type) == H5T_STR_SPACEPAD;
    void *to = s->size ? (void *)(s->fixed = nm_alloc(h5->ctx, s->count + 1, s->size))
                       : (void *)(s->pointer = nm_alloc(h5->ctx, s->count + 1, sizeof *s->pointer));
    if (!to)
        return NM_FAILED;
    if (H5Dread(o->set, o->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0)
        return nm_h5_fail(h5, NM_INVALID, path, "cannot be read");
    return NM_OK;
}

/* One a line; within a string, CR LF becomes LF. */
static nm_status join_strings(nm_h5 *h5, const char *path, const strings *s, char **text)
{
    size_t size = 1;
    const char *one;
    for (size_t i = 0; i < s->count; i++)
        size += string_at(s, i, &one) + 1;
    char *to = *text = nm_alloc(h5->ctx, size, 1);
    for (size_t i = 0; to && i < s->count; i++) {
        size_t length = string_at(s, i, &one);
        if (s->count > 1 && memchr(one, '\n', length))
            return nm_fail(h5->ctx, NM_INVALID, "%s: %s: string %zu of the list has several lines; expected one",
                           h5->name, path, i);
        if (i > 0)
            *to++ = '\n';
        for (size_t k = 0; k < length; k++)
            if (one[k] != '\r' || k + 1 == length || one[k + 1] != '\n')
                *to++ = one[k];
    }
    return *text ? NM_OK : NM_FAILED;
}

static nm_status check_text(nm_h5 *h5, const char *path, const nm_h5_shape *shape)
{
    char found[NM_H5_DESCRIPTION];
    if (shape->type != NM_H5_TEXT)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected text, a line or a string for each; found %s", h5->name,
                       path, nm_h5_describe(shape, found));
    if (shape->count > NM_H5_MAX_LINES)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected at most %d strings, found %zu", h5->name, path,
                       NM_H5_MAX_LINES, shape->count);
    return NM_OK;
}

nm_status nm_h5_join_lines(nm_h5 *h5, const char *path, const nm_h5_set *o, char **text)
{
    strings s = {0};
    *text = NULL;
    NM_TRY(check_text(h5, path, &o->shape));
    nm_status status = read_strings(h5, path, o, &s);
    if (status == NM_OK)
        status = join_strings(h5, path, &s, text);
    for (size_t i = 0; s.pointer && i < s.count; i++)
        H5free_memory(s.pointer[i]);
    nm_free(s.pointer);
    nm_free(s.fixed);
    if (status != NM_OK) {
        nm_free(*text);
        *text = NULL;
    }
    return status;
}
