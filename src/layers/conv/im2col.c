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

enum {
    BLOCK_BYTES = 256 << 10,         /* of patches: half of a small second-level cache */
    DEEP = 320,                      /* pixels of several samples in a product that gives weights */
    FEWEST_ROWS_OF_WEIGHTS = 32,     /* in a part of a partial sum */
    FEWEST_PIXELS = NM_GEMM_BLOCK,   /* a block below this many would leave the matrix product starved */
    WIDE = 256,                      /* filters, from which blocks of several samples are cut in two */
    PIXELS_OF_WIDE = 64,             /* in those: a product copies all of its weights first */
    MOST_PIXELS = 2 * NM_GEMM_BLOCK, /* in a block of several samples */
};

/* Pixels of a block of several samples. */
static int pixels_of_samples(const nm_conv_geometry *g, bool by_sample)
{
    int pixels = im2col_is_pointwise(g) && g->out.c >= WIDE ? PIXELS_OF_WIDE : FEWEST_PIXELS;
    return by_sample ? nm_gemm_whole_rows(pixels) : pixels;
}

static im2col_blocking blocking_of(const nm_conv_geometry *g, int n, nm_conv_kind kind, bool by_sample)
{
    im2col_blocking b = {.samples = 1, .pieces = 1, .patch = g->kernel[0] * g->kernel[1] * nm_conv_group_in(g)};
    int beside = kind == NM_CONV_FORWARD && im2col_is_pointwise(g)
                     ? g->out.c
                     : 0; /* no patches are made, but outputs are read again */
    int most = (int)(BLOCK_BYTES / ((size_t)(b.patch + beside) * sizeof(real)));
    if (most < FEWEST_PIXELS)
        most = FEWEST_PIXELS;
    b.rows = most / g->out.w;
    b.rows = b.rows < 1 ? 1 : b.rows > g->out.h ? g->out.h : b.rows;
    b.blocks_per_sample = nm_ceil_div(g->out.h, b.rows);
    b.rows = nm_ceil_div(g->out.h, b.blocks_per_sample); /* even blocks */
    b.blocks_per_sample = nm_ceil_div(g->out.h, b.rows);
    int area = g->out.h * g->out.w;
    b.pixels = b.rows * g->out.w;
    if (kind == NM_CONV_WEIGHTS && b.blocks_per_sample == 1 && im2col_is_pointwise(g)) {
        /* each block's product is added to all the weights: deep ones, where samples are small and
         * lie side by side */
        int deep = DEEP / area, share = nm_ceil_div(n, NM_CONV_FEWEST_PARTIALS);
        b.samples = deep < 1 ? 1 : deep < share ? deep : share;
        b.pixels = b.samples * area;
    } else if (b.blocks_per_sample == 1 && 2 * area <= FEWEST_PIXELS) {
        b.rows_of_samples = nm_gemm_rows_of(area, by_sample);
        b.pixels = pixels_of_samples(g, by_sample);
        b.samples = b.pixels / b.rows_of_samples.padded_rows;
        b.scattered = b.rows_of_samples.split || b.samples * area < b.pixels;
        b.pieces = kind == NM_CONV_FORWARD && b.pixels > FEWEST_PIXELS ? 2 : 1;
    }
    b.groups_of_samples = nm_ceil_div(n, b.samples);
    return b;
}

/* Blocks in all. */
static int units_of(const im2col_blocking *b)
{
    return b->groups_of_samples * b->blocks_per_sample;
}

static const char *im2col_declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)g;
    (void)kind;
    return NULL;
}

static double im2col_cost(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    /* Every patch element is written and read once beside the product; a thin product runs below
     * full speed. */
    double patches = im2col_is_pointwise(g) ? 0 : (double)g->out.h * g->out.w * g->kernel[0] * g->kernel[1] * g->in.c;
    double width = nm_conv_group_out(g), depth = g->kernel[0] * g->kernel[1] * nm_conv_group_in(g);
    double least = im2col_is_pointwise(g) ? 2 : 8, thin = (1 + least / width) * (1 + least / depth);
    return thin * nm_conv_direct_cost(g) + 16 * patches;
}

