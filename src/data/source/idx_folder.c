/* Folders with four IDX files, as MNIST and those that came after it have them. */
#include "idx.h"
#include "sources.h"

#include "alloc.h"

#include <sys/stat.h>

const nm_idx_files nm_mnist_files = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                     "t10k-labels-idx1-ubyte"};

/* Where archives and other programs put them: beside each other, or in a folder below. */
static const char *const below[] = {
    "", "/raw", "/MNIST/raw", "/FashionMNIST/raw", "/KMNIST/raw", "/EMNIST/raw", "/gzip", "/emnist_source_files"};

nm_status nm_find_idx_folder(nm_context *ctx, const char *path, const char *stem, char **folder)
{
    *folder = NULL;
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        char *file = NULL;
        if (!(*folder = nm_format(ctx, "%s%s", path, below[i])))
            return NM_FAILED;
        nm_status status = nm_idx_find(ctx, *folder, stem, &file);
        bool found = file != NULL;
        nm_free(file);
        if (status == NM_OK && found)
            return NM_OK;
        nm_free(*folder);
        *folder = NULL;
        NM_TRY(status);
    }
    return NM_OK;
}

static nm_status idx_folder_read_files(nm_context *ctx, const char *folder, const nm_idx_files *files, nm_dataset *out)
{
    NM_TRY(nm_idx_images(ctx, folder, files->train_images, &out->train));
    NM_TRY(nm_idx_labels(ctx, folder, files->train_labels, &out->train));
    NM_TRY(nm_idx_images(ctx, folder, files->test_images, &out->test));
    NM_TRY(nm_idx_labels(ctx, folder, files->test_labels, &out->test));
    if (nm_shape_same(out->train.shape, out->test.shape))
        return NM_OK;
    return nm_fail(ctx, NM_INVALID, "%s: training images are " NM_SHAPE_FMT ", test images " NM_SHAPE_FMT, folder,
                   NM_SHAPE_ARGS(out->train.shape), NM_SHAPE_ARGS(out->test.shape));
}

nm_status nm_open_idx_files(nm_context *ctx, const char *path, const nm_idx_files *files, nm_dataset *out)
{
    char *folder;
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        return nm_fail(ctx, NM_INVALID, "%s: expected a folder with %s, %s, %s and %s (plain or .gz), found a file",
                       path, files->train_images, files->train_labels, files->test_images, files->test_labels);
    NM_TRY(nm_find_idx_folder(ctx, path, files->train_images, &folder));
    nm_status status =
        idx_folder_read_files(ctx, folder ? folder : path, files, out); /* where there is none, it says so */
    nm_free(folder);
    return status;
}

static nm_status check_ten(nm_context *ctx, const nm_dataset *data, const nm_samples *samples, const char *split)
{
    for (int i = 0; i < samples->count; i++)
        if (samples->labels[i] > 9)
            return nm_fail(
                ctx, NM_INVALID,
                "%s: %s sample %d has label %d; expected 0 to 9, the classes of %s (--data idx:%s takes any number "
                "of classes)",
                data->found, split, i, samples->labels[i], data->name, data->found);
    return NM_OK;
}

nm_status nm_open_ten_classes(nm_context *ctx, const char *path, const char *const *classes, nm_dataset *out)
{
    NM_TRY(nm_open_idx_files(ctx, path, &nm_mnist_files, out));
    NM_TRY(check_ten(ctx, out, &out->train, "training"));
    NM_TRY(check_ten(ctx, out, &out->test, "test"));
    return nm_dataset_set_classes(ctx, out, classes, 10);
}
