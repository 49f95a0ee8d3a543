/* Depthwise convolution, a kernel for each channel: no product to speak of, so that each output is
 * summed directly, a vector of channels side by side. 3x3 kernels have code of their own
 * (depthwise_3x3.h). A task takes several rows of a sample, so that what neighbouring rows read is
 * in cache. */
#include "depthwise_3x3.h"

#include <string.h>

enum {
    TAPS = 4, /* of any kernel's row, summed at once */
    /* Outputs that a block of rows has about. Large blocks read and write memory in longer runs;
     * but they grow beyond the smallest, which are some microseconds' work, only where there are
     * TASKS of them: every thread should find some. */
    SMALLEST = 8192,
    LARGEST = 32768,
    TASKS = 64
};

static const char *declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    return g->groups != g->in.c || g->out.c != g->in.c ? "needs as many groups as input and output channels" : NULL;
}

static double cost(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    /* With a stride, reading x (or writing its gradient) takes longer than the sums. */
    return (g->stride[0] * g->stride[1] > 1 ? 9 : dw_is_3x3(g) ? 3.5 : 4) * nm_conv_direct_cost(g);
}

/* The taps first..last-1 of an axis that read inside an input of `size` pixels from position `at`
 * on. */
static void taps(int at, int dilation, int kernel, int size, int *first, int *last)
{
    *first = at < 0 ? (-at + dilation - 1) / dilation : 0;
    *last = at < size ? (size - 1 - at) / dilation + 1 : 0;
    *last = *last < kernel ? *last : kernel;
}

/* The outputs first..last-1 of `count`, for which a tap that lies `off` from their place reads
 * inside. */
static void outputs(int off, int stride, int size, int count, int *first, int *last)
{
    *first = off < 0 ? (-off + stride - 1) / stride : 0;
    *last = size > off ? (size - 1 - off) / stride + 1 : 0;
    *last = *last < count ? *last : count;
    *first = *first < *last ? *first : *last;
}

/* A block of rows of a sample. */
typedef struct block {
    int sample, first, last;
} block;

/* Rows of `shape` in a block of about so many outputs. */
static int block_rows(nm_shape shape, int count)
{
    int rows = nm_pieces(count, shape.w * shape.c);
    rows += rows % 2; /* they are taken in pairs */
    return rows < shape.h ? rows : shape.h;
}

/* The same for tasks that write apart from each other: their size may follow the planned batch, as
 * it does not show in the result (in training, the moments of a block are a part of batch norm's
 * sum). */
static int task_rows(int most, nm_shape shape)
{
    size_t share = (size_t)most * nm_shape_size(shape) / TASKS;
    return block_rows(shape, share < SMALLEST ? SMALLEST : share > LARGEST ? LARGEST : (int)share);
}

static block block_of(const nm_conv_call *call, nm_shape shape, int task)
{
    int rows = task_rows(call->most, shape), blocks = nm_pieces(shape.h, rows), first = task % blocks * rows;
    return (block){task / blocks, first, first + rows < shape.h ? first + rows : shape.h};
}

static void each_block(const nm_conv_call *call, nm_shape shape, nm_task *task)
{
    nm_parallel(call->threads, call->n * nm_pieces(shape.h, task_rows(call->most, shape)), task, (void *)call);
}

/* Thread scratch. */
typedef struct depthwise_scratch {
    real *input;   /* rows that a block reads, where they are normalised here */
    void *moments; /* forward: where those lay before */
} depthwise_scratch;

static depthwise_scratch depthwise_layout(nm_scratch *s, const nm_conv_geometry *g, nm_conv_kind kind, int most)
{
    nm_scratch after = *s;
    int rows = kind == NM_CONV_FORWARD ? task_rows(most, g->out) : block_rows(g->out, SMALLEST);
    depthwise_scratch l = {.input = nm_scratch_reals(s, nm_conv_input_size(g, rows))};
    if (kind == NM_CONV_FORWARD)
        l.moments = nm_scratch_bytes(&after, NM_ISA(nm_conv_moments_scratch)(g));
    nm_scratch_overlap(s, &after);
    return l;
}

