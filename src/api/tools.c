/* The public functions of tools.h. */
#include <norma/tools.h>

#include "alloc.h"
#include "evaluate.h"
#include "file.h"
#include "idx.h"
#include "predictor.h"

#include <stdio.h>
#include <string.h>

/* ---- what a predictor is -------------------------------------------------------------------- */

const char *nm_predictor_file(const nm_predictor *p)
{
    return p->file;
}

uint64_t nm_predictor_step(const nm_predictor *p)
{
    return p->step;
}

uint64_t nm_predictor_epoch(const nm_predictor *p)
{
    return p->epoch;
}

/* Name `index` of texts that stand one behind the other, the last one empty. */
static const char *name_at(const char *names, int index)
{
    for (; names && *names && index > 0; index--)
        names += strlen(names) + 1;
    return names && *names && index == 0 ? names : NULL;
}

const char *nm_predictor_class_name(const nm_predictor *p, int index)
{
    return (size_t)index < p->outputs ? name_at(p->names, index) : NULL;
}

nm_status nm_predictor_check_classifier(nm_context *ctx, const nm_predictor *p)
{
    const nm_network *net = p->net;
    nm_shape out = net->node[net->output].out;
    nm_errors_clear(ctx);
    if (out.h * out.w == 1 && (net->objectives == 0 || net->judge >= 0))
        return NM_OK;
    return nm_fail(ctx, NM_INVALID,
                   "%s: its prediction '%s' of " NM_SHAPE_FMT " is not a score for each class; norma trace shows it",
                   p->file, net->node[net->output].name, NM_SHAPE_ARGS(out));
}

/* ---- evaluation ------------------------------------------------------------------------------ */

struct nm_report {
    nm_dataset *data;
    nm_evaluation e;
};

static nm_status evaluate(nm_context *ctx, nm_predictor *p, const char *data, int limit, int batch, nm_report *r)
{
    const nm_train_settings *s = p->settings;
    NM_TRY(nm_trained_data_open(ctx, data, s, p->net, p->classes, &r->data));
    if (r->data->test.count == 0)
        return nm_fail(ctx, NM_INVALID, "%s: it has no test samples", r->data->found);
    return nm_evaluate(ctx, p->net, &r->data->test, limit, batch > 0 ? batch : s->eval_batch, &p->normalisation,
                       s->binary, &r->e);
}

nm_status nm_predictor_evaluate(nm_context *ctx, nm_predictor *p, const char *data, int limit, int batch,
                                nm_report **out)
{
    *out = NULL;
    nm_errors_clear(ctx);
    nm_report *r = nm_alloc(ctx, 1, sizeof *r);
    nm_status status = r ? evaluate(ctx, p, data, limit, batch, r) : NM_FAILED;
    if (status == NM_OK)
        *out = r;
    else
        nm_report_free(r);
    return status;
}

void nm_report_free(nm_report *r)
{
    if (!r)
        return;
    nm_evaluation_free(&r->e);
    nm_dataset_free(r->data);
    nm_free(r);
}

int nm_report_samples(const nm_report *r)
{
    return r->e.samples;
}

double nm_report_loss(const nm_report *r)
{
    return r->e.loss;
}

double nm_report_accuracy(const nm_report *r)
{
    return r->e.accuracy;
}

int nm_report_classes(const nm_report *r)
{
    return r->e.classes;
}

const char *nm_report_class_name(const nm_report *r, int index)
{
    return index >= 0 && index < r->data->classes ? r->data->class_names[index] : NULL;
}

void nm_report_class(const nm_report *r, int index, nm_class_score *out)
{
    const nm_class_count *n = &r->e.of_class[index];
    *out = (nm_class_score){n->samples, n->right, n->predicted};
}

const int *nm_report_confusion(const nm_report *r)
{
    return r->e.confusion;
}

int nm_report_most_confused(void)
{
    return NM_MOST_CONFUSED;
}

/* ---- images from files --------------------------------------------------------------------- */

struct nm_images {
    nm_predictor *predictor;
    char *path, *name;
    char *bytes; /* [size]: of the file of one image */
    size_t size;
    nm_samples many; /* of an IDX file; no pixels where it is none */
};

enum { DIGITS = 16 }; /* of "[index]", with what ends the text */

const char *nm_image_formats(void)
{
    return NM_IMAGE_FORMATS;
}

static nm_status open_many(nm_context *ctx, nm_images *images)
{
    NM_TRY(nm_idx_file(ctx, images->path, &images->many));
    int channels = images->predictor->net->node[0].out.c;
    if (images->many.shape.c != channels)
        return nm_fail(ctx, NM_INVALID, "%s: images of %d channel; the network takes %d", images->path,
                       images->many.shape.c, channels);
    return NM_OK;
}

static nm_status open_images(nm_context *ctx, const char *path, nm_images *images)
{
    images->path = nm_strdup(ctx, path);
    images->name = nm_alloc(ctx, strlen(path) + DIGITS, 1);
    if (!images->path || !images->name)
        return NM_FAILED;
    NM_TRY(nm_file_read(ctx, path, &images->bytes, &images->size));
    bool gzip = images->size > 2 && memcmp(images->bytes, "\x1f\x8b", 2) == 0;
    bool idx = images->size > 4 && memcmp(images->bytes, "\0\0\x08", 3) == 0;
    if (gzip || idx)
        return open_many(ctx, images);
    if (images->size > 0 && !nm_image_known(images->bytes, images->size))
        return nm_fail(ctx, NM_INVALID,
                       "%s: expected a " NM_IMAGE_FORMATS " image, or an IDX file; it starts with the mark of none",
                       path);
    return NM_OK;
}

nm_status nm_images_open(nm_context *ctx, nm_predictor *p, const char *path, nm_images **out)
{
    *out = NULL;
    nm_errors_clear(ctx);
    nm_images *images = nm_alloc(ctx, 1, sizeof *images);
    if (!images)
        return NM_FAILED;
    images->predictor = p;
    nm_status status = open_images(ctx, path, images);
    if (status == NM_OK)
        *out = images;
    else
        nm_images_free(images);
    return status;
}

void nm_images_free(nm_images *images)
{
    if (!images)
        return;
    nm_free(images->path);
    nm_free(images->name);
    nm_free(images->bytes);
    nm_free(images->many.pixels);
    nm_free(images->many.labels);
    nm_free(images);
}

int nm_images_count(const nm_images *images)
{
    return images->many.pixels ? images->many.count : 1;
}

const char *nm_images_name(nm_images *images, int index)
{
    if (!images->many.pixels)
        return images->path;
    snprintf(images->name, strlen(images->path) + DIGITS, "%s[%d]", images->path, index);
    return images->name;
}

nm_status nm_images_read(nm_context *ctx, nm_images *images, int index, uint8_t *pixels)
{
    nm_predictor *p = images->predictor;
    nm_shape in = p->net->node[0].out;
    nm_errors_clear(ctx);
    if (index < 0 || index >= nm_images_count(images))
        return nm_fail(ctx, NM_INVALID, "%s: has %d images, from 0; found %d", images->path, nm_images_count(images),
                       index);
    p->images.ctx = ctx;
    if (!images->many.pixels)
        return nm_image_decode(&p->images, images->path, images->bytes, images->size, in, pixels);
    const uint8_t *from = images->many.pixels + (size_t)index * nm_shape_size(images->many.shape);
    return nm_image_resize(ctx, &p->images.rules, images->many.shape, from, in, pixels);
}

void nm_predictor_log_images(const nm_predictor *p)
{
    nm_image_report(&p->images);
}
