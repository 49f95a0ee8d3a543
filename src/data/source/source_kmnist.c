/* Kuzushiji-MNIST (Clanuwat et al. 2018): MNIST's files with cursive Japanese letters in them. */
#include "sources.h"

static const char *const classes[] = {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"};

static nm_status kmnist_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    return nm_open_ten_classes(ctx, path, classes, out);
}

extern const nm_source_type nm_source_kmnist;
const nm_source_type nm_source_kmnist = {
    .name = "kmnist",
    .help = "cursive Japanese letters of 10 classes, 60,000 + 10,000 of 28x28 (IDX files)",
    .fetch = "the four files of Kuzushiji-MNIST from http://codh.rois.ac.jp/kmnist",
    .open = kmnist_open,
};
