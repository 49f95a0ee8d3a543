/* Depthwise convolution, a kernel for each channel: no product to speak of, so that each output is summed directly, a
 * run of channels side by side in registers. */
#include "conv.h"

#include <string.h>

enum { LANES = 32 };

static const char *declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    return g->groups != g->in.c || g->out.c != g->in.c ? "needs as many groups as input and output channels" : NULL;
}

static double cost(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    return 4 * nm_conv_direct_cost(g);
}

/* Shared: (weights) the parts, each [taps][channels] and then the bias's [channels]. */
static void book(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    (void)n;
    *thread = 0;
    *shared = kind == NM_CONV_WEIGHTS ? NM_CONV_PARTS * (nm_conv_weight_count(g) + (size_t)g->out.c) * sizeof(real) : 0;
}

/* The taps first..last-1 of an axis that read inside an input of `size` pixels from position `at` on. */
static void taps(int at, int dilation, int kernel, int size, int *first, int *last)
{
    *first = at < 0 ? (-at + dilation - 1) / dilation : 0;
    *last = at < size ? (size - 1 - at) / dilation + 1 : 0;
    *last = *last < kernel ? *last : kernel;
}

/* ---- forward ----------------------------------------------------------------------------------------- */

typedef struct span {
    int a0, a1, b0, b1, h, w; /* taps; the input position of tap (0, 0) */
} span;

static inline void sum_lanes(const nm_conv_call *call, span s, const real *restrict x, int channel, int lanes,
                             real *restrict y)
{
    const nm_conv_geometry *g = call->g;
    const real *restrict kernel = call->w + channel;
    size_t c = (size_t)g->in.c;
    real sum[LANES];
    for (int i = 0; i < lanes; i++)
        sum[i] = 0;
    for (int a = s.a0; a < s.a1; a++)
        for (int b = s.b0; b < s.b1; b++) {
            size_t row = (size_t)(s.h + a * g->dilation[0]) * (size_t)g->in.w;
            const real *restrict from = x + (row + (size_t)(s.w + b * g->dilation[1])) * c;
            const real *restrict tap = kernel + (size_t)(a * g->kernel[1] + b) * c;
            for (int i = 0; i < lanes; i++)
                sum[i] += from[i] * tap[i];
        }
    nm_conv_finish(call, channel, lanes, sum);
    for (int i = 0; i < lanes; i++)
        y[i] = sum[i];
}

static void forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    int row = task % g->out.h, channels = g->in.c;
    const real *x = call->x + (size_t)(task / g->out.h) * nm_shape_size(g->in);
    real *y = call->y + (size_t)task * (size_t)g->out.w * (size_t)channels;
    span s = {.h = row * g->stride[0] - g->top};
    taps(s.h, g->dilation[0], g->kernel[0], g->in.h, &s.a0, &s.a1);
    for (int col = 0; col < g->out.w; col++, y += channels) {
        s.w = col * g->stride[1] - g->left;
        taps(s.w, g->dilation[1], g->kernel[1], g->in.w, &s.b0, &s.b1);
        int c = 0;
        for (; c + LANES <= channels; c += LANES)
            sum_lanes(call, s, x + c, c, LANES, y + c);
        if (c < channels)
            sum_lanes(call, s, x + c, c, channels - c, y + c);
    }
}

static void forward(const nm_conv_call *call)
{
    nm_parallel(call->threads, call->n * call->g->out.h, forward_task, (void *)call);
}

/* ---- gradient by the weights --------------------------------------------------------------------------- */

/* Adds, for one row of outputs and one tap, x * dy over the columns that read inside. */
static inline void add_tap(const nm_conv_geometry *g, const real *restrict x, const real *restrict dy, int first,
                           int last, int lanes, real *restrict to)
{
    size_t c = (size_t)g->in.c, step = (size_t)g->stride[1] * c;
    real sum[LANES];
    for (int i = 0; i < lanes; i++)
        sum[i] = 0;
    for (int col = first; col < last; col++) {
        const real *restrict from = x + (size_t)(col - first) * step, *restrict d = dy + (size_t)col * c;
        for (int i = 0; i < lanes; i++)
            sum[i] += from[i] * d[i];
    }
    for (int i = 0; i < lanes; i++)
        to[i] += sum[i];
}

