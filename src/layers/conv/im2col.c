/* Blocked im2col: the patches of a block of output pixels are laid out as rows of a matrix that
 * fits the core's cache, and one serial matrix product turns it into the block's outputs.
 *
 * With a kernel of 1x1 and no stride the pixels are the matrix, and nothing is laid out.
 *
 * Blocks hold whole rows of one sample, or, where samples are small, a fixed number of samples; the
 * last group is padded with zeros to the full block, so that a sample's output does not depend on
 * the batch. */
#include "im2col.h"

#include <string.h>

static const char *im2col_declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)g;
    (void)kind;
    return NULL;
}

static double im2col_cost(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs)
{
    (void)kind;
    (void)by_sample;
    double width = nm_conv_group_out(g), depth = g->kernel[0] * g->kernel[1] * nm_conv_group_in(g);
    double product = (1 + costs->thin / width) * (1 + costs->thin / depth) * nm_conv_direct_cost(g);
    if (im2col_is_pointwise(g))
        return product;
    double rows = (double)g->out.h * g->out.w * g->kernel[0] * g->groups;
    return product + rows * (costs->patch_row + costs->patch * g->kernel[1] * nm_conv_group_in(g));
}

enum { TASKS = 64, FEWEST_ROWS = 32 }; /* of partial sums that are cut; rows in a part of one */

/* Few sums of many weights are cut into rows of theirs, where no task lays out patches that another
 * needs too. */
static nm_conv_partials weights_partials(nm_scratch *s, const nm_conv_geometry *g, int n, const im2col_blocking *b)
{
    nm_conv_partials p = NM_ISA(nm_conv_partials_layout)(s, g, n, im2col_units(b));
    int parts = TASKS / p.count, most = b->patch / FEWEST_ROWS;
    parts = parts < most ? parts : most;
    if (im2col_is_pointwise(g) && parts > 1)
        p.parts = parts;
    return p;
}

static void im2col_reserve(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    nm_scratch all = {0}, own = {0};
    im2col_blocking b = NM_ISA(im2col_blocking_of)(g, n, kind, false);
    NM_ISA(im2col_layout)(&own, g, kind, &b);
    if (kind == NM_CONV_WEIGHTS)
        NM_ISA(nm_conv_partials_layout)(&all, g, n, NM_CONV_MOST_PARTIALS); /* fewer samples may make more units */
    *shared = all.size;
    *thread = own.size;
}

/* Its outputs: a product for each group. */
static void find_outputs(const nm_conv_call *call, const im2col_blocking *b, const im2col_block *k, int group,
                         const real *rows, int pixels, real *y)
{
    int out = k->filters / call->g->groups, column = k->filter + group * out;
    int block = pixels > b->pixels || b->samples == 1 ? pixels : b->pixels;
    nm_gemm_of_block(block, pixels, out, b->patch, rows, b->patch, call->w + column, call->g->out.c, 0, y + column,
                     call->g->out.c);
}

/* A block of several samples whose rows are laid out separately: those that are not whole, and all
 * where rows are not alike.
 */
static void im2col_im2col_samples_task(const nm_conv_call *call, const im2col_blocking *b, const im2col_block *k,
                                       const im2col_scratch *scratch)
{
    real *y = scratch->outputs;
    const nm_conv_geometry *g = call->g;
    int rows = nm_gemm_fewest_rows(nm_gemm_rows_end(&b->rows_of_samples, k->samples), b->pixels);
    for (int group = 0; group < g->groups; group++) {
        NM_ISA(im2col_lay_out)(call, b, k, group, rows, scratch);
        find_outputs(call, b, k, group, scratch->patches, rows, y);
    }
    for (int row = 0; row < rows; row++, y += g->out.c) {
        nm_gemm_place p = nm_gemm_place_of(&b->rows_of_samples, row);
        if (p.sample >= k->samples || p.number >= b->rows_of_samples.parts)
            continue;
        size_t at =
            ((size_t)(k->sample + p.sample) * (size_t)b->rows_of_samples.parts + (size_t)p.number) * (size_t)g->out.c +
            (size_t)k->filter;
        nm_conv_finish(call, k->filter, k->filters, call->other ? call->other + at : NULL, y + k->filter);
        if (call->y_bf16)
            NM_ISA(nm_conv_narrow)(y + k->filter, (size_t)k->filters, call->y_bf16 + at);
        else
            memcpy(call->y + at, y + k->filter, (size_t)k->filters * sizeof *y);
    }
}

