/* Images of HDF5 files: uint8 (n, height, width, channels) as norma holds them; also channels
 * first, other numbers of 0 to 255, and floats that are uint8 divided by 255. What was not as norma
 * holds it is logged; what cannot be held exactly is refused. */
#include "hdf5_split.h"

#include "alloc.h"
#include "number_text.h"

#include <math.h>

enum { MOST_SIDE = 65536, AT_ONCE = 1 << 23 };

size_t nm_hdf5_rows_at_once(const nm_h5_shape *shape)
{
    size_t row = shape->rank && shape->dims[0] ? shape->count / shape->dims[0] : 1;
    return row && row < AT_ONCE ? AT_ONCE / row : 1;
}

/* ---- layout -------------------------------------------------------------------------------- */

static bool few_channels(size_t channels)
{
    return channels == 1 || channels == 3;
}

static bool is_form(const nm_data_form *form, size_t h, size_t w, size_t c)
{
    return (size_t)form->height == h && (size_t)form->width == w && (size_t)form->channels == c;
}

/* What the network takes decides. Where that is not known, or fits neither: 1 or 3 channels come
 * first if the last dimension is no such number and the image would otherwise be a line (of 3 rows
 * and many channels, or beside a square). */
static int find_layout(const nm_data_form *form, const size_t *d)
{
    if (is_form(form, d[1], d[2], d[3]))
        return NM_LAYOUT_NHWC;
    if (is_form(form, d[2], d[3], d[1]))
        return NM_LAYOUT_NCHW;
    bool first = few_channels(d[1]) && !few_channels(d[3]) && d[2] > 3 && d[3] > 3;
    return first && (d[1] == 3 || d[2] == d[3]) ? NM_LAYOUT_NCHW : NM_LAYOUT_NHWC;
}

static nm_status hdf5_images_refuse(const nm_hdf5_file *f, const char *path, const nm_h5_shape *s, const char *mend)
{
    char found[NM_H5_DESCRIPTION];
    return nm_fail(f->ctx, NM_INVALID, "%s: %s: expected uint8 of (n, height, width, channels), found %s%s", f->path,
                   path, nm_h5_describe(s, found), mend);
}

static nm_status check_extents(const nm_hdf5_file *f, const char *path, const nm_h5_shape *s)
{
    if (s->rank == 2)
        return hdf5_images_refuse(
            f, path, s, ": give flat images their height and width (numpy: x.reshape(n, height, width, channels))");
    bool fits = (s->rank == 3 || s->rank == 4) && s->dims[0] <= 1u << 30;
    for (int i = 1; i < s->rank && fits; i++)
        fits = s->dims[i] >= 1 && s->dims[i] <= MOST_SIDE;
    if (fits && s->type != NM_H5_OTHER && s->type != NM_H5_TEXT)
        return NM_OK;
    return hdf5_images_refuse(f, path, s, "");
}

nm_status nm_hdf5_look_at_images(nm_hdf5_file *f, const char *path, nm_samples *samples)
{
    nm_h5_shape s;
    NM_TRY(nm_h5_look(f->h5, path, &s));
    NM_TRY(check_extents(f, path, &s));
    if (f->layout == NM_LAYOUT_UNKNOWN) {
        f->layout = s.rank == 4 ? find_layout(f->form, s.dims) : NM_LAYOUT_NHWC;
        if (f->layout == NM_LAYOUT_NCHW)
            nm_log(f->ctx, "%s: %s is taken as (n, channels, height, width): %zux%zu with %zu channel%s", f->path, path,
                   s.dims[2], s.dims[3], s.dims[1], s.dims[1] == 1 ? "" : "s");
    }
    samples->count = (int)s.dims[0];
    samples->shape = (nm_shape){(int)s.dims[1], (int)s.dims[2], s.rank == 4 ? (int)s.dims[3] : 1};
    if (s.rank == 4 && f->layout == NM_LAYOUT_NCHW)
        samples->shape = (nm_shape){(int)s.dims[2], (int)s.dims[3], (int)s.dims[1]};
    return NM_OK;
}

/* ---- numbers ------------------------------------------------------------------------------- */

/* How far k / 255 times 255 may be from k: what the type rounds off. */
static double tolerance(nm_h5_type type)
{
    return type == NM_H5_F16 ? 0.13 : 1e-3;
}