/* All taps of one row of outputs. */
static void add_row(const nm_conv_call *call, int sample, int row, real *dw)
{
    const nm_conv_geometry *g = call->g;
    size_t channels = (size_t)g->in.c;
    const real *dy = call->dy + ((size_t)sample * (size_t)g->out.h + (size_t)row) * (size_t)g->out.w * channels;
    for (int a = 0; a < g->kernel[0]; a++) {
        int h = row * g->stride[0] - g->top + a * g->dilation[0];
        if (h < 0 || h >= g->in.h)
            continue;
        const real *x = call->x + ((size_t)sample * (size_t)g->in.h + (size_t)h) * (size_t)g->in.w * channels;
        for (int b = 0; b < g->kernel[1]; b++) {
            int off = b * g->dilation[1] - g->left, stride = g->stride[1];
            int first = off < 0 ? (-off + stride - 1) / stride : 0;
            int last = g->in.w > off ? (g->in.w - 1 - off) / stride + 1 : 0;
            last = last < g->out.w ? last : g->out.w;
            if (last <= first)
                continue;
            const real *from = x + (size_t)(first * stride + off) * channels;
            real *to = dw + (size_t)(a * g->kernel[1] + b) * channels;
            for (size_t c = 0; c < channels; c += LANES)
                if (c + LANES <= channels)
                    add_tap(g, from + c, dy + c, first, last, LANES, to + c);
                else
                    add_tap(g, from + c, dy + c, first, last, (int)(channels - c), to + c);
        }
    }
}

/* One part: an eighth of the samples. */
static void weights_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    size_t count = nm_conv_weight_count(g);
    real *dw = (real *)call->shared + (size_t)task * count;
    real *db = (real *)call->shared + NM_CONV_PARTS * count + (size_t)task * (size_t)g->out.c;
    memset(dw, 0, count * sizeof *dw);
    memset(db, 0, (size_t)g->out.c * sizeof *db);
    int first = task * call->n / NM_CONV_PARTS, last = (task + 1) * call->n / NM_CONV_PARTS;
    for (int sample = first; sample < last; sample++) {
        for (int row = 0; call->dw && row < g->out.h; row++)
            add_row(call, sample, row, dw);
        if (call->db)
            NM_ISA(nm_conv_column_sums)
            (call->dy + (size_t)sample * nm_shape_size(g->out), g->out.h * g->out.w, g->out.c, db);
    }
}

static void weights(const nm_conv_call *call)
{
    size_t count = nm_conv_weight_count(call->g);
    const real *parts = call->shared;
    nm_parallel(call->threads, NM_CONV_PARTS, weights_task, (void *)call);
    if (call->dw)
        NM_ISA(nm_conv_add_parts)(call->threads, parts, NM_CONV_PARTS, count, call->dw);
    if (call->db)
        NM_ISA(nm_conv_add_parts)(call->threads, parts + NM_CONV_PARTS * count, NM_CONV_PARTS, (size_t)call->g->out.c,
                                  call->db);
}

/* ---- gradient by x, where a stride keeps it from being a convolution -------------------------------------- */

static void data_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    size_t channels = (size_t)g->in.c;
    int h = task % g->in.h;
    const real *dy = call->dy + (size_t)(task / g->in.h) * nm_shape_size(g->out);
    real *restrict dx = call->y + (size_t)task * (size_t)g->in.w * channels;
    memset(dx, 0, (size_t)g->in.w * channels * sizeof *dx);
    for (int a = 0; a < g->kernel[0]; a++) {
        int row = h + g->top - a * g->dilation[0];
        if (row < 0 || row % g->stride[0] || row / g->stride[0] >= g->out.h)
            continue;
        const real *from = dy + (size_t)(row / g->stride[0]) * (size_t)g->out.w * channels;
        for (int b = 0; b < g->kernel[1]; b++) {
            const real *restrict tap = call->w + (size_t)(a * g->kernel[1] + b) * channels;
            for (int col = 0; col < g->out.w; col++) {
                int w = col * g->stride[1] - g->left + b * g->dilation[1];
                if (w < 0 || w >= g->in.w)
                    continue;
                const real *restrict d = from + (size_t)col * channels;
                real *restrict to = dx + (size_t)w * channels;
                for (size_t c = 0; c < channels; c++)
                    to[c] += d[c] * tap[c];
            }
        }
    }
}

static void data(const nm_conv_call *call)
{
    nm_parallel(call->threads, call->n * call->g->in.h, data_task, (void *)call);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_depthwise);
const nm_conv_algorithm NM_ISA(nm_conv_depthwise) = {
    "depthwise", declines, cost, book, forward, weights, data, .exact = true,
};
