/* What the sources share. */
#ifndef NM_SOURCES_H
#define NM_SOURCES_H

#include "dataset.h"

/* Memory for `count` samples and their labels (samples->pixel_labels is set before). */
nm_status nm_samples_make(nm_context *ctx, nm_samples *samples, int count, nm_shape shape) NM_MUST_USE;
/* Names of the classes; names NULL: the numbers. */
nm_status nm_dataset_set_classes(nm_context *ctx, nm_dataset *data, const char *const *names, int count) NM_MUST_USE;

/* The largest label, of pixels too; -1: there is none. */
int nm_largest_label(const nm_samples *samples);

/* Four IDX files, by the names that nm_idx_find takes. */
typedef struct nm_idx_files {
    const char *train_images, *train_labels, *test_images, *test_labels;
} nm_idx_files;
extern const nm_idx_files nm_mnist_files;
/* The folder that has STEM: `path` or one below it, where other programs put such files. NULL: none
 * has it. nm_free. */
nm_status nm_find_idx_folder(nm_context *ctx, const char *path, const char *stem, char **folder) NM_MUST_USE;
/* Images and labels of both splits. */
nm_status nm_open_idx_files(nm_context *ctx, const char *path, const nm_idx_files *files, nm_dataset *out) NM_MUST_USE;
/* A folder with the four files of MNIST, of 10 classes; names NULL: the numbers 0 to 9. */
nm_status nm_open_ten_classes(nm_context *ctx, const char *path, const char *const *classes,
                              nm_dataset *out) NM_MUST_USE;

nm_status nm_open_cifar10(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out) NM_MUST_USE;
nm_status nm_open_cifar100(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out) NM_MUST_USE;
nm_status nm_open_cifar100_coarse(nm_context *ctx, const char *path, const nm_data_form *form,
                                  nm_dataset *out) NM_MUST_USE;

#endif
