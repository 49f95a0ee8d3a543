/* Text in HDF5 files, and attributes as they are read. */
#include "alloc.h"
#include "h5_private.h"

#include <string.h>

/* A variable-length string as HDF5 handed it out, as memory of ours. */
static nm_status take_text(nm_h5 *h5, const char *path, char *given, char **text)
{
    if (!given)
        return nm_h5_fail(h5, NM_INVALID, path, "expected text");
    *text = nm_strdup(h5->ctx, given);
    H5free_memory(given);
    return *text ? NM_OK : NM_FAILED;
}

static bool is_text(hid_t type, hid_t space)
{
    return type >= 0 && H5Tis_variable_str(type) > 0 && H5Sget_simple_extent_npoints(space) == 1;
}

nm_status nm_h5_read_text(nm_h5 *h5, const char *path, char **text)
{
    NM_H5_ENTER;
    *text = NULL;
    nm_h5_set o;
    NM_TRY(nm_h5_open_set(h5, path, &o));
    char *given = NULL;
    if (is_text(o.type, o.space) && H5Dread(o.set, o.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &given) < 0)
        given = NULL;
    nm_status status = take_text(h5, path, given, text);
    nm_h5_close_set(&o);
    return status;
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
    s->count = o->shape.count;
    s->size = H5Tis_variable_str(o->type) > 0 ? 0 : H5Tget_size(o->type);
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

nm_status nm_h5_read_lines(nm_h5 *h5, const char *path, char **text)
{
    NM_H5_ENTER;
    *text = NULL;
    nm_h5_set o;
    strings s = {0};
    char found[NM_H5_DESCRIPTION];
    NM_TRY(nm_h5_open_set(h5, path, &o));
    nm_status status =
        o.shape.type == NM_H5_TEXT
            ? read_strings(h5, path, &o, &s)
            : nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected text, a line or a string for each; found %s", h5->name,
                      path, nm_h5_describe(&o.shape, found));
    if (status == NM_OK)
        status = join_strings(h5, path, &s, text);
    for (size_t i = 0; s.pointer && i < s.count; i++)
        H5free_memory(s.pointer[i]);
    nm_free(s.pointer);
    nm_free(s.fixed);
    nm_h5_close_set(&o);
    if (status != NM_OK) {
        nm_free(*text);
        *text = NULL;
    }
    return status;
}

/* Calls for an attribute: in_memory 0 asks for text. */
static nm_status read_note(nm_h5 *h5, const char *path, const char *name, bool text, void *value)
{
    hid_t attribute = H5Aexists_by_name(h5->file, path, name, H5P_DEFAULT) > 0
                          ? H5Aopen_by_name(h5->file, path, name, H5P_DEFAULT, H5P_DEFAULT)
                          : -1;
    if (attribute < 0)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: attribute '%s' is missing", h5->name, path, name);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    bool right =
        text ? is_text(type, space) : H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) == 1;
    nm_status status = NM_OK;
    if (!right || H5Aread(attribute, text ? type : H5T_NATIVE_INT64, value) < 0)
        status = nm_fail(h5->ctx, NM_INVALID, "%s: %s: attribute '%s' is not %s", h5->name, path, name,
                         text ? "text" : "a whole number");
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

nm_status nm_h5_read_note_text(nm_h5 *h5, const char *path, const char *name, char **text)
{
    NM_H5_ENTER;
    *text = NULL;
    char *given = NULL;
    NM_TRY(read_note(h5, path, name, true, &given));
    return take_text(h5, path, given, text);
}

nm_status nm_h5_read_note_int(nm_h5 *h5, const char *path, const char *name, int64_t *value)
{
    NM_H5_ENTER;
    return read_note(h5, path, name, false, value);
}