/* Enough for blocks of several samples, whatever `by_sample` says. */
static im2col_scratch im2col_layout(nm_scratch *s, const nm_conv_geometry *g, nm_conv_kind kind,
                                    const im2col_blocking *b)
{
    size_t pixels = (size_t)(b->pixels > MOST_PIXELS ? b->pixels : MOST_PIXELS);
    nm_scratch after = *s;
    im2col_scratch l = {.patches = nm_scratch_reals(s, pixels * (size_t)b->patch)};
    if (kind != NM_CONV_DATA && g->groups == 1)
        l.input = nm_scratch_reals(s, nm_conv_input_size(g, b->rows));
    if (kind != NM_CONV_FORWARD)
        return l;
    l.moments = nm_scratch_bytes(&after, NM_ISA(nm_conv_moments_scratch)(g));
    nm_scratch_overlap(s, &after);
    l.outputs = nm_scratch_reals(s, pixels * (size_t)g->out.c);
    return l;
}

static im2col_scratch im2col_thread(const nm_conv_call *call, nm_conv_kind kind, const im2col_blocking *b, int thread)
{
    nm_scratch s = nm_conv_thread_scratch(call, thread);
    return im2col_layout(&s, call->g, kind, b);
}

/* Few sums of many weights are cut into rows of theirs, where no task lays out patches that another
 * needs too. */
static nm_conv_partials weights_partials(nm_scratch *s, const nm_conv_geometry *g, int n, const im2col_blocking *b)
{
    nm_conv_partials p = nm_conv_partials_layout(s, g, n, units_of(b));
    int parts = NM_CONV_MOST_PARTIALS / p.count, most = b->patch / FEWEST_ROWS_OF_WEIGHTS;
    if (im2col_is_pointwise(g) && most > 1)
        p.parts = parts < most ? parts : most;
    return p;
}

static void im2col_reserve(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    nm_scratch all = {0}, own = {0};
    im2col_blocking b = blocking_of(g, n, kind, false);
    im2col_layout(&own, g, kind, &b);
    if (kind == NM_CONV_WEIGHTS)
        nm_conv_partials_layout(&all, g, n, NM_CONV_MOST_PARTIALS); /* fewer samples may make more units */
    *shared = all.size;
    *thread = own.size;
}

static im2col_block block_at(const nm_conv_geometry *g, const im2col_blocking *b, int n, int unit)
{
    im2col_block k = {.sample = unit / b->blocks_per_sample * b->samples};
    k.samples = n - k.sample < b->samples ? n - k.sample : b->samples;
    k.first = unit % b->blocks_per_sample * b->rows;
    k.last = k.first + b->rows < g->out.h ? k.first + b->rows : g->out.h;
    k.pixels = k.samples * (k.last - k.first) * g->out.w;
    k.out = ((size_t)k.sample * (size_t)g->out.h + (size_t)k.first) * (size_t)g->out.w * (size_t)g->out.c;
    k.filters = g->out.c;
    return k;
}

/* Of forward's task number `task`: a block, or where that is cut a part of its filters. */
static im2col_block forward_block_at(const nm_conv_geometry *g, const im2col_blocking *b, int n, int task)
{
    im2col_block k = block_at(g, b, n, task / b->pieces);
    enum { WHOLE = 16 }; /* so that no part has what is left over of vectors, but the last */
    int piece = task % b->pieces, columns = g->out.c / b->pieces / WHOLE * WHOLE;
    k.filter = piece * columns;
    k.filters = piece == b->pieces - 1 ? g->out.c - k.filter : columns;
    return k;
}