static depthwise_scratch depthwise_thread(const nm_conv_call *call, nm_conv_kind kind, int thread)
{
    nm_scratch s = nm_conv_thread_scratch(call, thread);
    return depthwise_layout(&s, call->g, kind, call->most);
}

static void book(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    nm_scratch all = {0}, own = {0};
    if (kind != NM_CONV_DATA)
        depthwise_layout(&own, g, kind, n);
    if (kind == NM_CONV_WEIGHTS)
        nm_conv_partials_layout(&all, g, NM_CONV_PARTIALS);
    *shared = all.size;
    *thread = own.size;
}

/* ---- forward ------------------------------------------------------------------------------- */

/* A row of outputs, by any kernel: the columns whose taps all lie inside at once, the others alone.
 */
static void forward_row(const nm_conv_call *call, const real *x, int row, real *y)
{
    const nm_conv_geometry *g = call->g;
    int a0, a1, b0, b1, from, to, whole, beyond, h = row * g->stride[0] - g->top;
    ptrdiff_t c = g->in.c, line = g->in.w * c;
    taps(h, g->dilation[0], g->kernel[0], g->in.h, &a0, &a1);
    outputs(-g->left, g->stride[1], g->in.w, g->out.w, &whole, &to);
    outputs((g->kernel[1] - 1) * g->dilation[1] - g->left, g->stride[1], g->in.w, g->out.w, &from, &beyond);
    whole = from > whole ? from : whole;
    beyond = to < beyond ? to : beyond;
    for (int col = 0, count; col < g->out.w; col += count) {
        int v = col * g->stride[1] - g->left;
        count = col >= whole && col < beyond ? beyond - col : 1;
        taps(v, g->dilation[1], g->kernel[1], g->in.w, &b0, &b1);
        dw_taps t = {a1 - a0, b1 - b0, g->dilation[0] * line, g->dilation[1] * c, g->kernel[1] * c, c};
        ptrdiff_t at = (h + a0 * g->dilation[0]) * line + (v + b0 * g->dilation[1]) * c;
        dw_outputs(call, &t, x + at, g->stride[1] * c, call->w + (a0 * g->kernel[1] + b0) * c, count, y + col * c, c);
    }
}

static void forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    const block k = block_of(call, g->out, task);
    const depthwise_scratch scratch = depthwise_thread(call, NM_CONV_FORWARD, thread);
    const real *x = NM_ISA(nm_conv_input)(call, k.sample, k.first, k.last, scratch.input);
    real *y = call->y + (size_t)k.sample * nm_shape_size(g->out);
    if (!dw_is_3x3(g))
        for (int row = k.first; row < k.last; row++)
            forward_row(call, x, row, y + row * (ptrdiff_t)g->out.w * g->out.c);
    else if (g->stride[0] == 1)
        dw_forward_3x3(call, x, k.first, k.last, 1, y);
    else
        dw_forward_3x3(call, x, k.first, k.last, 2, y);
    if (call->moments)
        NM_ISA(nm_conv_take_moments)
    (g, call->moments, task, y + k.first * (ptrdiff_t)g->out.w * g->out.c, (k.last - k.first) * g->out.w,
     scratch.moments);
}

static void forward(const nm_conv_call *call)
{
    each_block(call, call->g->out, forward_task);
}

static int pieces(const nm_conv_geometry *g, int n, int most)
{
    return n * nm_pieces(g->out.h, task_rows(most, g->out));
}

/* ---- gradient by the weights --------------------------------------------------------------- */

/* x, dy: the sample's. */
static void add_block_3x3(const nm_conv_call *call, const block *k, const real *x, const real *dy, real *dw, real *db)
{
    const nm_conv_geometry *g = call->g;
    for (int first = 0, beyond; first < g->in.c; first = beyond) {
        dw_sums sums[DW_GROUP_VECTORS], *s = sums;
        beyond = dw_group_end(first, g->in.c);
        memset(sums, 0, sizeof sums);
        if (g->stride[0] == 1)
            dw_add_rows(g, x, dy, k->first, k->last, first, beyond, 1, sums);
        else
            dw_add_rows(g, x, dy, k->first, k->last, first, beyond, 2, sums);
        for (int c = first, done = first; c < beyond; done = c + NM_VECTOR, c = dw_next(c, g->in.c), s++) {
            for (int t = 0; t < 9; t++)
                dw_add_new(&(*s)[t], c, done, NM_VECTOR, dw + t * (ptrdiff_t)g->in.c);
            dw_add_new(&(*s)[9], c, done, NM_VECTOR, db);
        }
    }
}

