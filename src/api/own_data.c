/* Data sets of training.h: their samples, by name, batches. */
#include "api_types.h"

#include "alloc.h"
#include "loader.h"

#include <string.h>

/* ---- samples ---- */

size_t nm_element_size(nm_element type)
{
    return type == NM_UINT8 ? 1 : type == NM_INT64 ? 8 : 4;
}

void nm_data_gather(const nm_data *data, const nm_data_split *s, int index, void *to)
{
    size_t size = nm_element_size(s->type);
    const char *from = (const char *)s->images + index * s->strides[0] * (ptrdiff_t)size;
    nm_shape shape = data->shape;
    if (s->packed) {
        memcpy(to, from, nm_shape_size(shape) * size);
        return;
    }
    char *end = to;
    for (int y = 0; y < shape.h; y++)
        for (int x = 0; x < shape.w; x++)
            for (int c = 0; c < shape.c; c++, end += size)
                memcpy(end, from + (y * s->strides[1] + x * s->strides[2] + c * s->strides[3]) * (ptrdiff_t)size, size);
}

nm_status nm_data_pack(nm_context *ctx, const nm_data *data, nm_data_split *s)
{
    size_t size = nm_shape_size(data->shape), each = size * nm_element_size(s->type);
    char *block = nm_alloc(ctx, (size_t)s->count, each);
    if (!block)
        return NM_FAILED;
    for (int i = 0; i < s->count; i++)
        nm_data_gather(data, s, i, block + (size_t)i * each);
    s->images = s->own_images = block;
    memcpy(s->strides,
           (const ptrdiff_t[4]){(ptrdiff_t)size, (ptrdiff_t)data->shape.w * data->shape.c, data->shape.c, 1},
           sizeof s->strides);
    s->packed = true;
    return NM_OK;
}

static nm_status make_table(nm_context *ctx, nm_data *data)
{
    real *table;
    NM_TRY(nm_pixel_table_new(ctx, &data->normalisation, data->shape.c, data->binary, &table));
    nm_free(data->table);
    data->table = table;
    return NM_OK;
}

nm_status nm_data_measure(nm_context *ctx, nm_data *data)
{
    nm_data_split copy = data->split[NM_TRAIN_SPLIT];
    if (copy.type != NM_UINT8)
        return NM_OK;
    size_t size = nm_shape_size(data->shape);
    bool whole = copy.packed && copy.strides[0] == (ptrdiff_t)size;
    copy.own_images = NULL;
    if (!whole)
        NM_TRY(nm_data_pack(ctx, data, &copy));
    nm_samples samples = {.count = copy.count, .shape = data->shape, .pixels = (uint8_t *)copy.images};
    nm_status status = nm_dataset_normalisation(ctx, &samples, &data->normalisation);
    nm_free(copy.own_images);
    return status == NM_OK ? make_table(ctx, data) : status;
}

/* ---- by name ---- */

static void point_split(nm_data_split *s, const nm_samples *samples)
{
    nm_shape shape = samples->shape;
    *s = (nm_data_split){.count = samples->count,
                         .images = samples->pixels,
                         .type = NM_UINT8,
                         .strides = {(ptrdiff_t)nm_shape_size(shape), (ptrdiff_t)shape.w * shape.c, shape.c, 1},
                         .packed = true,
                         .labels = samples->labels,
                         .targets_each = (int)nm_label_places(samples)};
}

static nm_status take_normalisation(nm_context *ctx, const nm_normalisation *from, bool binary, nm_data *data)
{
    data->binary = binary;
    NM_TRY(binary && from->channels == 0 ? nm_normalisation_init(ctx, data->shape.c, &data->normalisation)
                                         : nm_normalisation_copy(ctx, from, &data->normalisation));
    return make_table(ctx, data);
}

nm_status nm_data_from_set(nm_context *ctx, nm_dataset *set, const nm_normalisation *normalisation, bool binary,
                           nm_data **out)
{
    *out = NULL;
    nm_data *data = nm_alloc(ctx, 1, sizeof *data);
    if (!data) {
        nm_dataset_free(set);
        return NM_FAILED;
    }
    *data = (nm_data){.named = set, .name = set->name, .shape = set->train.shape, .classes = set->classes};
    point_split(&data->split[NM_TRAIN_SPLIT], &set->train);
    point_split(&data->split[NM_TEST_SPLIT], &set->test);
    nm_status status =
        normalisation ? take_normalisation(ctx, normalisation, binary, data) : nm_data_measure(ctx, data);
    if (status == NM_OK)
        *out = data;
    else
        nm_data_free(data);
    return status;
}

static nm_status open_named(nm_context *ctx, const char *name, const nm_data_form *form, nm_data **out)
{
    nm_dataset *set;
    NM_TRY(nm_dataset_open(ctx, name, form, &set));
    return nm_data_from_set(ctx, set, NULL, false, out);
}

nm_status nm_data_open(nm_context *ctx, const char *name, nm_data **out)
{
    *out = NULL;
    nm_errors_clear(ctx);
    return open_named(ctx, name, NULL, out);
}

nm_status nm_data_open_for(nm_context *ctx, const nm_network *net, const char *name, nm_data **out)
{
    const nm_train_settings *settings = nm_settings_of(net);
    *out = NULL;
    nm_errors_clear(ctx);
    nm_data_form form = nm_settings_form(settings, net);
    return open_named(ctx, name ? name : settings->data, &form, out);
}

