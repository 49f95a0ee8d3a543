/* HDF5 files: /train/x uint8 (n, h, w, c) or (n, h, w), /train/y the labels (n) or, for each pixel, (n, h, w), 255
 * where a pixel belongs to no class; /test/x and /test/y likewise, or left out. /classes, where it is there, is text with a name a line. */
#include "alloc.h"
#include "h5.h"
#include "sources.h"

#include <stdio.h>
#include <string.h>

enum { MOST_SIDE = 65536, MOST_LABEL = 65535 };

static nm_status check_images(nm_context *ctx, const char *file, const char *path, const nm_h5_shape *s)
{
    bool fits = (s->rank == 3 || s->rank == 4) && s->type == NM_H5_U8 && s->dims[0] <= 1u << 30;
    for (int i = 1; i < s->rank && fits; i++)
        fits = s->dims[i] >= 1 && s->dims[i] <= MOST_SIDE;
    return fits ? NM_OK
                : nm_fail(ctx, NM_INVALID, "%s: %s: expected uint8 of (n, height, width, channels)", file, path);
}

static nm_status read_labels(nm_context *ctx, nm_h5 *h5, const char *file, const char *path, nm_samples *samples,
                             const nm_h5_shape *y)
{
    NM_TRY(nm_h5_read(h5, path, NM_H5_I32, y->rank, y->dims, samples->labels));
    for (size_t i = 0; i < y->count; i++) {
        if (samples->pixel_labels && samples->labels[i] == NM_VOID_LABEL)
            samples->labels[i] = NM_NO_LABEL;
        else if (samples->labels[i] < 0 || samples->labels[i] > MOST_LABEL)
            return nm_fail(ctx, NM_INVALID, "%s: %s: entry %zu is %d; expected a class from 0", file, path, i,
                           samples->labels[i]);
    }
    return NM_OK;
}

static nm_status read_split(nm_context *ctx, nm_h5 *h5, const char *file, const char *split, nm_samples *samples)
{
    char images[64], labels[64];
    nm_h5_shape x, y;
    snprintf(images, sizeof images, "/%s/x", split);
    snprintf(labels, sizeof labels, "/%s/y", split);
    NM_TRY(nm_h5_look(h5, images, &x));
    NM_TRY(check_images(ctx, file, images, &x));
    NM_TRY(nm_h5_look(h5, labels, &y));
    samples->pixel_labels = y.rank == 3;
    bool fits = (y.rank == 1 || (y.rank == 3 && y.dims[1] == x.dims[1] && y.dims[2] == x.dims[2])) && y.dims[0] == x.dims[0];
    if (!fits)
        return nm_fail(ctx, NM_INVALID, "%s: %s: expected %zu labels, one for each image or each pixel", file, labels,
                       x.dims[0]);
    NM_TRY(nm_samples_make(ctx, samples, (int)x.dims[0],
                           (nm_shape){(int)x.dims[1], (int)x.dims[2], x.rank == 4 ? (int)x.dims[3] : 1}));
    NM_TRY(nm_h5_read(h5, images, NM_H5_U8, x.rank, x.dims, samples->pixels));
    return read_labels(ctx, h5, file, labels, samples, &y);
}

static int most_label(const nm_samples *s)
{
    int most = -1;
    for (size_t i = 0; i < (size_t)s->count * nm_label_places(s); i++)
        most = s->labels[i] > most ? s->labels[i] : most;
    return most;
}

/* The lines of `text` as names, or numbers up to the largest label. */
static nm_status name_classes(nm_context *ctx, char *text, nm_dataset *out)
{
    int most = most_label(&out->train), other = most_label(&out->test), count = 0;
    if (!text)
        return nm_dataset_set_classes(ctx, out, NULL, (most > other ? most : other) + 1);
    const char **names = nm_alloc(ctx, strlen(text) + 1, sizeof *names);
    if (!names)
        return NM_FAILED;
    for (char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        bool last = !line[length];
        line[length] = '\0';
        names[count++] = line;
        line += length + !last;
    }
    nm_status status = nm_dataset_set_classes(ctx, out, names, count);
    nm_free(names);
    return status;
}

static nm_status read_all(nm_context *ctx, nm_h5 *h5, const char *path, nm_dataset *out)
{
    char *text = NULL;
    NM_TRY(read_split(ctx, h5, path, "train", &out->train));
    if (nm_h5_has(h5, "/test"))
        NM_TRY(read_split(ctx, h5, path, "test", &out->test));
    else
        out->test.shape = out->train.shape;
    if (!nm_shape_same(out->train.shape, out->test.shape))
        return nm_fail(ctx, NM_INVALID, "%s: training images are " NM_SHAPE_FMT ", test images " NM_SHAPE_FMT, path,
                       NM_SHAPE_ARGS(out->train.shape), NM_SHAPE_ARGS(out->test.shape));
    if (nm_h5_has(h5, "/classes"))
        NM_TRY(nm_h5_read_text(h5, "/classes", &text));
    nm_status status = name_classes(ctx, text, out);
    nm_free(text);
    return status;
}

static nm_status open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    nm_h5 *h5;
    NM_TRY(nm_h5_open(ctx, path, false, &h5));
    nm_status status = read_all(ctx, h5, path, out);
    nm_h5_free(h5);
    return status;
}

extern const nm_source_type nm_source_hdf5;
const nm_source_type nm_source_hdf5 = {
    .name = "hdf5",
    .help = "an HDF5 file with /train/x uint8 (n, h, w, c), /train/y, /test/x, /test/y, and names in /classes",
    .needs_path = true,
    .fetch = "a file of your own",
    .open = open,
};