static nm_status wrong_value(const nm_hdf5_file *f, const char *path, const nm_h5_shape *s, size_t entry, double value)
{
    size_t image = entry / (s->count / s->dims[0]);
    char text[NM_NUMBER_TEXT];
    if (s->type == NM_H5_F64)
        nm_number_text(value, text);
    else
        nm_float_text((float)value, text);
    if (nm_h5_is_float(s->type) && value >= 0 && value <= 1)
        return nm_fail(
            f->ctx, NM_INVALID,
            "%s: %s: image %zu has the value %s; norma holds images as uint8, and takes floats that are uint8 "
            "divided by 255: to round them, write (255 * x).round().astype('uint8')",
            f->path, path, image, text);
    return nm_fail(f->ctx, NM_INVALID,
                   "%s: %s: image %zu has the value %s; expected whole numbers from 0 to 255 (norma normalises them by "
                   "itself: write images before any normalising, as uint8)%s",
                   f->path, path, image, text, f->scale == NM_SCALE_UNIT ? "; or all from 0 to 1, as in training" : "");
}

/* `entry` of the value counts over the whole of the dataset. */
static nm_status to_byte(const nm_hdf5_file *f, const char *path, const nm_h5_shape *s, size_t entry, double value,
                         uint8_t *byte)
{
    double scaled = f->scale == NM_SCALE_UNIT ? 255 * value : value, whole = nearbyint(scaled);
    double off = f->scale == NM_SCALE_UNIT ? tolerance(s->type) : 0;
    if (!(whole >= 0 && whole <= 255 && fabs(scaled - whole) <= off))
        return wrong_value(f, path, s, entry, value);
    *byte = (uint8_t)whole;
    return NM_OK;
}

/* One image after another from values [count][..], channels brought to the end. */
static nm_status convert(const nm_hdf5_file *f, const char *path, const nm_h5_shape *s, size_t first, size_t count,
                         const double *values, nm_samples *samples)
{
    size_t size = nm_shape_size(samples->shape), channels = (size_t)samples->shape.c, plane = size / channels;
    for (size_t i = 0; i < count * size; i++) {
        size_t image = i / size, at = i % size;
        if (f->layout == NM_LAYOUT_NCHW)
            at = at % plane * channels + at / plane;
        NM_TRY(to_byte(f, path, s, first * size + i, values[i], samples->pixels + (first + image) * size + at));
    }
    return NM_OK;
}

/* Calls for one pass over the images: converts them, or where `largest` is given finds the largest
 * value. */
static nm_status hdf5_images_pass_over(const nm_hdf5_file *f, const char *path, const nm_h5_shape *s,
                                       nm_samples *samples, double *largest)
{
    size_t rows = nm_hdf5_rows_at_once(s), size = nm_shape_size(samples->shape);
    double *values = nm_alloc(f->ctx, rows * size, sizeof *values);
    nm_status status = values ? NM_OK : NM_FAILED;
    for (size_t first = 0; first < s->dims[0] && status == NM_OK; first += rows) {
        size_t count = s->dims[0] - first < rows ? s->dims[0] - first : rows;
        status = nm_h5_read_rows(f->h5, path, NM_H5_F64, first, count, values);
        if (status == NM_OK && !largest)
            status = convert(f, path, s, first, count, values, samples);
        for (size_t i = 0; largest && status == NM_OK && i < count * size; i++)
            *largest = values[i] > *largest ? values[i] : *largest;
    }
    nm_free(values);
    return status;
}

static nm_status find_scale(nm_hdf5_file *f, const char *path, const nm_h5_shape *s, nm_samples *samples)
{
    double largest = 0;
    f->scale = s->type == NM_H5_BOOL ? NM_SCALE_UNIT : NM_SCALE_AS_IS;
    if (nm_h5_is_float(s->type)) {
        NM_TRY(hdf5_images_pass_over(f, path, s, samples, &largest));
        f->scale = largest > 1 ? NM_SCALE_AS_IS : NM_SCALE_UNIT;
    }
    if (f->scale == NM_SCALE_UNIT)
        nm_log(f->ctx, "%s: %s is %s from 0 to 1, taken as uint8 from 0 to 255", f->path, path,
               nm_h5_type_name(s->type));
    return NM_OK;
}

nm_status nm_hdf5_read_images(nm_hdf5_file *f, const char *path, nm_samples *samples)
{
    nm_h5_shape s;
    NM_TRY(nm_h5_look(f->h5, path, &s));
    if (f->scale == NM_SCALE_UNKNOWN)
        NM_TRY(find_scale(f, path, &s, samples));
    if (s.type == NM_H5_U8 && f->layout == NM_LAYOUT_NHWC && f->scale == NM_SCALE_AS_IS)
        return nm_h5_read(f->h5, path, NM_H5_U8, s.rank, s.dims, samples->pixels);
    return hdf5_images_pass_over(f, path, &s, samples, NULL);
}
