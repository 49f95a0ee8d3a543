/* Receptive fields: size r, jump j, start s (centre of the first unit), composed layer by layer:
 *
 *     r += (k - 1) * d * j      s += ((k - 1) * d / 2 - pad) * j      j *= stride
 *
 * and for a transposed convolution, where with g = gcd(d, stride) a unit meets every stride / g-th tap at most, d / g
 * inputs apart,
 *
 *     r += floor((k - 1) * g / stride) * d / g * j      s += (pad - (k - 1) * d / 2) / stride * j      j /= stride
 *
 * (Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019). */
#include "alloc.h"
#include "network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether `taps` inputs, `apart` steps of `jump` pixels from each other, leave holes between what they see. */
static bool leaves_gaps(const nm_receptive *r, int taps, int apart, int axis)
{
    return taps > 1 && apart * r->jump[axis] > r->size[axis];
}

static int common_divisor(int a, int b)
{
    return b ? common_divisor(b, a % b) : a;
}

static void through_transposed(const nm_window *w, int axis, nm_receptive *r)
{
    int common = common_divisor(w->dilation[axis], w->stride[axis]), apart = w->dilation[axis] / common;
    int taps = (w->kernel[axis] - 1) * common / w->stride[axis] + 1;
    double reach = (double)(w->kernel[axis] - 1) * w->dilation[axis];
    r->gaps = r->gaps || leaves_gaps(r, taps, apart, axis);
    r->size[axis] += (taps - 1) * apart * r->jump[axis];
    r->start[axis] += (w->pad[axis] - reach / 2) / w->stride[axis] * r->jump[axis];
    r->jump[axis] /= w->stride[axis];
}

static nm_receptive through(const nm_node *node, nm_receptive r)
{
    if (!node->type->window)
        return r;
    nm_window w = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, false, false};
    node->type->window(node->self, &w);
    if (w.global) {
        for (int axis = 0; axis < 2; axis++) {
            int extent = axis == 0 ? node->in[0].h : node->in[0].w;
            r.size[axis] += (extent - 1) * r.jump[axis];
            r.start[axis] += (extent - 1) * r.jump[axis] / 2;
            r.jump[axis] *= extent;
        }
        r.whole = true;
        return r;
    }
    for (int axis = 0; axis < 2; axis++) {
        double reach = (double)(w.kernel[axis] - 1) * w.dilation[axis];
        if (w.transposed) {
            through_transposed(&w, axis, &r);
            continue;
        }
        r.gaps = r.gaps || leaves_gaps(&r, w.kernel[axis], w.dilation[axis], axis);
        r.size[axis] += reach * r.jump[axis];
        r.start[axis] += (reach / 2 - w.pad[axis]) * r.jump[axis];
        r.jump[axis] *= w.stride[axis];
    }
    return r;
}

/* ---- paths ------------------------------------------------------------------------------ */

/* In millionths of a pixel: what is summed in another order can differ in its last bits (a jump of 1/3). */
static int falling(double a, double b)
{
    a = rint(a * 1e6);
    b = rint(b * 1e6);
    return (a < b) - (a > b);
}

/* Larger fields first, and the whole input before all; among the rest any order will do that puts equals together. */
static int by_size(const void *one, const void *other)
{
    const nm_receptive *a = &((const nm_path_field *)one)->field, *b = &((const nm_path_field *)other)->field;
    int order = b->whole - a->whole;
    if (order == 0 && a->whole)
        order = a->gaps - b->gaps;
    if (order == 0)
        order = falling(a->size[0] * a->size[1], b->size[0] * b->size[1]);
    for (int axis = 0; axis < 2 && order == 0; axis++) {
        order = falling(a->size[axis], b->size[axis]);
        order = order ? order : falling(a->jump[axis], b->jump[axis]);
        order = order ? order : falling(a->start[axis], b->start[axis]);
    }
    return order ? order : a->gaps - b->gaps;
}

