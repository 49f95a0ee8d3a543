/* Folders of images: what lies in one, and where the splits of a data set are. */
#ifndef NM_IMAGE_FOLDER_H
#define NM_IMAGE_FOLDER_H

#include "error.h"

#include <stdbool.h>

/* Names in the order of strcmp. */
typedef struct nm_names {
    int count, capacity;
    char **name;
} nm_names;

nm_status nm_names_add(nm_context *ctx, nm_names *names, const char *name) NM_MUST_USE;
void nm_names_free(nm_names *names);

/* What a folder holds. Passed over without a word is only what systems leave behind (.DS_Store,
 * ._*, Thumbs.db, desktop.ini). */
typedef struct nm_image_folder {
    nm_names images; /* files whose name ends as an image's */
    nm_names folders;
    nm_names others; /* files of other names, and all that is hidden */
} nm_image_folder;

nm_status nm_image_folder_list(nm_context *ctx, const char *path, nm_image_folder *out) NM_MUST_USE;
void nm_image_folder_free(nm_image_folder *folder);

bool nm_is_folder(const char *path);

/* The splits of a data set; all nm_free. */
typedef struct nm_image_splits {
    char *train;   /* PATH/train, or PATH itself */
    char *test;    /* PATH/test, or where that is missing PATH/val; NULL: none */
    bool hold_out; /* every fifth image of `train` is for testing */
} nm_image_splits;

/* Finds the splits and logs which folders are not read. */
nm_status nm_image_splits_find(nm_context *ctx, const char *path, nm_image_splits *out) NM_MUST_USE;
void nm_image_splits_free(nm_image_splits *splits);

#endif
