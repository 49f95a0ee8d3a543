/* Reading checkpoints: whole and verified, or not at all. */
#include "checkpoint_read.h"
#include "alloc.h"
#include "printable.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- opening --------------------------------------------------------------------------- */

static nm_status check_format(nm_checkpoint *c)
{
    char *format = NULL, *by = NULL;
    int64_t version = 0;
    nm_status status = nm_h5_read_note_text(c->h5, "/", "format", &format);
    if (status == NM_OK && strcmp(format, NM_CHECKPOINT_FORMAT) != 0)
        status = nm_fail(c->ctx, NM_INVALID, "%s: not a checkpoint: expected format '%s', found '%s'", c->path,
                         NM_CHECKPOINT_FORMAT, format);
    if (status == NM_OK)
        status = nm_h5_read_note_int(c->h5, "/", "format_version", &version);
    if (status == NM_OK)
        status = nm_h5_read_note_text(c->h5, "/", "norma_version", &by);
    if (status == NM_OK && (version < 1 || version > NM_CHECKPOINT_VERSION))
        status = nm_fail(c->ctx, NM_INVALID,
                         "%s: a checkpoint of format version %lld, written by norma %s; expected at most %d, which is "
                         "what this norma %s reads",
                         c->path, (long long)version, by, NM_CHECKPOINT_VERSION, nm_version());
    nm_free(format);
    nm_free(by);
    return status;
}

static nm_status read_normalisation(nm_checkpoint *c)
{
    if (!nm_h5_has(c->h5, "/train/mean"))
        return NM_OK;
    nm_h5_shape shape;
    NM_TRY(nm_h5_look(c->h5, "/train/mean", &shape));
    if (shape.rank != 1 || shape.count < 1 || shape.count > INT32_MAX / 256)
        return nm_fail(c->ctx, NM_INVALID, "%s: /train/mean: expected one number a channel, found %zu of rank %d",
                       c->path, shape.count, shape.rank);
    NM_TRY(nm_normalisation_init(c->ctx, (int)shape.count, &c->normalisation));
    NM_TRY(nm_h5_read(c->h5, "/train/mean", NM_H5_F64, 1, shape.dims, c->normalisation.mean));
    NM_TRY(nm_h5_read(c->h5, "/train/deviation", NM_H5_F64, 1, shape.dims, c->normalisation.deviation));
    for (int i = 0; i < c->normalisation.channels; i++) {
        double mean = c->normalisation.mean[i], deviation = c->normalisation.deviation[i];
        if (!(fabs(mean) <= (double)FLT_MAX))
            return nm_fail(c->ctx, NM_INVALID, "%s: /train/mean is %g for channel %d; expected a finite number",
                           c->path, mean, i);
        if (!(deviation >= (double)FLT_MIN && deviation <= (double)FLT_MAX))
            return nm_fail(c->ctx, NM_INVALID, "%s: /train/deviation is %g for channel %d; expected a number above 0",
                           c->path, deviation, i);
    }
    return NM_OK;
}

/* The number at `path`, where it is there: at most what a double counts. */
static nm_status read_count(const nm_checkpoint *c, const char *path, uint64_t *value)
{
    if (!nm_h5_has(c->h5, path))
        return NM_OK;
    NM_TRY(nm_h5_read(c->h5, path, NM_H5_U64, 0, NULL, value));
    if (*value > (uint64_t)1 << 53)
        return nm_fail(c->ctx, NM_INVALID, "%s: %s is %llu; expected at most 2^53", c->path, path,
                       (unsigned long long)*value);
    return NM_OK;
}

/* The names, one a line. */
static nm_status read_classes(nm_checkpoint *c)
{
    NM_TRY(nm_h5_read_text(c->h5, "/train/classes", &c->classes));
    if (nm_text_is_printable(c->classes, "\n"))
        return NM_OK;
    return nm_fail(c->ctx, NM_INVALID,
                   "%s: /train/classes: expected names of printable characters in UTF-8, one a line; found '%.200s'",
                   c->path, c->classes);
}

static nm_status read_opened(nm_checkpoint *c, const char *path)
{
    if (!(c->path = nm_strdup(c->ctx, path)))
        return NM_FAILED;
    NM_TRY(nm_h5_open(c->ctx, path, true, &c->h5));
    NM_TRY(check_format(c));
    NM_TRY(nm_h5_read_text(c->h5, "/model_yaml", &c->model));
    NM_TRY(read_count(c, "/train/step", &c->step));
    NM_TRY(read_count(c, "/train/steps_per_epoch", &c->steps_per_epoch));
    if (nm_h5_has(c->h5, "/train/classes"))
        NM_TRY(read_classes(c));
    if (nm_h5_has(c->h5, "/train/data_digest"))
        NM_TRY(nm_h5_read_text(c->h5, "/train/data_digest", &c->data_digest));
    return read_normalisation(c);
}

nm_status nm_checkpoint_open(nm_context *ctx, const char *path, nm_checkpoint **out)
{
    *out = NULL;
    nm_checkpoint *c = nm_alloc(ctx, 1, sizeof *c);
    if (!c)
        return NM_FAILED;
    c->ctx = ctx;
    nm_status status = read_opened(c, path);
    if (status == NM_OK)
        *out = c;
    else
        nm_checkpoint_free(c);
    return status;
}

void nm_checkpoint_free(nm_checkpoint *c)
{
    if (!c)
        return;
    nm_h5_free(c->h5);
    nm_free(c->model);
    nm_free(c->classes);
    nm_normalisation_free(&c->normalisation);
    nm_free(c->data_digest);
    nm_free(c->path);
    nm_free(c);
}

