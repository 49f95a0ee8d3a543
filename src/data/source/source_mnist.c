/* MNIST (LeCun et al. 1998): a folder with the four IDX files; idx_folder.c reads it. */
#include "sources.h"

static nm_status mnist_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    return nm_open_ten_classes(ctx, path, NULL, out);
}

extern const nm_source_type nm_source_mnist;
const nm_source_type nm_source_mnist = {
    .name = "mnist",
    .help = "handwritten digits, 60,000 + 10,000 of 28x28 (IDX files)",
    .fetch = "datasets/fetch-mnist",
    .open = mnist_open,
};
