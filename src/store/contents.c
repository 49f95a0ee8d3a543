/* What a checkpoint holds, read without its network. */
#include "contents.h"

#include "alloc.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK = 1 << 16 }; /* numbers that are read at once */

/* ---- messages that are part of the answer ------------------------------------------------ */

/* The first message, which leaves the context. Without memory for it another text, which is not
 * freed either. */
static char *take_problem(nm_context *ctx)
{
    char *text = nm_strdup(ctx, nm_error_count(ctx) ? nm_error_message(ctx, 0) : "cannot be read");
    nm_errors_clear(ctx);
    return text;
}

/* NM_INVALID becomes a text in *problem; any other status stays. */
static nm_status keep_problem(nm_context *ctx, nm_status status, char **problem)
{
    if (status != NM_INVALID)
        return status;
    if (*problem) {
        nm_errors_clear(ctx);
        return NM_OK;
    }
    *problem = take_problem(ctx);
    return *problem ? NM_OK : NM_FAILED;
}

/* ---- the objects ------------------------------------------------------------------------- */

static size_t element_size(nm_h5_type type)
{
    switch (type) {
    case NM_H5_U8:
    case NM_H5_I8:
    case NM_H5_BOOL:
        return 1;
    case NM_H5_I16:
    case NM_H5_U16:
    case NM_H5_F16:
        return 2;
    case NM_H5_F32:
    case NM_H5_I32:
    case NM_H5_U32:
        return 4;
    default:
        return 8;
    }
}

/* Its bytes, or SIZE_MAX where that is no number of bytes. */
static size_t byte_count(const nm_h5_shape *shape)
{
    size_t bytes = element_size(shape->type);
    for (int i = 0; i < shape->rank; i++)
        if (__builtin_mul_overflow(bytes, shape->dims[i], &bytes))
            return SIZE_MAX;
    return bytes;
}

/* norma stores arrays as they are, so all of them together are smaller than their file. */
static nm_status claim(nm_contents *c, const nm_stored *o)
{
    size_t bytes = byte_count(&o->shape);
    char text[NM_H5_DESCRIPTION];
    if (o->shape.type != NM_H5_TEXT && nm_stored_wide(o) == NM_H5_OTHER)
        return nm_fail(c->ctx, NM_INVALID, "%s: expected numbers or text, found %s", o->path,
                       nm_h5_describe(&o->shape, text));
    if (bytes > c->size - c->claimed)
        return nm_fail(c->ctx, NM_INVALID, "%s: expected arrays that are not larger than the file, found %s", o->path,
                       nm_h5_describe(&o->shape, text));
    c->claimed += bytes;
    return NM_OK;
}

static nm_status look(nm_contents *c, nm_stored *o)
{
    NM_TRY(keep_problem(c->ctx, nm_h5_look(c->h5, o->path, &o->shape), &o->problem));
    if (o->problem) {
        o->shape.type = NM_H5_OTHER;
        return NM_OK;
    }
    NM_TRY(nm_contents_text(c, o->path, "layout", &o->layout));
    NM_TRY(nm_contents_text(c, o->path, "kind", &o->kind));
    return keep_problem(c->ctx, claim(c, o), &o->problem);
}

static nm_status add(nm_contents *c, char *path)
{
    if (c->count == c->capacity) {
        int capacity = 2 * c->count + 64;
        nm_stored *objects = nm_alloc(c->ctx, (size_t)capacity, sizeof *objects);
        if (!objects) {
            nm_free(path);
            return NM_FAILED;
        }
        if (c->count)
            memcpy(objects, c->object, (size_t)c->count * sizeof *objects);
        nm_free(c->object);
        c->object = objects;
        c->capacity = capacity;
    }
    nm_stored *o = &c->object[c->count++];
    *o = (nm_stored){.path = path};
    return look(c, o);
}

/* ---- the walk ---------------------------------------------------------------------------- */

typedef struct walk {
    nm_contents *c;
    const char *path; /* "" for the root */
    int depth;        /* names on the way to its entries */
    int *seen;        /* objects in all, groups too */
} walk;

static nm_status enter(const walk *w);

static nm_status visit(void *arg, const char *name, bool is_group)
{
    const walk *w = arg;
    nm_contents *c = w->c;
    if (++*w->seen > NM_CONTENTS_OBJECTS)
        return nm_fail(c->ctx, NM_INVALID, "expected at most %d objects, found more", NM_CONTENTS_OBJECTS);
    char *path = nm_format(c->ctx, "%s/%s", w->path, name);
    if (!path)
        return NM_FAILED;
    if (!is_group)
        return add(c, path);
    nm_status status = NM_OK;
    if (w->depth == NM_CONTENTS_DEPTH)
        status = nm_fail(c->ctx, NM_INVALID, "%s: expected groups at most %d deep", path, NM_CONTENTS_DEPTH - 1);
    else
        status = enter(&(walk){c, path, w->depth + 1, w->seen});
    nm_free(path);
    if (*w->seen > NM_CONTENTS_OBJECTS)
        return status;
    return keep_problem(c->ctx, status, &c->problem); /* what lies beside it may be whole */
}

