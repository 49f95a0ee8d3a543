/* Fashion-MNIST (Xiao et al. 2017): MNIST's files with clothes in them. */
#include "sources.h"

static const char *const classes[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                      "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

static nm_status fashion_mnist_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    return nm_open_ten_classes(ctx, path, classes, out);
}

extern const nm_source_type nm_source_fashion_mnist;
const nm_source_type nm_source_fashion_mnist = {
    .name = "fashion-mnist",
    .help = "clothes, 60,000 + 10,000 of 28x28 (IDX files)",
    .fetch = "apt-get install dataset-fashion-mnist (Debian), or datasets/fetch-fashion-mnist",
    .open = fashion_mnist_open,
};