void nm_data_free(nm_data *data)
{
    if (!data)
        return;
    for (int s = 0; s < 2; s++) {
        nm_free(data->split[s].own_images);
        nm_free(data->split[s].own_labels);
        nm_free(data->split[s].own_values);
    }
    for (int c = 0; data->class_names && c < data->classes; c++)
        nm_free(data->class_names[c]);
    nm_free(data->class_names);
    nm_dataset_free(data->named);
    nm_normalisation_free(&data->normalisation);
    nm_free(data->table);
    nm_free(data);
}

/* ---- looking ---- */

int nm_data_count(const nm_data *data, int split)
{
    return split == NM_TRAIN_SPLIT || split == NM_TEST_SPLIT ? data->split[split].count : 0;
}

void nm_data_shape(const nm_data *data, int *height, int *width, int *channels)
{
    *height = data->shape.h;
    *width = data->shape.w;
    *channels = data->shape.c;
}

int nm_data_classes(const nm_data *data)
{
    return data->classes;
}

const char *nm_data_source(const nm_data *data)
{
    return data->named ? data->named->found : data->name;
}

int nm_data_labels(const nm_data *data, int split)
{
    return nm_data_count(data, split) && data->split[split].labels ? data->split[split].targets_each : 0;
}

const char *nm_data_class_name(const nm_data *data, int index)
{
    char *const *names = data->class_names ? data->class_names : data->named->class_names;
    return index >= 0 && index < data->classes ? names[index] : "";
}

static nm_status check_pixels(nm_context *ctx, const nm_data *data)
{
    return data->table ? NM_OK : nm_fail(ctx, NM_INVALID, "the images are float values, which are not normalised");
}

nm_status nm_data_normalisation(nm_context *ctx, const nm_data *data, double *mean, double *deviation)
{
    nm_errors_clear(ctx);
    NM_TRY(check_pixels(ctx, data));
    size_t size = (size_t)data->shape.c * sizeof(double);
    memcpy(mean, data->normalisation.mean, size);
    memcpy(deviation, data->normalisation.deviation, size);
    return NM_OK;
}

nm_status nm_data_set_normalisation(nm_context *ctx, nm_data *data, const double *mean, const double *deviation)
{
    nm_errors_clear(ctx);
    NM_TRY(check_pixels(ctx, data));
    for (int c = 0; c < data->shape.c; c++)
        if (!(deviation[c] > 0) || !(mean[c] - mean[c] == 0))
            return nm_fail(ctx, NM_INVALID, "channel %d: expected a mean and a deviation above 0; found %g and %g", c,
                           mean[c], deviation[c]);
    size_t size = (size_t)data->shape.c * sizeof(double);
    memcpy(data->normalisation.mean, mean, size);
    memcpy(data->normalisation.deviation, deviation, size);
    return make_table(ctx, data);
}

/* ---- batches ---- */

void nm_data_shuffle(const nm_data *data, uint64_t seed, uint32_t epoch, int *order)
{
    int count = data->split[NM_TRAIN_SPLIT].count;
    for (int i = 0; i < count; i++)
        order[i] = i;
    nm_shuffle_epoch(seed, epoch, order, count);
}

static nm_status check_batch(nm_context *ctx, const nm_data *data, int split, int n, const int *indices)
{
    int count = nm_data_count(data, split);
    if (n < 1)
        return nm_fail(ctx, NM_INVALID, "expected at least one sample, found %d", n);
    for (int i = 0; i < n; i++)
        if (indices[i] < 0 || indices[i] >= count)
            return nm_fail(ctx, NM_INVALID, "sample %d of the batch: there is no index %d; the split has %d samples", i,
                           indices[i], count);
    return NM_OK;
}

static void put_image(const nm_data *data, const nm_data_split *s, int index, void *packed, nm_real *x)
{
    size_t size = nm_shape_size(data->shape);
    nm_data_gather(data, s, index, packed);
    if (s->type == NM_UINT8)
        nm_normalise(data->table, data->shape.c, packed, size, x);
    for (size_t k = 0; k < size && s->type == NM_FLOAT32; k++)
        x[k] = (nm_real)((const float *)packed)[k];
}

nm_status nm_data_batch(nm_context *ctx, const nm_data *data, int split, int n, const int *indices, nm_real *x,
                        int32_t *labels, nm_real *values)
{
    nm_errors_clear(ctx);
    NM_TRY(check_batch(ctx, data, split, n, indices));
    const nm_data_split *s = &data->split[split];
    if ((labels && !s->labels) || (values && !s->values))
        return nm_fail(ctx, NM_INVALID, "the data has no %s", labels && !s->labels ? "labels" : "values as targets");
    size_t size = nm_shape_size(data->shape), each = (size_t)s->targets_each;
    void *packed = nm_alloc(ctx, size, nm_element_size(s->type));
    if (!packed)
        return NM_FAILED;
    for (int i = 0; i < n; i++) {
        size_t from = (size_t)indices[i] * each, to = (size_t)i * each;
        put_image(data, s, indices[i], packed, x + (size_t)i * size);
        if (labels)
            memcpy(labels + to, s->labels + from, each * sizeof *labels);
        for (size_t k = 0; k < each && values; k++)
            values[to + k] = (nm_real)s->values[from + k];
    }
    nm_free(packed);
    return NM_OK;
}