static nm_status enter(const walk *w)
{
    return nm_h5_each(w->c->h5, *w->path ? w->path : "/", visit, (void *)w);
}

/* ---- opening ----------------------------------------------------------------------------- */

static nm_status open_file(nm_contents *c, const char *path, bool verified)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return nm_fail(c->ctx, NM_INVALID, "%s: expected a checkpoint, found %s", path,
                       S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    nm_status status = nm_h5_open(c->ctx, path, true, &c->h5);
    c->size = stat(path, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size : 0;
    if (status == NM_OK || verified)
        return status;
    NM_TRY(keep_problem(c->ctx, status, &c->digest_problem));
    status = nm_h5_open(c->ctx, path, false, &c->h5);
    if (status != NM_OK) { /* why it is no whole file of norma's, and why it is none that is read */
        char *reason = take_problem(c->ctx);
        (void)nm_fail(c->ctx, status, "%s; %s", c->digest_problem, reason ? reason : "");
        nm_free(reason);
    }
    return status;
}

nm_status nm_contents_open(nm_context *ctx, const char *path, bool verified, nm_contents **out)
{
    *out = NULL;
    nm_contents *c = nm_alloc(ctx, 1, sizeof *c);
    if (!c)
        return NM_FAILED;
    c->ctx = ctx;
    nm_status status = open_file(c, path, verified);
    if (status == NM_OK)
        *out = c;
    else
        nm_contents_free(c);
    return status;
}

nm_status nm_contents_list(nm_contents *c)
{
    int seen = 0;
    return keep_problem(c->ctx, enter(&(walk){c, "", 1, &seen}), &c->problem);
}

void nm_contents_free(nm_contents *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->count; i++) {
        nm_free(c->object[i].path);
        nm_free(c->object[i].layout);
        nm_free(c->object[i].kind);
        nm_free(c->object[i].problem);
    }
    nm_free(c->object);
    nm_free(c->digest_problem);
    nm_free(c->problem);
    nm_h5_free(c->h5);
    nm_free(c);
}

const nm_stored *nm_contents_find(const nm_contents *c, const char *path)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->object[i].path, path) == 0)
            return &c->object[i];
    return NULL;
}

/* ---- values ------------------------------------------------------------------------------ */

nm_status nm_contents_text(const nm_contents *c, const char *path, const char *note, char **text)
{
    nm_status status = note ? nm_h5_read_note_text(c->h5, path, note, text) : nm_h5_read_text(c->h5, path, text);
    if (status == NM_INVALID)
        nm_errors_clear(c->ctx);
    return status == NM_INVALID ? NM_OK : status;
}

bool nm_contents_whole(const nm_contents *c, const char *path, const char *note, int64_t *value)
{
    nm_status status =
        note ? nm_h5_read_note_int(c->h5, path, note, value) : nm_h5_read(c->h5, path, NM_H5_I64, 0, NULL, value);
    if (status != NM_OK)
        nm_errors_clear(c->ctx);
    return status == NM_OK;
}

nm_h5_type nm_stored_wide(const nm_stored *o)
{
    if (nm_h5_is_float(o->shape.type))
        return NM_H5_F64;
    if (!nm_h5_is_integer(o->shape.type))
        return NM_H5_OTHER;
    return o->shape.type == NM_H5_U64 ? NM_H5_U64 : NM_H5_I64;
}

size_t nm_stored_row(const nm_stored *o)
{
    size_t count = 1;
    for (int i = 1; i < o->shape.rank; i++)
        count *= o->shape.dims[i];
    return count;
}

size_t nm_stored_rows(const nm_stored *o)
{
    return o->shape.rank ? o->shape.dims[0] : 1;
}

size_t nm_stored_block(const nm_stored *o)
{
    size_t row = nm_stored_row(o);
    return row == 0 || row >= BLOCK ? 1 : BLOCK / row;
}

nm_status nm_contents_rows(const nm_contents *c, const nm_stored *o, size_t first, size_t rows, void *to)
{
    if (o->problem)
        return nm_fail(c->ctx, NM_INVALID, "%s", o->problem);
    if (o->shape.rank == 0)
        return nm_h5_read(c->h5, o->path, nm_stored_wide(o), 0, NULL, to);
    return nm_h5_read_rows(c->h5, o->path, nm_stored_wide(o), first, rows, to);
}
