/* Data sets of training.h from arrays of the caller. */
#include "api_types.h"

#include "alloc.h"
#include "classes.h"

#include <stdio.h>
#include <string.h>

/* ---- checks ---- */

static nm_status check_arrays(nm_context *ctx, const char *which, const nm_arrays *a)
{
    if (a->count < 1 || a->height < 1 || a->width < 1 || a->channels < 1 || !a->images)
        return nm_fail(ctx, NM_INVALID, "%s arrays: expected images, at least one of 1x1x1; found %d of %dx%dx%d%s",
                       which, a->count, a->height, a->width, a->channels, a->images ? "" : ", images NULL");
    if (a->images_type != NM_UINT8 && a->images_type != NM_FLOAT32)
        return nm_fail(ctx, NM_INVALID, "%s arrays: images_type must be NM_UINT8 or NM_FLOAT32", which);
    if (!a->targets)
        return NM_OK;
    if (a->targets_each < 1)
        return nm_fail(ctx, NM_INVALID, "%s arrays: targets_each must be at least 1; found %d", which, a->targets_each);
    if (a->targets_type != NM_FLOAT32 && a->targets_each != 1 && a->targets_each != a->height * a->width)
        return nm_fail(ctx, NM_INVALID,
                       "%s arrays: expected 1 label for each image or %d, one for each pixel; found targets_each %d",
                       which, a->height * a->width, a->targets_each);
    return NM_OK;
}

static int64_t label_at(const nm_arrays *a, size_t i)
{
    switch (a->targets_type) {
    case NM_UINT8:
        return ((const uint8_t *)a->targets)[i];
    case NM_INT64:
        return ((const int64_t *)a->targets)[i];
    default:
        return ((const int32_t *)a->targets)[i];
    }
}

/* Copies the labels; *classes 0 grows to what they need. */
static nm_status take_labels(nm_context *ctx, const char *which, const nm_arrays *a, int given, int *classes,
                             nm_data_split *s)
{
    size_t count = (size_t)a->count * (size_t)a->targets_each;
    int32_t *labels = nm_alloc(ctx, count, sizeof *labels);
    s->labels = s->own_labels = labels;
    if (!labels)
        return NM_FAILED;
    int64_t most = given ? given : INT32_MAX;
    for (size_t i = 0; i < count; i++) {
        int64_t label = label_at(a, i);
        if (label != NM_IGNORED_LABEL && (label < 0 || label >= most))
            return nm_fail(ctx, NM_INVALID, "%s arrays: label %zu is %lld; expected 0 to %lld, or %d for none", which,
                           i, (long long)label, (long long)most - 1, NM_IGNORED_LABEL);
        labels[i] = (int32_t)label;
        *classes = labels[i] >= *classes ? labels[i] + 1 : *classes;
    }
    return NM_OK;
}

static nm_status take_values(nm_context *ctx, const nm_arrays *a, nm_data_split *s)
{
    size_t count = (size_t)a->count * (size_t)a->targets_each;
    s->values = a->targets;
    if (a->borrow)
        return NM_OK;
    if (!(s->own_values = nm_alloc(ctx, count, sizeof(float))))
        return NM_FAILED;
    s->values = memcpy(s->own_values, a->targets, count * sizeof(float));
    return NM_OK;
}

static nm_status take_split(nm_context *ctx, const char *which, const nm_arrays *a, int classes, nm_data *data,
                            nm_data_split *s)
{
    nm_shape shape = {a->height, a->width, a->channels};
    ptrdiff_t packed[4] = {(ptrdiff_t)nm_shape_size(shape), (ptrdiff_t)shape.w * shape.c, shape.c, 1};
    bool plain = memcmp(a->strides, (const ptrdiff_t[4]){0}, sizeof packed) == 0;
    *s = (nm_data_split){
        .count = a->count, .images = a->images, .type = a->images_type, .targets_each = a->targets_each};
    memcpy(s->strides, plain ? packed : a->strides, sizeof packed);
    s->packed = memcmp(s->strides + 1, packed + 1, 3 * sizeof *packed) == 0;
    if (!a->borrow)
        NM_TRY(nm_data_pack(ctx, data, s));
    if (!a->targets)
        return NM_OK;
    return a->targets_type == NM_FLOAT32 ? take_values(ctx, a, s)
                                         : take_labels(ctx, which, a, classes, &data->classes, s);
}