/* Rows would be normalised anew for each group. */
static bool im2col_normalises(const nm_conv_geometry *g)
{
    return g->groups == 1;
}

/* Rounds the block's filters of each pixel, of `all` in a row, and copies them. */
static void narrow_block(const im2col_block *k, size_t all, real *y, nm_bf16 *to)
{
    size_t count = (size_t)k->pixels * all, filters = (size_t)k->filters;
    if (filters == all) {
        NM_ISA(nm_conv_narrow)(y, count, to);
        return;
    }
    for (size_t i = (size_t)k->filter; i < count; i += all)
        NM_ISA(nm_conv_narrow)(y + i, filters, to + i);
}

static void im2col_forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    im2col_blocking b = NM_ISA(im2col_blocking_of)(g, call->n, NM_CONV_FORWARD, call->by_sample);
    im2col_block k = NM_ISA(im2col_forward_block_at)(g, &b, call->n, task);
    im2col_scratch scratch = NM_ISA(im2col_scratch_of)(call, NM_CONV_FORWARD, &b, thread);
    const bool stream = call->stream && call->moments; /* a gradient is read again too soon for that */
    real *y = stream || call->y_bf16 ? scratch.outputs : call->y + k.out;
    if (k.samples < b.samples || b.scattered) {
        im2col_im2col_samples_task(call, &b, &k, &scratch);
        return;
    }
    for (int group = 0; group < g->groups; group++)
        find_outputs(call, &b, &k, group, NM_ISA(im2col_rows)(call, &b, &k, group, &scratch), k.pixels, y);
    const real *other = call->other ? call->other + k.out : NULL;
    const size_t filters = (size_t)g->out.c, all = (size_t)k.pixels * filters;
    for (size_t i = (size_t)k.filter; (call->scale || call->bias || other || call->relu) && i < all; i += filters)
        nm_conv_finish(call, k.filter, k.filters, other ? other + i : NULL, y + i);
    if (call->y_bf16)
        narrow_block(&k, filters, y, call->y_bf16 + k.out);
    if (call->moments)
        NM_ISA(nm_conv_take_moments)(g, call->moments, task, y, k.pixels, scratch.moments);
    if (stream && !call->y_bf16)
        NM_ISA(nm_conv_stream)(y, all, call->y + k.out);
}

/* Blocks of one sample lie together in y. */
static int im2col_chunks(const nm_conv_geometry *g, int n, int most)
{
    (void)most;
    im2col_blocking b = NM_ISA(im2col_blocking_of)(g, n, NM_CONV_FORWARD, false);
    return b.samples == 1 ? im2col_units(&b) : 0;
}

static void im2col_forward(const nm_conv_call *call)
{
    im2col_blocking b = NM_ISA(im2col_blocking_of)(call->g, call->n, NM_CONV_FORWARD, call->by_sample);
    NM_ISA(nm_conv_run_tasks)(call, im2col_units(&b) * b.pieces, im2col_forward_task, (void *)call);
}

/* ---- gradient by the weights ------------------------------------------------------------ */

typedef struct weights_job {
    const nm_conv_call *call;
    im2col_blocking b;
    nm_conv_partials partials;
} weights_job;

