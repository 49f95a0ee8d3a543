/* What the sources share. */
#ifndef NM_SOURCES_H
#define NM_SOURCES_H

#include "dataset.h"

/* Room for `count` samples and their labels (samples->pixel_labels is set before). */
nm_status nm_samples_make(nm_context *ctx, nm_samples *samples, int count, nm_shape shape) NM_MUST_USE;
/* Names of the classes; names NULL: the numbers. */
nm_status nm_dataset_set_classes(nm_context *ctx, nm_dataset *data, const char *const *names, int count) NM_MUST_USE;

/* A folder with the four files of MNIST; classes NULL: the numbers 0 to 9. */
nm_status nm_open_idx_folder(nm_context *ctx, const char *path, const char *const *classes,
                             nm_dataset *out) NM_MUST_USE;

nm_status nm_open_cifar10(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out) NM_MUST_USE;
nm_status nm_open_cifar100(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out) NM_MUST_USE;

#endif
