/* Convolution summed directly, for few input channels (the first layer's 1 or 3): a product so thin would spend its time on
 * laying out patches. Forward alone. For each output row the input rows that it reads are copied with their zeros around
 * them; then a few pixels at a time keep their sums of some output channels in registers. */
#include "conv.h"

#include <string.h>

/* A vector of 64 bytes, whatever the instruction set makes of it. */
typedef real vector __attribute__((vector_size(64)));

enum { LANES = 64 / sizeof(real), PIXELS = 4, MOST_TAPS = 48 };

static int taps_of(const nm_conv_geometry *g)
{
    return g->kernel[0] * g->kernel[1] * g->in.c;
}

static const char *declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    if (kind != NM_CONV_FORWARD)
        return "goes forward alone";
    if (g->groups != 1 || g->dilation[0] != 1 || g->dilation[1] != 1)
        return "needs dilation 1 and one group";
    if (taps_of(g) > MOST_TAPS)
        return "is for few input channels";
    if (g->out.c % LANES)
        return "needs output channels in whole vectors";
    return NULL;
}

/* Pixels of a padded input row: enough for whole groups of output pixels. */
static int padded_width(const nm_conv_geometry *g)
{
    return (nm_pieces(g->out.w, PIXELS) * PIXELS - 1) * g->stride[1] + g->kernel[1];
}

/* The sums of PIXELS outputs from `x` on (`step` numbers apart) of `count` * LANES channels. */
static inline void sum_pixels(const nm_conv_geometry *g, const real *x, size_t line, size_t step, const real *restrict w,
                              const real *restrict bias, const int count, vector (*sum)[2])
{
    const int run = g->kernel[1] * g->in.c;
    for (int p = 0; p < PIXELS; p++)
        for (int k = 0; k < count; k++) {
            sum[p][k] = (vector){0};
            if (bias)
                memcpy(&sum[p][k], bias + k * LANES, sizeof(vector));
        }
    for (int a = 0; a < g->kernel[0]; a++)
        for (int t = 0; t < run; t++, w += g->out.c) {
            const real *from = x + (size_t)a * line + t;
            vector weight[2];
            for (int k = 0; k < count; k++)
                memcpy(&weight[k], w + k * LANES, sizeof(vector));
            for (int p = 0; p < PIXELS; p++)
                for (int k = 0; k < count; k++)
                    sum[p][k] += from[(size_t)p * step] * weight[k];
        }
}

static inline void put_pixels(const nm_conv_call *call, vector (*sum)[2], const int count, int pixels, real *y)
{
    for (int p = 0; p < pixels; p++, y += call->g->out.c)
        for (int k = 0; k < count; k++) {
            real lanes[LANES];
            memcpy(lanes, &sum[p][k], sizeof lanes);
            for (int v = 0; call->relu && v < LANES; v++)
                lanes[v] = nm_conv_positive(lanes[v]);
            memcpy(y + k * LANES, lanes, sizeof lanes);
        }
}

/* The input rows of one output row, with zeros for what lies outside: [kernel height][padded width][C]. */
static void copy_rows(const nm_conv_geometry *g, const real *sample, int row, real *to)
{
    size_t c = (size_t)g->in.c, line = (size_t)padded_width(g) * c;
    for (int a = 0; a < g->kernel[0]; a++, to += line) {
        int h = row * g->stride[0] - g->top + a, first = g->left, last = g->left + g->in.w;
        last = last < padded_width(g) ? last : padded_width(g);
        if (h < 0 || h >= g->in.h || last <= first) {
            memset(to, 0, line * sizeof *to);
            continue;
        }
        memset(to, 0, (size_t)first * c * sizeof *to);
        memcpy(to + (size_t)first * c, sample + (size_t)h * (size_t)g->in.w * c, (size_t)(last - first) * c * sizeof *to);
        memset(to + (size_t)last * c, 0, (size_t)(padded_width(g) - last) * c * sizeof *to);
    }
}

static void forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    size_t line = (size_t)padded_width(g) * (size_t)g->in.c, step = (size_t)g->stride[1] * (size_t)g->in.c;
    real *rows = nm_conv_thread_scratch(call, thread);
    real *y = call->y + (size_t)task * (size_t)g->out.w * (size_t)g->out.c;
    copy_rows(g, call->x + (size_t)(task / g->out.h) * nm_shape_size(g->in), task % g->out.h, rows);
    for (int col = 0; col < g->out.w; col += PIXELS) {
        const real *x = rows + (size_t)col * step;
        int pixels = g->out.w - col < PIXELS ? g->out.w - col : PIXELS;
        for (int c = 0; c < g->out.c;) {
            const real *bias = call->bias ? call->bias + c : NULL;
            real *to = y + (size_t)col * (size_t)g->out.c + c;
            vector sum[PIXELS][2];
            if (c + 2 * LANES <= g->out.c) {
                sum_pixels(g, x, line, step, call->w + c, bias, 2, sum);
                put_pixels(call, sum, 2, pixels, to);
                c += 2 * LANES;
            } else {
                sum_pixels(g, x, line, step, call->w + c, bias, 1, sum);
                put_pixels(call, sum, 1, pixels, to);
                c += LANES;
            }
        }
    }
}

static void forward(const nm_conv_call *call)
{
    nm_parallel(call->threads, call->n * call->g->out.h, forward_task, (void *)call);
}

static double cost(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    return 1.5 * nm_conv_direct_cost(g) + 60.0 * g->out.h * g->out.w;
}

static void book(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    (void)kind;
    (void)n;
    *shared = 0;
    *thread = (size_t)g->kernel[0] * (size_t)padded_width(g) * (size_t)g->in.c * sizeof(real);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_direct);
const nm_conv_algorithm NM_ISA(nm_conv_direct) = {
    "direct", declines, cost, book, forward, NULL, NULL,
};
