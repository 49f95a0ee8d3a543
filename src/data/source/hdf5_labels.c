/* Labels of HDF5 files: whole numbers of any type, one for each image, (n) or (n, 1), or for each
 * pixel, (n, height, width); or one-hot, (n, classes). Numbers that are no classes are refused,
 * never cut. */
#include "alloc.h"
#include "hdf5_split.h"
#include "number_text.h"

#include <math.h>
#include <string.h>

enum { MOST_LABEL = 65535 };

/* Its dimensions without those of 1 behind the first. */
static int squeeze(const nm_h5_shape *s, size_t d[NM_H5_MAX_RANK])
{
    int rank = 0;
    for (int i = 0; i < s->rank; i++)
        if (i == 0 || s->dims[i] != 1)
            d[rank++] = s->dims[i];
    return rank;
}

/* (n, height, width), also with a dimension of 1 for the channel behind or before these. */
static bool for_each_pixel(const nm_h5_shape *s, nm_shape image)
{
    size_t h = (size_t)image.h, w = (size_t)image.w;
    const size_t *d = s->dims;
    return (s->rank == 3 && d[1] == h && d[2] == w) || (s->rank == 4 && d[1] == h && d[2] == w && d[3] == 1) ||
           (s->rank == 4 && d[1] == 1 && d[2] == h && d[3] == w);
}

static nm_status hdf5_labels_refuse(const nm_hdf5_file *f, const char *path, const nm_h5_shape *s,
                                    const nm_samples *samples)
{
    char found[NM_H5_DESCRIPTION];
    if (s->type == NM_H5_TEXT)
        return nm_fail(f->ctx, NM_INVALID,
                       "%s: %s: expected whole numbers, found text: write the number of each class, and the names as "
                       "/classes (numpy: names, y = np.unique(y, return_inverse=True))",
                       f->path, path);
    bool one_hot_pixels =
        s->rank == 4 && s->dims[1] == (size_t)samples->shape.h && s->dims[2] == (size_t)samples->shape.w;
    return nm_fail(f->ctx, NM_INVALID, "%s: %s: expected %d labels, one for each image or each pixel; found %s%s",
                   f->path, path, samples->count, nm_h5_describe(s, found),
                   one_hot_pixels ? ": one-hot for each pixel? (numpy: y.argmax(axis=-1))" : "");
}

nm_status nm_hdf5_look_at_labels(nm_hdf5_file *f, const char *path, nm_samples *samples)
{
    nm_h5_shape s;
    size_t d[NM_H5_MAX_RANK];
    NM_TRY(nm_h5_look(f->h5, path, &s));
    int rank = squeeze(&s, d);
    bool numbers = s.type == NM_H5_BOOL || nm_h5_is_integer(s.type) || nm_h5_is_float(s.type);
    samples->pixel_labels = for_each_pixel(&s, samples->shape);
    bool fits = samples->pixel_labels || rank == 1 || (s.rank == 2 && rank == 2);
    if (!numbers || !fits || s.dims[0] != (size_t)samples->count)
        return hdf5_labels_refuse(f, path, &s, samples);
    bool one_hot = !samples->pixel_labels && rank == 2;
    if (one_hot && f->one_hot && (size_t)f->one_hot != d[1])
        return nm_fail(f->ctx, NM_INVALID, "%s: %s: one-hot of %zu classes, in training of %d", f->path, path, d[1],
                       f->one_hot);
    if (one_hot && d[1] > MOST_LABEL)
        return hdf5_labels_refuse(f, path, &s, samples);
    if (one_hot && !f->one_hot)
        nm_log(f->ctx, "%s: %s is one-hot of %zu classes", f->path, path, d[1]);
    f->one_hot = one_hot ? (int)d[1] : f->one_hot;
    return NM_OK;
}

static nm_status to_class(const nm_hdf5_file *f, const char *path, bool pixel, size_t entry, double value,
                          int32_t *label)
{
    if (pixel && value == NM_VOID_LABEL)
        *label = NM_NO_LABEL;
    else if (value >= 0 && value <= MOST_LABEL && value == floor(value))
        *label = (int32_t)value;
    else {
        char text[NM_NUMBER_TEXT];
        nm_number_text(value, text);
        return nm_fail(f->ctx, NM_INVALID, "%s: %s: entry %zu is %s; expected a class, a whole number from 0%s",
                       f->path, path, entry, text, pixel ? " (255 where a pixel has none)" : "");
    }
    return NM_OK;
}

static nm_status hot_class(const nm_hdf5_file *f, const char *path, size_t row, const double *values, size_t classes,
                           int32_t *label)
{
    size_t ones = 0;
    for (size_t c = 0; c < classes; c++) {
        if (values[c] == 1) {
            ones++;
            *label = (int32_t)c;
        } else if (values[c] != 0) {
            ones = classes + 1;
        }
    }
    if (ones == 1)
        return NM_OK;
    return nm_fail(f->ctx, NM_INVALID,
                   "%s: %s: row %zu is not one-hot: expected a single 1 among zeros (several classes for an image, and "
                   "shares of them, are not read)",
                   f->path, path, row);
}

nm_status nm_hdf5_read_labels(nm_hdf5_file *f, const char *path, nm_samples *samples)
{
    nm_h5_shape s;
    NM_TRY(nm_h5_look(f->h5, path, &s));
    size_t rows = nm_hdf5_rows_at_once(&s), places = nm_label_places(samples);
    size_t row = s.dims[0] ? s.count / s.dims[0] : 1;
    double *values = nm_alloc(f->ctx, rows * row, sizeof *values);
    nm_status status = values ? NM_OK : NM_FAILED;
    for (size_t first = 0; first < s.dims[0] && status == NM_OK; first += rows) {
        size_t count = s.dims[0] - first < rows ? s.dims[0] - first : rows;
        status = nm_h5_read_rows(f->h5, path, NM_H5_F64, first, count, values);
        int32_t *labels = samples->labels + first * places;
        for (size_t i = 0; i < count * places && status == NM_OK; i++)
            status = row == places ? to_class(f, path, samples->pixel_labels, first * places + i, values[i], &labels[i])
                                   : hot_class(f, path, first + i, values + i * row, row, &labels[i]);
    }
    nm_free(values);
    return status;
}
