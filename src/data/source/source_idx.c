/* IDX files of one's own: a folder with four files called as MNIST's, of any size and number of
 * classes. */
#include "sources.h"

static nm_status idx_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    NM_TRY(nm_open_idx_files(ctx, path, &nm_mnist_files, out));
    int most = nm_largest_label(&out->train), other = nm_largest_label(&out->test);
    return nm_dataset_set_classes(ctx, out, NULL, (most > other ? most : other) + 1);
}

extern const nm_source_type nm_source_idx;
const nm_source_type nm_source_idx = {
    .name = "idx",
    .help = "a folder with four IDX files called as MNIST's, of any number of classes",
    .needs_path = true,
    .fetch = "files of your own",
    .open = idx_open,
};