/* Adds them, for all channels, over columns first..last-1, whose taps lie `off` from their place.
 * x, dy: the rows. */
DW_INLINE void add_taps(const nm_conv_geometry *g, const real *x, const real *dy, int off, int first, int last,
                        const int count, real *to)
{
    const int channels = g->in.c;
    if (first >= last)
        return;
    x += (first * g->stride[1] + off) * (ptrdiff_t)channels;
    dy += first * (ptrdiff_t)channels;
    for (int c = 0, done = 0; c < channels; done = c + NM_VECTOR, c = dw_next(c, channels)) {
        nm_vector sum[TAPS];
        if (channels >= NM_VECTOR)
            dw_sum_taps(g, x + c, dy + c, last - first, NM_VECTOR, count, sum);
        else
            dw_sum_taps(g, x, dy, last - first, channels, count, sum);
        for (int t = 0; t < count; t++)
            dw_add_new(&sum[t], c, done, channels, to + t * (ptrdiff_t)channels);
    }
}

/* Taps b..b+count-1 of one row of taps: the columns where all read inside together, the others tap
 * by tap. */
DW_INLINE void add_group(const nm_conv_geometry *g, const real *x, const real *dy, int b, const int count, real *to)
{
    int from = 0, beyond = g->out.w, first[TAPS], last[TAPS], off = b * g->dilation[1] - g->left;
    for (int t = 0; t < count; t++) {
        outputs(off + t * g->dilation[1], g->stride[1], g->in.w, g->out.w, &first[t], &last[t]);
        from = first[t] > from ? first[t] : from;
        beyond = last[t] < beyond ? last[t] : beyond;
    }
    add_taps(g, x, dy, off, from, beyond, count, to);
    beyond = beyond > from ? beyond : from;
    for (int t = 0; t < count && count > 1; t++, to += g->in.c, off += g->dilation[1]) {
        add_taps(g, x, dy, off, first[t], last[t] < from ? last[t] : from, 1, to);
        add_taps(g, x, dy, off, first[t] > beyond ? first[t] : beyond, last[t], 1, to);
    }
}

/* A block of any kernel. x, dy: the sample's. */
static void add_block(const nm_conv_call *call, const block *k, const real *x, const real *dy, real *dw, real *db)
{
    const nm_conv_geometry *g = call->g;
    ptrdiff_t c = g->in.c, line = g->out.w * c;
    for (int row = k->first; row < k->last; row++) {
        int a0, a1, b, h = row * g->stride[0] - g->top;
        taps(h, g->dilation[0], g->kernel[0], g->in.h, &a0, &a1);
        for (int a = a0; a < a1; a++) {
            const real *from = x + (h + a * g->dilation[0]) * (ptrdiff_t)g->in.w * c;
            real *to = dw + a * g->kernel[1] * c;
            for (b = 0; b + TAPS <= g->kernel[1]; b += TAPS, to += TAPS * c)
                add_group(g, from, dy + row * line, b, TAPS, to);
            for (; b < g->kernel[1]; b++, to += c)
                add_group(g, from, dy + row * line, b, 1, to);
        }
    }
    NM_ISA(nm_conv_column_sums)(dy + k->first * line, (k->last - k->first) * g->out.w, g->out.c, db);
}

typedef struct weights_job {
    const nm_conv_call *call;
    nm_conv_partials partials; /* each of as many rows of outputs: eight threads have work even with one sample */
} weights_job;