static nm_status name_classes(nm_context *ctx, nm_data *data, const char *const *names)
{
    char number[24];
    if (!(data->class_names = nm_alloc(ctx, (size_t)data->classes + 1, sizeof *data->class_names)))
        return NM_FAILED;
    for (int c = 0; c < data->classes; c++) {
        snprintf(number, sizeof number, "%d", c);
        if (names)
            NM_TRY(nm_class_name_check(ctx, data->name, c, names[c]));
        if (!(data->class_names[c] = nm_strdup(ctx, names ? names[c] : number)))
            return NM_FAILED;
    }
    return NM_OK;
}

static nm_status same_kind(nm_context *ctx, const nm_arrays *train, const nm_arrays *test)
{
    if (train->height != test->height || train->width != test->width || train->channels != test->channels)
        return nm_fail(ctx, NM_INVALID,
                       "test arrays: expected images of %dx%dx%d as the training arrays; found %dx%dx%d", train->height,
                       train->width, train->channels, test->height, test->width, test->channels);
    if (train->images_type != test->images_type)
        return nm_fail(ctx, NM_INVALID, "test arrays: expected images of the training arrays' type");
    bool values[2] = {train->targets_type == NM_FLOAT32, test->targets_type == NM_FLOAT32};
    if (train->targets && test->targets && (values[0] != values[1] || train->targets_each != test->targets_each))
        return nm_fail(ctx, NM_INVALID,
                       "test arrays: expected targets as the training arrays have, %d %s for each image",
                       train->targets_each, values[0] ? "values" : "labels");
    return NM_OK;
}

/* Copies of the callers' structs. */
static nm_status read_arrays(nm_context *ctx, const nm_arrays *train, const nm_arrays *test, nm_arrays own[2])
{
    own[1] = (nm_arrays){0};
    NM_TRY(nm_sized_read(ctx, "NM_ARRAYS_INIT", train, &own[0], sizeof own[0]));
    NM_TRY(check_arrays(ctx, "training", &own[0]));
    if (!test)
        return NM_OK;
    NM_TRY(nm_sized_read(ctx, "NM_ARRAYS_INIT", test, &own[1], sizeof own[1]));
    NM_TRY(check_arrays(ctx, "test", &own[1]));
    return same_kind(ctx, &own[0], &own[1]);
}

static nm_status fill_from_arrays(nm_context *ctx, const nm_arrays own[2], int classes, const char *const *names,
                                  nm_data *data)
{
    data->name = "arrays";
    data->shape = (nm_shape){own[0].height, own[0].width, own[0].channels};
    data->classes = classes;
    NM_TRY(take_split(ctx, "training", &own[0], classes, data, &data->split[NM_TRAIN_SPLIT]));
    if (own[1].count)
        NM_TRY(take_split(ctx, "test", &own[1], classes, data, &data->split[NM_TEST_SPLIT]));
    NM_TRY(name_classes(ctx, data, classes ? names : NULL));
    return nm_data_measure(ctx, data);
}

nm_status nm_data_from_arrays(nm_context *ctx, const nm_arrays *train, const nm_arrays *test, int classes,
                              const char *const *names, nm_data **out)
{
    nm_arrays own[2];
    *out = NULL;
    nm_errors_clear(ctx);
    if (classes < 0)
        return nm_fail(ctx, NM_INVALID, "expected a number of classes of at least 0, found %d", classes);
    NM_TRY(read_arrays(ctx, train, test, own));
    nm_data *data = nm_alloc(ctx, 1, sizeof *data);
    if (!data)
        return NM_FAILED;
    nm_status status = fill_from_arrays(ctx, own, classes, names, data);
    if (status == NM_OK)
        *out = data;
    else
        nm_data_free(data);
    return status;
}
