/* The images and the labels of one split of an HDF5 file, in the forms that other programs write
 * them. */
#ifndef NM_HDF5_SPLIT_H
#define NM_HDF5_SPLIT_H

#include "dataset.h"
#include "h5.h"

/* How images lie in the file, and what their numbers are in 0..255. Found on the training split;
 * the test split is read likewise. */
enum { NM_LAYOUT_UNKNOWN, NM_LAYOUT_NHWC, NM_LAYOUT_NCHW };
enum { NM_SCALE_UNKNOWN, NM_SCALE_AS_IS, NM_SCALE_UNIT }; /* NM_SCALE_UNIT: 0..1 */

typedef struct nm_hdf5_file {
    nm_context *ctx;
    nm_h5 *h5;
    const char *path;
    const nm_data_form *form;
    int layout, scale;
    int one_hot; /* classes that labels were given for, where they are one-hot; else 0 */
} nm_hdf5_file;

/* The shape of the images at `path` ("/train/x"), and their number; nothing is read yet. */
nm_status nm_hdf5_look_at_images(nm_hdf5_file *file, const char *path, nm_samples *samples) NM_MUST_USE;
nm_status nm_hdf5_read_images(nm_hdf5_file *file, const char *path, nm_samples *samples) NM_MUST_USE;

/* Whether the labels at `path` are one for each image or each pixel of `samples`. */
nm_status nm_hdf5_look_at_labels(nm_hdf5_file *file, const char *path, nm_samples *samples) NM_MUST_USE;
nm_status nm_hdf5_read_labels(nm_hdf5_file *file, const char *path, nm_samples *samples) NM_MUST_USE;

/* Rows that are read at once: of about 64 MB as doubles, so that large chunks of the file are
 * unpacked few times. */
size_t nm_hdf5_rows_at_once(const nm_h5_shape *shape);

#endif
