/* Receptive fields along all paths: the field of each, layer by layer (field.h), those that are the
 * same as one. Whether pixels within a field are left out, and whether a later layer or another
 * path fills them, follows from the sets in reads.h. */
#include "alloc.h"
#include "field.h"
#include "network.h"
#include "reads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- paths ------------------------------------------------------------------------------ */

/* In millionths of a pixel: what is summed in another order can differ in its last bits (a jump of
 * 1/3). */
static int falling(double a, double b)
{
    a = rint(a * 1e6);
    b = rint(b * 1e6);
    return (a < b) - (a > b);
}

/* Larger fields first, and the whole input before all; among the rest any order will do that puts
 * equals together. */
static int by_size(const void *one, const void *other)
{
    const nm_receptive *a = &((const nm_path_field *)one)->field, *b = &((const nm_path_field *)other)->field;
    int order = b->whole - a->whole;
    if (order == 0)
        order = falling(a->size[0] * a->size[1], b->size[0] * b->size[1]);
    for (int axis = 0; axis < 2 && order == 0; axis++) {
        order = falling(a->size[axis], b->size[axis]);
        order = order ? order : falling(a->jump[axis], b->jump[axis]);
        order = order ? order : falling(a->start[axis], b->start[axis]);
    }
    return order;
}

/* Of what sees the whole input the size and the grid say nothing more. Kept one by one, they would
 * grow exponentially with the gates of squeeze and excitation. */
static bool is_same(const nm_path_field *a, const nm_path_field *b)
{
    return (a->field.whole && b->field.whole) || by_size(a, b) == 0;
}

static nm_status merge_equals(nm_context *ctx, nm_paths *paths)
{
    int kept = 0;
    nm_status status = NM_OK;
    qsort(paths->field, (size_t)paths->count, sizeof *paths->field, by_size);
    for (int i = 1; i < paths->count; i++) {
        nm_path_field *last = &paths->field[kept], *next = &paths->field[i];
        if (status != NM_OK || !is_same(last, next)) {
            paths->field[++kept] = *next;
            continue;
        }
        last->paths += next->paths;
        status = nm_reads_unite(ctx, last->reads, next->reads);
        last->field.gaps = nm_reads_has_gaps(last->reads);
        nm_reads_free(next->reads);
    }
    paths->count = kept + 1;
    return status;
}

/* Whether `inner` lies within `outer` behind every layer that follows: their units are equally far
 * from each other, so that each layer adds the same to both. */
static bool stays_within(const nm_path_field *inner, const nm_path_field *outer)
{
    const nm_receptive *a = &inner->field, *b = &outer->field;
    if (a->whole || b->whole || !nm_reads_on_one_grid(outer->reads, inner->reads))
        return false;
    for (int axis = 0; axis < 2; axis++)
        if (falling(a->jump[axis], b->jump[axis]) != 0 ||
            falling(fabs(a->start[axis] - b->start[axis]) + a->size[axis] / 2, b->size[axis] / 2) < 0)
            return false;
    return true;
}

/* Where only the largest field is wanted: of many paths, those within another are united with it,
 * for the pixels that they read may fill its gaps. A stack of n blocks has n paths of as many
 * sizes.
 */
static nm_status unite_inner(nm_context *ctx, nm_paths *paths)
{
    enum { FEW = 16 };
    int kept = 0;
    nm_status status = NM_OK;
    for (int i = 0; i < paths->count && paths->count > FEW; i++) {
        nm_path_field *inner = &paths->field[i], *outer = paths->field;
        while (outer < paths->field + kept && !stays_within(inner, outer))
            outer++;
        if (status != NM_OK || outer == paths->field + kept) {
            paths->field[kept++] = *inner;
            continue;
        }
        outer->paths += inner->paths;
        status = nm_reads_unite(ctx, outer->reads, inner->reads);
        outer->field.gaps = nm_reads_has_gaps(outer->reads);
        nm_reads_free(inner->reads);
    }
    paths->count = kept ? kept : paths->count;
    return status;
}

/* The largest field, and whether the other paths leave its gaps. */
static nm_status find_largest(nm_context *ctx, nm_paths *paths)
{
    nm_reads *all;
    const nm_path_field *first = &paths->field[0];
    paths->largest = first->field;
    if (!first->field.gaps || paths->count == 1)
        return NM_OK;
    NM_TRY(nm_reads_copy(ctx, first->reads, &all));
    nm_status status = NM_OK;
    for (int i = 1; i < paths->count && status == NM_OK; i++)
        if (nm_reads_on_one_grid(all, paths->field[i].reads))
            status = nm_reads_unite(ctx, all, paths->field[i].reads);
    if (status == NM_OK)
        status = nm_reads_leaves_gaps(ctx, first->reads, all, &paths->largest.gaps);
    nm_reads_free(all);
    return status;
}

/* The network's input, of the larger extents where there are several. */
static nm_shape image_of(const nm_network *net)
{
    nm_shape image = net->node[0].out;
    for (int i = 1; i < net->inputs; i++) {
        image.h = net->node[i].out.h > image.h ? net->node[i].out.h : image.h;
        image.w = net->node[i].out.w > image.w ? net->node[i].out.w : image.w;
    }
    return image;
}

