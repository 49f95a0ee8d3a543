/* MNIST (LeCun et al. 1998): a folder with the four IDX files, plain or .gz. */
#include "idx.h"
#include "sources.h"

nm_status nm_open_idx_folder(nm_context *ctx, const char *path, const char *const *classes, nm_dataset *out)
{
    NM_TRY(nm_idx_images(ctx, path, "train-images-idx3-ubyte", &out->train));
    NM_TRY(nm_idx_labels(ctx, path, "train-labels-idx1-ubyte", &out->train));
    NM_TRY(nm_idx_images(ctx, path, "t10k-images-idx3-ubyte", &out->test));
    NM_TRY(nm_idx_labels(ctx, path, "t10k-labels-idx1-ubyte", &out->test));
    if (!nm_shape_same(out->train.shape, out->test.shape))
        return nm_fail(ctx, NM_INVALID, "%s: training images are " NM_SHAPE_FMT ", test images " NM_SHAPE_FMT, path,
                       NM_SHAPE_ARGS(out->train.shape), NM_SHAPE_ARGS(out->test.shape));
    return nm_dataset_set_classes(ctx, out, classes, 10);
}

static nm_status open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    return nm_open_idx_folder(ctx, path, NULL, out);
}

extern const nm_source_type nm_source_mnist;
const nm_source_type nm_source_mnist = {
    .name = "mnist",
    .help = "handwritten digits, 60,000 + 10,000 of 28x28 (IDX files)",
    .fetch = "datasets/fetch-mnist",
    .open = open,
};
