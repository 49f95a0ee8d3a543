/* HDF5 files: /train/x the images, /train/y the labels; /test/x and /test/y likewise, or left out.
 * /classes, where it is there, has the names: a line or a string for each. hdf5_images.c and
 * hdf5_labels.c say which forms of them. */
#include "alloc.h"
#include "hdf5_split.h"
#include "sources.h"

#include <stdio.h>
#include <string.h>

/* For the message about a file that has other entries. */
typedef struct entries {
    char text[300];
    size_t used;
} entries;

static nm_status hdf5_add_entry(void *arg, const char *name, bool is_group)
{
    entries *e = arg;
    if (e->used < sizeof e->text)
        e->used += (size_t)snprintf(e->text + e->used, sizeof e->text - e->used, "%s/%s%s", e->used ? ", " : "", name,
                                    is_group ? "/" : "");
    return NM_OK;
}

static nm_status check_entry(const nm_hdf5_file *f, const char *path)
{
    entries found = {0};
    if (nm_h5_has(f->h5, path))
        return NM_OK;
    NM_TRY(nm_h5_each(f->h5, "/", hdf5_add_entry, &found));
    return nm_fail(
        f->ctx, NM_INVALID,
        "%s: %s is missing: expected images as /train/x and labels as /train/y, and as /test/x and /test/y; the "
        "file has %s",
        f->path, path, found.used ? found.text : "nothing");
}

static nm_status read_split(nm_hdf5_file *f, const char *images, const char *labels, nm_samples *samples)
{
    NM_TRY(check_entry(f, images));
    NM_TRY(nm_hdf5_look_at_images(f, images, samples));
    NM_TRY(check_entry(f, labels));
    NM_TRY(nm_hdf5_look_at_labels(f, labels, samples));
    NM_TRY(nm_samples_make(f->ctx, samples, samples->count, samples->shape));
    NM_TRY(nm_hdf5_read_images(f, images, samples));
    return nm_hdf5_read_labels(f, labels, samples);
}

/* The lines of `text` as names, or numbers up to the largest label. */
static nm_status hdf5_name_classes(const nm_hdf5_file *f, char *text, nm_dataset *out)
{
    int most = nm_largest_label(&out->train), other = nm_largest_label(&out->test), count = 0;
    int known = (most > other ? most : other) + 1;
    if (!text)
        return nm_dataset_set_classes(f->ctx, out, NULL, f->one_hot > known ? f->one_hot : known);
    const char **names = nm_alloc(f->ctx, strlen(text) + 1, sizeof *names);
    if (!names)
        return NM_FAILED;
    for (char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        bool last = !line[length];
        line[length] = '\0';
        names[count++] = line;
        line += length + !last;
    }
    nm_status status = NM_OK;
    if (count == 0 || (f->one_hot && f->one_hot != count))
        status = nm_fail(f->ctx, NM_INVALID, "%s: /classes: expected the names of %d classes, found %d", f->path,
                         f->one_hot ? f->one_hot : known, count);
    if (status == NM_OK && count < known) /* and is refused when labels are checked */
        nm_log(f->ctx, "%s: /classes has %d names, the largest label is %d", f->path, count, known - 1);
    if (status == NM_OK)
        status = nm_dataset_set_classes(f->ctx, out, names, count);
    nm_free(names);
    return status;
}

static nm_status read_all(nm_hdf5_file *f, nm_dataset *out)
{
    char *text = NULL;
    NM_TRY(read_split(f, "/train/x", "/train/y", &out->train));
    if (nm_h5_has(f->h5, "/test"))
        NM_TRY(read_split(f, "/test/x", "/test/y", &out->test));
    else
        out->test.shape = out->train.shape;
    if (!nm_shape_same(out->train.shape, out->test.shape))
        return nm_fail(f->ctx, NM_INVALID, "%s: training images are " NM_SHAPE_FMT ", test images " NM_SHAPE_FMT,
                       f->path, NM_SHAPE_ARGS(out->train.shape), NM_SHAPE_ARGS(out->test.shape));
    if (nm_h5_has(f->h5, "/classes"))
        NM_TRY(nm_h5_read_lines(f->h5, "/classes", &text));
    nm_status status = hdf5_name_classes(f, text, out);
    nm_free(text);
    return status;
}

static nm_status hdf5_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    nm_hdf5_file f = {.ctx = ctx, .path = path, .form = form};
    NM_TRY(nm_h5_open(ctx, path, false, &f.h5));
    nm_status status = read_all(&f, out);
    nm_h5_free(f.h5);
    return status;
}

extern const nm_source_type nm_source_hdf5;
const nm_source_type nm_source_hdf5 = {
    .name = "hdf5",
    .help = "an HDF5 file with /train/x uint8 (n, h, w, c), /train/y, /test/x, /test/y, and names in /classes",
    .needs_path = true,
    .fetch = "a file of your own",
    .open = hdf5_open,
};
