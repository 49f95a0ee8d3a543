/* IDX files (LeCun's format for MNIST), plain or gzipped: magic 00 00 08 RANK, then big-endian
 * extents, then bytes. */
#ifndef NM_IDX_H
#define NM_IDX_H

#include "dataset.h"

/* The file called STEM in FOLDER, plain or .gz, also spelled with ".idx" for "-idx", also in a
 * folder of its name; NULL: there is none. nm_free. */
nm_status nm_idx_find(nm_context *ctx, const char *folder, const char *stem, char **path) NM_MUST_USE;
/* That file into `samples`: images first (sets count, shape and pixels), then labels. */
nm_status nm_idx_images(nm_context *ctx, const char *folder, const char *stem, nm_samples *samples) NM_MUST_USE;
nm_status nm_idx_labels(nm_context *ctx, const char *folder, const char *stem, nm_samples *samples) NM_MUST_USE;
/* A single file of images, as `samples` without labels. */
nm_status nm_idx_file(nm_context *ctx, const char *path, nm_samples *samples) NM_MUST_USE;

#endif