const char *nm_checkpoint_model(const nm_checkpoint *c)
{
    return c->model;
}

const char *nm_checkpoint_classes(const nm_checkpoint *c)
{
    return c->classes && *c->classes ? c->classes : NULL;
}

const char *nm_checkpoint_data_digest(const nm_checkpoint *c)
{
    return c->data_digest && *c->data_digest ? c->data_digest : NULL;
}

uint64_t nm_checkpoint_step(const nm_checkpoint *c)
{
    return c->step;
}

uint64_t nm_checkpoint_epoch(const nm_checkpoint *c)
{
    return c->steps_per_epoch ? (c->step + c->steps_per_epoch - 1) / c->steps_per_epoch : 0;
}

const nm_normalisation *nm_checkpoint_normalisation(const nm_checkpoint *c)
{
    return &c->normalisation;
}

/* ---- parameters ------------------------------------------------------------------------ */

static void dims_text(int rank, const size_t *dims, const char *layout, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? "x" : "", dims[i]);
    if (used < size)
        snprintf(text + used, size - used, " (%s)", layout);
}

/* Whether the checkpoint holds the parameter in its shape and layout; with `say`, records what is
 * wrong. */
static nm_status compare_param(const nm_checkpoint *c, const nm_param *param, const char *path, bool say)
{
    nm_context *ctx = c->ctx;
    if (!nm_h5_has(c->h5, path))
        return say ? nm_fail(ctx, NM_INVALID, "%s: of another model: parameter '%s' is missing", c->path, param->name)
                   : NM_INVALID;
    nm_h5_shape found;
    char *layout;
    NM_TRY(nm_h5_look(c->h5, path, &found));
    NM_TRY(nm_h5_read_note_text(c->h5, path, "layout", &layout));
    size_t dims[NM_MAX_RANK];
    bool same = found.rank == param->rank && strcmp(layout, param->layout) == 0;
    for (int i = 0; i < param->rank; i++) {
        dims[i] = (size_t)param->dims[i];
        same = same && found.dims[i] == dims[i];
    }
    nm_status status = same ? NM_OK : NM_INVALID;
    if (!same && say) {
        char want[128], have[128];
        dims_text(param->rank, dims, param->layout, want, sizeof want);
        dims_text(found.rank, found.dims, layout, have, sizeof have);
        nm_fail(ctx, NM_INVALID, "%s: of another model: parameter '%s': expected %s, found %s", c->path, param->name,
                want, have);
    }
    nm_free(layout);
    return status;
}

nm_status nm_checkpoint_values(const nm_checkpoint *c, const char *path, const nm_param *param, real *values)
{
    size_t dims[NM_MAX_RANK];
    for (int i = 0; i < param->rank; i++)
        dims[i] = (size_t)param->dims[i];
    return nm_h5_read(c->h5, path, NM_H5_REAL, param->rank, dims, values);
}

typedef struct surplus {
    const nm_checkpoint *c;
    const nm_network *net;
    const char *layer;
    bool found;
} surplus;

static nm_status surplus_param(void *arg, const char *name, bool is_group)
{
    (void)is_group;
    surplus *s = arg;
    char *whole = nm_format(s->c->ctx, "%s/%s", s->layer, name);
    if (!whole)
        return NM_FAILED;
    if (nm_network_find_param(s->net, whole) < 0) {
        s->found = true;
        nm_fail(s->c->ctx, NM_INVALID, "%s: of another model: its parameter '%s' has no place in this one", s->c->path,
                whole);
    }
    nm_free(whole);
    return NM_OK;
}

static nm_status surplus_layer(void *arg, const char *name, bool is_group)
{
    surplus *s = arg;
    if (!is_group)
        return NM_OK;
    s->layer = name;
    char *path = nm_format(s->c->ctx, "/model/%s", name);
    nm_status status = path ? nm_h5_each(s->c->h5, path, surplus_param, s) : NM_FAILED;
    nm_free(path);
    return status;
}

/* Names everything that does not fit before anything is loaded. */
static nm_status compare_all(const nm_checkpoint *c, const nm_network *net)
{
    nm_status status = NM_OK;
    for (int i = 0; i < net->params; i++) {
        char *path = nm_format(c->ctx, "/model/%s", net->param[i].name);
        nm_status one = path ? compare_param(c, &net->param[i], path, true) : NM_FAILED;
        nm_free(path);
        status = one != NM_OK ? one : status;
    }
    surplus s = {.c = c, .net = net};
    NM_TRY(nm_h5_each(c->h5, "/model", surplus_layer, &s));
    return s.found ? NM_INVALID : status;
}

nm_status nm_checkpoint_load(nm_context *ctx, const nm_checkpoint *c, nm_network *net, bool partial, int *taken)
{
    int count = 0;
    if (!partial)
        NM_TRY(compare_all(c, net));
    for (int i = 0; i < net->params; i++) {
        nm_param *param = &net->param[i];
        char *path = nm_format(ctx, "/model/%s", param->name);
        nm_status status = path ? NM_OK : NM_FAILED;
        bool fits = path && (!partial || compare_param(c, param, path, false) == NM_OK);
        if (fits)
            status = nm_checkpoint_values(c, path, param, nm_param_values(net, param));
        count += fits;
        nm_free(path);
        NM_TRY(status);
    }
    if (taken)
        *taken = count;
    return NM_OK;
}