static void weights_task(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_call *call = j->call;
    const nm_conv_geometry *g = call->g;
    const nm_conv_partial sum = NM_ISA(nm_conv_partial_of)(&j->partials, g, task, (long)call->n * g->out.h);
    const depthwise_scratch scratch = depthwise_thread(call, NM_CONV_WEIGHTS, thread);
    memset(sum.dw, 0, nm_conv_weight_count(g) * sizeof *sum.dw);
    for (long row = sum.first; row < sum.last;) {
        block k = {(int)(row / g->out.h), (int)(row % g->out.h), 0};
        int until = k.first + block_rows(g->out, SMALLEST);
        until = until < g->out.h ? until : g->out.h;
        k.last = sum.last - row < until - k.first ? k.first + (int)(sum.last - row) : until;
        row += k.last - k.first;
        const real *x = NM_ISA(nm_conv_input)(call, k.sample, k.first, k.last, scratch.input);
        const real *dy = call->dy + (size_t)k.sample * nm_shape_size(g->out);
        if (dw_is_3x3(g))
            add_block_3x3(call, &k, x, dy, sum.dw, sum.db);
        else
            add_block(call, &k, x, dy, sum.dw, sum.db);
    }
}

static void weights(const nm_conv_call *call)
{
    nm_scratch shared = nm_conv_shared_scratch(call);
    weights_job j = {.call = call, .partials = nm_conv_partials_layout(&shared, call->g, NM_CONV_PARTIALS)};
    NM_ISA(nm_conv_sum_partials)(call, &j.partials, weights_task, &j);
}

/* ---- gradient by x, where a stride keeps it from being a convolution ----------------------- */

/* `count` pixels of dx with the same taps, whose outputs follow each other; they lie `step` numbers
 * apart. */
static void data_pixels(const nm_conv_call *call, const real *dy, dw_reach v, dw_reach h, int count, real *dx,
                        ptrdiff_t step)
{
    const nm_conv_geometry *g = call->g;
    ptrdiff_t c = g->in.c, line = g->out.w * c;
    dw_taps t = {v.count, h.count, -v.back * line, -h.back * c, v.apart * g->kernel[1] * c, h.apart * c};
    bool any = v.count > 0 && h.count > 0;
    dw_outputs(call, &t, any ? dy + v.place * line + h.place * c : dy, c,
               any ? call->w + (v.first * g->kernel[1] + h.first) * c : call->w, count, dx, step);
}

/* A row of dx: for each remainder of the column by the stride the pixels whose outputs all exist at
 * once, others alone. */
static void data_row(const nm_conv_call *call, const real *dy, int row, real *dx)
{
    const nm_conv_geometry *g = call->g;
    int stride = g->stride[1];
    ptrdiff_t c = g->in.c;
    const dw_reach v = dw_clipped(dw_reach_of(g, 0, row + g->top), g->out.h);
    for (int phase = 0; phase < stride && phase < g->in.w; phase++) {
        dw_reach h = dw_reach_of(g, 1, phase + g->left);
        int pixels = nm_pieces(g->in.w - phase, stride), low = h.place - (h.count - 1) * h.back;
        int from = low < 0 ? -low : 0, beyond = g->out.w - h.place < pixels ? g->out.w - h.place : pixels;
        for (int i = 0, count; i < pixels; i += count) {
            bool whole = h.count > 0 && i >= from && i < beyond;
            dw_reach here = h;
            here.place += i;
            count = whole ? beyond - i : 1;
            data_pixels(call, dy, v, whole ? here : dw_clipped(here, g->out.w), count, dx + (phase + i * stride) * c,
                        stride * c);
        }
    }
}

static void data_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    const block k = block_of(call, g->in, task);
    const real *dy = call->dy + (size_t)k.sample * nm_shape_size(g->out);
    real *dx = call->y + (size_t)k.sample * nm_shape_size(g->in);
    bool tiles = dw_is_3x3(g) && g->stride[0] == 2 && g->top % 2 == g->left % 2;
    for (int row = k.first; row < k.last; row += tiles ? DW_ROWS : 1)
        if (!tiles)
            data_row(call, dy, row, dx + row * (ptrdiff_t)g->in.w * g->in.c);
        else
            for (int col = 0; col < g->in.w; col += DW_COLS)
                if (g->top % 2)
                    dw_data_tile(call, dy, row, col, 1, dx);
                else
                    dw_data_tile(call, dy, row, col, 0, dx);
}

static void data(const nm_conv_call *call)
{
    each_block(call, call->g->in, data_task);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_depthwise);
const nm_conv_algorithm NM_ISA(nm_conv_depthwise) = {
    "depthwise",   declines,         cost,
    book,          forward,          weights,
    data,          .pieces = pieces, .reads_lazy_normalisation = nm_conv_any,
    .exact = true,
};
