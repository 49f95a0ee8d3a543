/* What a checkpoint holds, object by object, without its network: for programs that tell of a file
 * or compare two. All that is read of a checkpoint in this way is read here.
 *
 *     nm_contents *c;
 *     NM_TRY(nm_contents_open(ctx, "last.h5", true, &c));
 *     nm_status status = nm_contents_list(c);
 *     for (int i = 0; i < c->count && status == NM_OK; i++)
 *         printf("%s\n", c->object[i].path);
 *     nm_contents_free(c);
 *
 * Names and texts are those of the file, and may hold anything: they are escaped before they are
 * shown. */
#ifndef NM_CONTENTS_H
#define NM_CONTENTS_H

#include "h5.h"

enum {
    NM_CONTENTS_OBJECTS = 4096, /* of which a file may have so many */
    NM_CONTENTS_DEPTH = 4       /* below so many names: /optimizer/LAYER/NAME/SLOT */
};

/* An array of numbers, or a text. */
typedef struct nm_stored {
    char *path; /* "/model/c1/weight" */
    nm_h5_shape shape;
    char *layout, *kind; /* attributes; NULL: it has none */
    char *problem;       /* why its values cannot be read; NULL: nothing is known against it */
} nm_stored;

typedef struct nm_contents {
    nm_context *ctx;
    nm_h5 *h5;
    char *digest_problem; /* NULL: it is right */
    char *problem;        /* of the structure, so that objects are missing here; NULL: none */
    size_t size;          /* of the file, in bytes */
    size_t claimed;       /* bytes that the arrays before have */
    int count, capacity;
    nm_stored *object; /* in the order of their paths */
} nm_contents;

/* `verified`: as nm_checkpoint_open, only a file with the right digest. Otherwise any HDF5 file,
 * with what is wrong in `digest_problem`; NM_INVALID where HDF5 cannot open it at all. No other
 * file needs to be opened from here on. */
nm_status nm_contents_open(nm_context *ctx, const char *path, bool verified, nm_contents **out) NM_MUST_USE;
/* Finds the objects, once. What is wrong is in `problem` and in the objects. Arrays that together
 * are larger than the file are marked and not read, so that a small file costs little memory and
 * time. */
nm_status nm_contents_list(nm_contents *contents) NM_MUST_USE;
void nm_contents_free(nm_contents *contents);

const nm_stored *nm_contents_find(const nm_contents *contents, const char *path);

/* A text of the file, an attribute of the object at `path` where `note` is not NULL; *text is NULL
 * where there is none or it cannot be read. nm_free. */
nm_status nm_contents_text(const nm_contents *contents, const char *path, const char *note, char **text) NM_MUST_USE;
/* A whole number: an attribute, or with `note` NULL an array of one. False: there is none. */
bool nm_contents_whole(const nm_contents *contents, const char *path, const char *note, int64_t *value);

/* Numbers are read in rows, all that belongs to one index of the first dimension: as many at once
 * as nm_stored_block says. */
size_t nm_stored_row(const nm_stored *object);   /* numbers in a row */
size_t nm_stored_rows(const nm_stored *object);  /* 1 for a single number */
size_t nm_stored_block(const nm_stored *object); /* rows */
/* As what its numbers are read, each 8 bytes: NM_H5_F64, NM_H5_I64 or NM_H5_U64; NM_H5_OTHER: they
 * are no numbers. */
nm_h5_type nm_stored_wide(const nm_stored *object);
/* `to` holds rows * nm_stored_row numbers. NM_INVALID, with a message: they cannot be read. */
nm_status nm_contents_rows(const nm_contents *contents, const nm_stored *object, size_t first, size_t rows,
                           void *to) NM_MUST_USE;

#endif