/* Its outputs: a product for each group. */
static void find_outputs(const nm_conv_call *call, const im2col_blocking *b, const im2col_block *k, int group,
                         const real *rows, int pixels, real *y)
{
    int out = k->filters / call->g->groups, column = k->filter + group * out;
    nm_gemm(false, false, pixels, out, b->patch, 1, rows, b->patch, call->w + column, call->g->out.c, 0, y + column,
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
    for (int group = 0; group < g->groups; group++) {
        NM_ISA(im2col_lay_out)(call, b, k, group, scratch);
        find_outputs(call, b, k, group, scratch->patches, b->pixels, y);
    }
    for (int row = 0; row < b->pixels; row++, y += g->out.c) {
        nm_gemm_place p = nm_gemm_place_of(&b->rows_of_samples, row);
        if (p.sample >= k->samples || p.number >= b->rows_of_samples.parts)
            continue;
        size_t at =
            ((size_t)(k->sample + p.sample) * (size_t)b->rows_of_samples.parts + (size_t)p.number) * (size_t)g->out.c +
            (size_t)k->filter;
        nm_conv_finish(call, k->filter, k->filters, call->other ? call->other + at : NULL, y + k->filter);
        memcpy(call->y + at, y + k->filter, (size_t)k->filters * sizeof *y);
    }
}

/* Rows would be normalised anew for each group. */
static bool im2col_normalises(const nm_conv_geometry *g)
{
    return g->groups == 1;
}

static void im2col_forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    im2col_blocking b = blocking_of(g, call->n, NM_CONV_FORWARD, call->by_sample);
    im2col_block k = forward_block_at(g, &b, call->n, task);
    im2col_scratch scratch = im2col_thread(call, NM_CONV_FORWARD, &b, thread);
    const bool stream = call->stream && call->moments; /* a gradient is read again too soon for that */
    real *y = stream ? scratch.outputs : call->y + k.out;
    if (k.samples < b.samples || b.scattered) {
        im2col_im2col_samples_task(call, &b, &k, &scratch);
        return;
    }
    for (int group = 0; group < g->groups; group++)
        find_outputs(call, &b, &k, group, NM_ISA(im2col_rows)(call, &b, &k, group, &scratch), k.pixels, y);
    const real *other = call->other ? call->other + k.out : NULL;
    for (size_t i = (size_t)k.filter;
         (call->scale || call->bias || other || call->relu) && i < (size_t)k.pixels * (size_t)g->out.c;
         i += (size_t)g->out.c)
        nm_conv_finish(call, k.filter, k.filters, other ? other + i : NULL, y + i);
    if (call->moments)
        NM_ISA(nm_conv_take_moments)(g, call->moments, task, y, k.pixels, scratch.moments);
    if (stream)
        NM_ISA(nm_conv_stream)(y, (size_t)k.pixels * (size_t)g->out.c, call->y + k.out);
}

/* Blocks of one sample lie together in y. */
static int im2col_chunks(const nm_conv_geometry *g, int n, int most)
{
    (void)most;
    im2col_blocking b = blocking_of(g, n, NM_CONV_FORWARD, false);
    return b.samples == 1 ? units_of(&b) : 0;
}

static void im2col_forward(const nm_conv_call *call)
{
    im2col_blocking b = blocking_of(call->g, call->n, NM_CONV_FORWARD, call->by_sample);
    NM_ISA(nm_conv_run_tasks)(call, units_of(&b) * b.pieces, im2col_forward_task, (void *)call);
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
    im2col_scratch scratch = im2col_thread(call, NM_CONV_WEIGHTS, &b, thread);
    int out = nm_conv_group_out(g);
    int first = b.patch * sum.part / j->partials.parts, rows = b.patch * (sum.part + 1) / j->partials.parts - first;
    for (long unit = sum.first; unit < sum.last; unit++) {
        im2col_block k = block_at(g, &b, call->n, (int)unit);
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
    weights_job j = {.call = call, .b = blocking_of(call->g, call->n, NM_CONV_WEIGHTS, false)};
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
    im2col_blocking b = blocking_of(g, 1, NM_CONV_DATA, false);
    b.samples = 1;
    int channels = nm_conv_group_in(g), out = nm_conv_group_out(g), kernel = g->kernel[1] * channels;
    real *rows = im2col_thread(call, NM_CONV_DATA, &b, thread).patches,
         *dx = call->y + (size_t)task * nm_shape_size(g->in);
    memset(dx, 0, nm_shape_size(g->in) * sizeof *dx);
    for (int unit = 0; unit < b.blocks_per_sample; unit++) {
        im2col_block k = block_at(g, &b, 1, unit);
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
    .block = NM_GEMM_BLOCK,
};
