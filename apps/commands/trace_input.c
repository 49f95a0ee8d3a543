/* What `norma trace` is given: images, labels or targets, parameters. */
#include "trace.h"

#include "alloc.h"
#include "dataset.h"

#include <stdio.h>
#include <string.h>

void free_given(given *g, int inputs)
{
    for (int i = 0; g->x && i < inputs; i++)
        nm_free(g->x[i]);
    nm_free(g->x);
    nm_free(g->labels);
    nm_free(g->values);
}

/* Reads numbers of the shape (n, h, w, c); n is set by the first that is read. */
static nm_status read_images(nm_context *ctx, nm_h5 *h5, const char *file, const char *path, nm_shape s, int *n,
                             real **out)
{
    nm_h5_shape found;
    NM_TRY(nm_h5_look(h5, path, &found));
    bool fits = found.rank == 4 && found.dims[1] == (size_t)s.h && found.dims[2] == (size_t)s.w &&
                found.dims[3] == (size_t)s.c && found.dims[0] >= 1 && found.dims[0] <= 1 << 20 &&
                (*n == 0 || found.dims[0] == (size_t)*n);
    if (!fits) {
        char text[128] = "";
        for (int i = 0; i < found.rank && i < 8; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu", i ? ", " : "", found.dims[i]);
        return nm_fail(ctx, NM_INVALID, "%s: %s: expected (n, %d, %d, %d); found (%s)", file, path, s.h, s.w, s.c,
                       text);
    }
    *n = (int)found.dims[0];
    *out = nm_alloc(ctx, found.count + 1, sizeof **out);
    return *out ? nm_h5_read(h5, path, NM_H5_REAL, 4, found.dims, *out) : NM_FAILED;
}

/* The shape of what labels or targets are for: the predictions of the losses that take them, with
 * the classes that all have. Without such a loss, the output. */
static nm_shape judged_shape(const nm_network *net)
{
    nm_shape shape = {0, 0, 0};
    for (int i = 0; i < net->objectives; i++) {
        nm_shape s = net->node[net->objective[i].from].out;
        if (net->objective[i].target < 0)
            shape = shape.c && shape.c < s.c ? shape : s;
    }
    return shape.c ? shape : net->node[net->output].out;
}

/* All losses read the same labels or values. */
static nm_status check_heads(nm_context *ctx, const char *file, const nm_network *net, bool values)
{
    nm_shape all = judged_shape(net);
    for (int i = 0; i < net->objectives; i++) {
        const nm_objective *o = &net->objective[i];
        nm_shape s = net->node[o->from].out;
        bool fits = s.h == all.h && s.w == all.w && (s.c == all.c || (o->type->classifies && !values));
        if (o->target < 0 && !fits)
            return nm_fail(ctx, NM_INVALID,
                           "%s: the losses judge predictions of different shapes, of which '%s' is " NM_SHAPE_FMT
                           "; one set of labels or targets does not fit all",
                           file, net->node[o->from].name, NM_SHAPE_ARGS(s));
    }
    return NM_OK;
}

static nm_status read_labels(nm_context *ctx, nm_h5 *h5, const char *file, const nm_network *net, given *g)
{
    nm_shape out = judged_shape(net);
    size_t places = (size_t)g->n * (size_t)out.h * (size_t)out.w;
    nm_h5_shape found;
    NM_TRY(nm_h5_look(h5, "/labels", &found));
    if (found.count != places)
        return nm_fail(ctx, NM_INVALID, "%s: /labels: expected %zu; found %zu", file, places, found.count);
    g->labels = nm_alloc(ctx, places + 1, sizeof *g->labels);
    if (!g->labels)
        return NM_FAILED;
    NM_TRY(nm_h5_read(h5, "/labels", NM_H5_I32, found.rank, found.dims, g->labels));
    for (size_t i = 0; i < places; i++) {
        if (out.h * out.w > 1 && g->labels[i] == NM_VOID_LABEL)
            g->labels[i] = NM_NO_LABEL;
        if (g->labels[i] >= out.c)
            return nm_fail(ctx, NM_INVALID, "%s: /labels: number %zu is %d; the network has %d classes", file, i,
                           g->labels[i], out.c);
    }
    return NM_OK;
}

/* /targets, or the labels one-hot. */
static nm_status make_values(nm_context *ctx, nm_h5 *h5, const char *file, const nm_network *net, given *g)
{
    nm_shape out = judged_shape(net);
    if (nm_h5_has(h5, "/targets"))
        return read_images(ctx, h5, file, "/targets", out, &g->n, &g->values);
    size_t places = (size_t)g->n * (size_t)out.h * (size_t)out.w;
    g->values = nm_alloc(ctx, places * (size_t)out.c + 1, sizeof *g->values);
    if (!g->values)
        return NM_FAILED;
    for (size_t i = 0; g->labels && i < places; i++)
        if (g->labels[i] >= 0)
            g->values[i * (size_t)out.c + (size_t)g->labels[i]] = 1;
    return NM_OK;
}

/* /model/LAYER/NAME takes the place of a parameter's or running statistic's value. */
static nm_status read_params(nm_h5 *h5, const nm_network *net)
{
    nm_status status = NM_OK;
    for (int i = 0; i < net->params && status == NM_OK; i++) {
        const nm_param *p = &net->param[i];
        char path[PATH_SIZE];
        size_t dims[NM_MAX_RANK];
        for (int d = 0; d < p->rank; d++)
            dims[d] = (size_t)p->dims[d];
        snprintf(path, sizeof path, "/model/%s", p->name);
        if (nm_h5_has(h5, path))
            status = nm_h5_read(h5, path, NM_H5_REAL, p->rank, dims, nm_param_values(net, p));
    }
    return status;
}

/* Whether each loss finds what it takes. */
static nm_status check_targets(nm_context *ctx, const char *file, const nm_network *net, bool labels, bool targets)
{
    for (int i = 0; i < net->objectives; i++) {
        const nm_objective *o = &net->objective[i];
        if (o->target < 0 && !labels && !targets)
            return nm_fail(ctx, NM_INVALID, "%s: expected /labels (n), or /targets, for the loss", file);
        if (o->target < 0 && !labels && o->type->classifies && !o->type->soft)
            return nm_fail(ctx, NM_INVALID, "%s: %s takes classes: expected /labels (n), found /targets alone", file,
                           o->type->name);
    }
    return NM_OK;
}

nm_status read_given(nm_context *ctx, const char *file, const nm_network *net, given *g)
{
    nm_h5 *h5;
    NM_TRY(nm_h5_open(ctx, file, false, &h5));
    g->x = nm_alloc(ctx, (size_t)net->inputs + 1, sizeof *g->x);
    nm_status status = g->x ? read_params(h5, net) : NM_FAILED;
    if (status == NM_OK)
        status = check_heads(ctx, file, net, nm_h5_has(h5, "/targets"));
    for (int i = 0; i < net->inputs && status == NM_OK; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "/inputs/%s", net->node[i].name);
        status =
            read_images(ctx, h5, file, i == 0 && !nm_h5_has(h5, path) ? "/x" : path, net->node[i].out, &g->n, &g->x[i]);
    }
    if (status == NM_OK && nm_h5_has(h5, "/labels"))
        status = read_labels(ctx, h5, file, net, g);
    if (status == NM_OK)
        status = make_values(ctx, h5, file, net, g);
    if (status == NM_OK)
        status = check_targets(ctx, file, net, g->labels != NULL, nm_h5_has(h5, "/targets"));
    nm_h5_free(h5);
    return status;
}