/* Of what sees the whole input the size and the grid tell nothing more. Kept apart, they would grow exponentially with
 * the gates of squeeze and excitation. */
static bool is_same(const nm_path_field *a, const nm_path_field *b)
{
    return (a->field.whole && b->field.whole && a->field.gaps == b->field.gaps) || by_size(a, b) == 0;
}

static void merge_equals(nm_paths *paths)
{
    int kept = 0;
    qsort(paths->field, (size_t)paths->count, sizeof *paths->field, by_size);
    for (int i = 1; i < paths->count; i++)
        if (is_same(&paths->field[kept], &paths->field[i]))
            paths->field[kept].paths += paths->field[i].paths;
        else
            paths->field[++kept] = paths->field[i];
    paths->count = kept + 1;
}

static nm_status follow_input(const nm_network *net, int node, int input, const nm_node_paths *all, nm_paths *out)
{
    const nm_paths *from = &all[net->node[node].from[input]].all;
    out->field = nm_alloc(net->ctx, (size_t)from->count, sizeof *out->field);
    if (!out->field)
        return NM_FAILED;
    out->count = from->count;
    for (int i = 0; i < from->count; i++)
        out->field[i] = (nm_path_field){through(&net->node[node], from->field[i].field), from->field[i].paths};
    merge_equals(out);
    return NM_OK;
}

static nm_status join(const nm_network *net, int node, nm_node_paths *all)
{
    int inputs = net->node[node].inputs, count = 0;
    nm_node_paths *at = &all[node];
    at->by = nm_alloc(net->ctx, (size_t)inputs, sizeof *at->by);
    if (!at->by)
        return NM_FAILED;
    for (int k = 0; k < inputs; k++) {
        NM_TRY(follow_input(net, node, k, all, &at->by[k]));
        count += at->by[k].count;
    }
    at->all.field = nm_alloc(net->ctx, (size_t)count, sizeof *at->all.field);
    if (!at->all.field)
        return NM_FAILED;
    for (int k = 0; k < inputs; k++) {
        memcpy(at->all.field + at->all.count, at->by[k].field, (size_t)at->by[k].count * sizeof *at->all.field);
        at->all.count += at->by[k].count;
    }
    merge_equals(&at->all);
    return NM_OK;
}

static nm_status begin(const nm_network *net, nm_paths *out)
{
    out->field = nm_alloc(net->ctx, 1, sizeof *out->field);
    if (!out->field)
        return NM_FAILED;
    out->field[0] = (nm_path_field){{{1, 1}, {1, 1}, {0, 0}, false, false}, 1};
    out->count = 1;
    return NM_OK;
}

nm_status nm_network_paths(const nm_network *net, nm_node_paths **out)
{
    nm_status status = NM_OK;
    nm_node_paths *all = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *all);
    if (!all)
        return NM_FAILED;
    for (int i = 0; i < net->nodes && status == NM_OK; i++)
        status = net->node[i].inputs > 1    ? join(net, i, all)
                 : net->node[i].inputs == 1 ? follow_input(net, i, 0, all, &all[i].all)
                                            : begin(net, &all[i].all);
    if (status == NM_OK)
        *out = all;
    else
        nm_paths_free(net, all);
    return status;
}

void nm_paths_free(const nm_network *net, nm_node_paths *paths)
{
    for (int i = 0; paths && i < net->nodes; i++) {
        for (int k = 0; paths[i].by && k < net->node[i].inputs; k++)
            nm_free(paths[i].by[k].field);
        nm_free(paths[i].by);
        nm_free(paths[i].all.field);
    }
    nm_free(paths);
}

nm_status nm_network_receptive(const nm_network *net, nm_receptive *out)
{
    nm_node_paths *paths;
    NM_TRY(nm_network_paths(net, &paths));
    for (int i = 0; i < net->nodes; i++)
        out[i] = paths[i].all.field[0].field;
    nm_paths_free(net, paths);
    return NM_OK;
}