static void im2col_weights_task(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_call *call = j->call;
    const nm_conv_geometry *g = call->g;
    const im2col_blocking b = j->b;
    const nm_conv_partial sum = NM_ISA(nm_conv_partial_of)(&j->partials, g, task);
    im2col_scratch scratch = NM_ISA(im2col_scratch_of)(call, NM_CONV_WEIGHTS, &b, thread);
    int out = nm_conv_group_out(g);
    int first = b.patch * sum.part / j->partials.parts, rows = b.patch * (sum.part + 1) / j->partials.parts - first;
    for (long unit = sum.first; unit < sum.last; unit++) {
        im2col_block k = NM_ISA(im2col_block_at)(g, &b, call->n, (int)unit);
        const real *dy = call->dy + k.out;
        for (int group = 0; call->dw && group < g->groups; group++) {
            nm_gemm(true, false, rows, out, k.pixels, 1, NM_ISA(im2col_rows)(call, &b, &k, group, &scratch) + first,
                    b.patch, dy + group * out, g->out.c, unit > sum.first ? 1 : 0,
                    sum.dw + (size_t)first * (size_t)g->out.c + group * out, g->out.c);
        }
        if (call->db && sum.db)
            NM_ISA(nm_conv_column_sums)(dy, k.pixels, g->out.c, sum.db);
    }
}

static void im2col_weights(const nm_conv_call *call)
{
    nm_scratch shared = nm_conv_shared_scratch(call);
    weights_job j = {.call = call, .b = NM_ISA(im2col_blocking_of)(call->g, call->n, NM_CONV_WEIGHTS, false)};
    j.partials = weights_partials(&shared, call->g, call->n, &j.b);
    NM_ISA(nm_conv_sum_partials)(call, &j.partials, im2col_weights_task, &j);
}

/* ---- gradient by x, where the stride is not 1 -------------------------------------------- */

static void add_kernel_row(const nm_conv_geometry *g, real *row, int from, int channels, const real *what)
{
    for (int b = 0; b < g->kernel[1]; b++, what += channels) {
        int at = from + b * g->dilation[1];
        if (at < 0 || at >= g->in.w)
            continue;
        real *restrict to = row + (size_t)at * (size_t)g->in.c;
        for (int c = 0; c < channels; c++)
            to[c] += what[c];
    }
}

/* A whole sample, block after block: patches of gradients by a product, scattered onto dx. */
static void im2col_data_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    im2col_blocking b = NM_ISA(im2col_blocking_of)(g, 1, NM_CONV_DATA, false);
    b.samples = 1;
    int channels = nm_conv_group_in(g), out = nm_conv_group_out(g), kernel = g->kernel[1] * channels;
    real *rows = NM_ISA(im2col_scratch_of)(call, NM_CONV_DATA, &b, thread).patches,
         *dx = call->y + (size_t)task * nm_shape_size(g->in);
    memset(dx, 0, nm_shape_size(g->in) * sizeof *dx);
    for (int unit = 0; unit < b.blocks_per_sample; unit++) {
        im2col_block k = NM_ISA(im2col_block_at)(g, &b, 1, unit);
        const real *dy = call->dy + (size_t)task * nm_shape_size(g->out) + k.out;
        for (int group = 0; group < g->groups; group++) {
            nm_gemm(false, true, k.pixels, b.patch, out, 1, dy + group * out, g->out.c, call->w + group * out, g->out.c,
                    0, rows, b.patch);
            const real *what = rows;
            for (int row = k.first; row < k.last; row++)
                for (int col = 0; col < g->out.w; col++)
                    for (int a = 0; a < g->kernel[0]; a++, what += kernel) {
                        int h = row * g->stride[0] - g->top + a * g->dilation[0];
                        if (h >= 0 && h < g->in.h)
                            add_kernel_row(g, dx + (size_t)h * (size_t)(g->in.w * g->in.c) + group * channels,
                                           col * g->stride[1] - g->left, channels, what);
                    }
        }
    }
}

static void im2col_data(const nm_conv_call *call)
{
    NM_ISA(nm_conv_run_tasks)(call, call->n, im2col_data_task, (void *)call);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_im2col);
const nm_conv_algorithm NM_ISA(nm_conv_im2col) = {
    .name = "im2col",
    .declines = im2col_declines,
    .cost = im2col_cost,
    .reserve = im2col_reserve,
    .forward = im2col_forward,
    .weights = im2col_weights,
    .data = im2col_data,
    .chunks = im2col_chunks,
    .reads_lazy_normalisation = im2col_normalises,
    .exact = true,
    .adds = true,
    .narrows = true,
    .block = NM_GEMM_BLOCK,
};