static nm_status follow_input(const nm_network *net, int node, int input, const nm_node_paths *all, bool largest,
                              nm_paths *out)
{
    const nm_node *n = &net->node[node];
    const nm_paths *from = &all[n->from[input]].all;
    const nm_window w = nm_field_window(n);
    out->field = nm_alloc(net->ctx, (size_t)from->count, sizeof *out->field);
    if (!out->field)
        return NM_FAILED;
    for (int i = 0; i < from->count; i++) {
        nm_path_field *to = &out->field[i];
        *to = (nm_path_field){.field = nm_field_through(n, w, from->field[i].field), .paths = from->field[i].paths};
        const nm_reads *reads = from->field[i].reads;
        NM_TRY(n->type->window ? nm_reads_through(net->ctx, reads, &w, n->in[input], image_of(net), &to->reads)
                               : nm_reads_copy(net->ctx, reads, &to->reads));
        to->field.gaps = nm_reads_has_gaps(to->reads);
        out->count++;
    }
    NM_TRY(merge_equals(net->ctx, out));
    if (largest)
        NM_TRY(unite_inner(net->ctx, out));
    return find_largest(net->ctx, out);
}

static nm_status join_inputs(const nm_network *net, nm_paths *out, const nm_paths *by, int inputs, int count,
                             bool largest)
{
    out->field = nm_alloc(net->ctx, (size_t)count, sizeof *out->field);
    if (!out->field)
        return NM_FAILED;
    for (int k = 0; k < inputs; k++)
        for (int i = 0; i < by[k].count; i++) {
            out->field[out->count] = by[k].field[i];
            NM_TRY(nm_reads_copy(net->ctx, by[k].field[i].reads, &out->field[out->count].reads));
            out->count++;
        }
    NM_TRY(merge_equals(net->ctx, out));
    if (largest)
        NM_TRY(unite_inner(net->ctx, out));
    return find_largest(net->ctx, out);
}

static nm_status join(const nm_network *net, int node, nm_node_paths *all, bool largest)
{
    int inputs = net->node[node].inputs, count = 0;
    nm_node_paths *at = &all[node];
    at->by = nm_alloc(net->ctx, (size_t)inputs, sizeof *at->by);
    if (!at->by)
        return NM_FAILED;
    for (int k = 0; k < inputs; k++) {
        NM_TRY(follow_input(net, node, k, all, largest, &at->by[k]));
        count += at->by[k].count;
    }
    return join_inputs(net, &at->all, at->by, inputs, count, largest);
}

static nm_status begin(const nm_network *net, nm_paths *out)
{
    out->field = nm_alloc(net->ctx, 1, sizeof *out->field);
    if (!out->field)
        return NM_FAILED;
    out->field[0] = (nm_path_field){{{1, 1}, {1, 1}, {0, 0}, false, false}, 1, NULL};
    out->largest = out->field[0].field;
    NM_TRY(nm_reads_begin(net->ctx, &out->field[0].reads));
    out->count = 1;
    return NM_OK;
}

static void free_fields(nm_paths *paths)
{
    for (int i = 0; i < paths->count; i++)
        nm_reads_free(paths->field[i].reads);
    nm_free(paths->field);
    paths->field = NULL;
    paths->count = 0;
}

static void free_inputs(const nm_network *net, nm_node_paths *paths, int i)
{
    for (int k = 0; paths[i].by && k < net->node[i].inputs; k++)
        free_fields(&paths[i].by[k]);
    nm_free(paths[i].by);
    paths[i].by = NULL;
}

void nm_paths_free(const nm_network *net, nm_node_paths *paths)
{
    for (int i = 0; paths && i < net->nodes; i++) {
        free_inputs(net, paths, i);
        free_fields(&paths[i].all);
    }
    nm_free(paths);
}

/* largest: the others may be united. */
static nm_status find_paths(const nm_network *net, int i, nm_node_paths *all, bool largest)
{
    return net->node[i].inputs > 1    ? join(net, i, all, largest)
           : net->node[i].inputs == 1 ? follow_input(net, i, 0, all, largest, &all[i].all)
                                      : begin(net, &all[i].all);
}

nm_status nm_network_paths(const nm_network *net, nm_node_paths **out)
{
    nm_status status = NM_OK;
    nm_node_paths *all = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *all);
    if (!all)
        return NM_FAILED;
    for (int i = 0; i < net->nodes && status == NM_OK; i++)
        status = find_paths(net, i, all, false);
    if (status == NM_OK)
        *out = all;
    else
        nm_paths_free(net, all);
    return status;
}

/* Frees what no node behind i reads: the paths of deep networks with many joins are too many to be
 * kept for all nodes at once. */
static void free_read(const nm_network *net, int i, const int *last_reader, nm_node_paths *all)
{
    const nm_node *node = &net->node[i];
    free_inputs(net, all, i);
    for (int k = 0; k < node->inputs; k++)
        if (last_reader[node->from[k]] == i)
            free_fields(&all[node->from[k]].all);
}

nm_status nm_network_receptive(const nm_network *net, nm_receptive *out)
{
    nm_node_paths *all = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *all);
    int *last_reader = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *last_reader);
    nm_status status = all && last_reader ? NM_OK : NM_FAILED;
    for (int i = 0; status == NM_OK && i < net->nodes; i++)
        for (int k = 0; k < net->node[i].inputs; k++)
            last_reader[net->node[i].from[k]] = i;
    for (int i = 0; status == NM_OK && i < net->nodes; i++) {
        if ((status = find_paths(net, i, all, true)) != NM_OK)
            break;
        out[i] = all[i].all.largest;
        free_read(net, i, last_reader, all);
    }
    nm_free(last_reader);
    nm_paths_free(net, all);
    return status;
}
