/* Convolution summed directly, for few input channels (the first layer's 1 or 3, and strided
 * kernels over some more): a product so thin would spend its time on laying out patches. Forward
 * alone. For each output row the input rows that it reads are copied with their zeros around them;
 * then a few pixels at a time keep their sums of some output channels in registers. */
#include "direct_sums.h"
#include "stem.h"

#include <string.h>

enum { ROWS = 4, MOST_CHANNELS = 48, MOST_TAPS = 300, TAPS = 9 };

static int taps_of(const nm_conv_geometry *g)
{
    return g->kernel[0] * g->kernel[1] * g->in.c;
}

static const char *direct_declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    if (kind != NM_CONV_FORWARD)
        return "goes forward alone";
    if (g->groups != 1 || g->dilation[0] != 1 || g->dilation[1] != 1)
        return "needs dilation 1 and one group";
    if (g->in.c > MOST_CHANNELS || taps_of(g) > MOST_TAPS)
        return "is for few input channels";
    if (g->out.c % LANES)
        return "needs output channels in whole vectors";
    return NULL;
}

/* Pixels of a padded input row: enough for whole groups of output pixels. */
static int padded_width(const nm_conv_geometry *g)
{
    return (nm_ceil_div(g->out.w, PIXELS) * PIXELS - 1) * g->stride[1] + g->kernel[1];
}

/* Numbers of the input rows of one output row. */
static size_t rows_size(const nm_conv_geometry *g)
{
    return (size_t)g->kernel[0] * (size_t)(padded_width(g) * g->in.c);
}

/* The input rows of one output row, with zeros for what lies outside: [kernel height][padded
 * width][C]. */
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
        memcpy(to + (size_t)first * c, sample + (size_t)h * (size_t)g->in.w * c,
               (size_t)(last - first) * c * sizeof *to);
        memset(to + (size_t)last * c, 0, (size_t)(padded_width(g) - last) * c * sizeof *to);
    }
}

/* Whether a row of outputs can be summed from its input row where that lies. */
static bool reads_in_place(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    return g->kernel[0] == 1 && !g->top && !g->left && padded_width(g) <= g->in.w && !call->pool;
}

/* PIXELS outputs of `count` * LANES channels; pooled, of two rows whose inputs lie at x and
 * `second` numbers further. */
static inline void do_pixels(const nm_conv_call *call, const real *x, size_t second, int channel, const int count,
                             int pixels, real *y)
{
    const nm_conv_geometry *g = call->g;
    size_t line = (size_t)padded_width(g) * (size_t)g->in.c, step = (size_t)g->stride[1] * (size_t)g->in.c;
    const real *w = call->w + channel;
    nm_vector sum[PIXELS][MOST], lower[PIXELS][MOST];
    sum_pixels(g, x, line, step, w, count, sum);
    if (!call->pool) {
        put_pixels(call, sum, channel, count, pixels, y + channel);
        return;
    }
    sum_pixels(g, x + second, line, step, w, count, lower);
    put_pooled(call, sum, lower, channel, count, pixels, y + channel);
}

/* A row of y from the padded input rows at `rows`: one of outputs, or two that are pooled. */
static void output_row(const nm_conv_call *call, const real *rows, real *y)
{
    const nm_conv_geometry *g = call->g;
    const nm_shape s = nm_conv_y_shape(call);
    const int each = call->pool ? 2 : 1, group = PIXELS / each;
    size_t step = (size_t)g->stride[1] * (size_t)g->in.c, second = rows_size(g);
    if (sums_nine_taps(call)) {
        nine_tap_row(call, rows, (size_t)padded_width(g), y);
        return;
    }
    for (int col = 0; col < s.w; col += group) {
        int pixels = s.w - col < group ? s.w - col : group, c = 0;
        const real *x = rows + (size_t)(col * each) * step;
        real *to = y + (size_t)col * (size_t)s.c;
        for (; MOST > 2 && c + MOST * LANES <= s.c; c += MOST * LANES)
            do_pixels(call, x, second, c, MOST, pixels, to);
        for (; c + 2 * LANES <= s.c; c += 2 * LANES)
            do_pixels(call, x, second, c, 2, pixels, to);
        if (c < s.c)
            do_pixels(call, x, second, c, 1, pixels, to);
    }
}

/* Thread scratch. */
typedef struct direct_scratch {
    real *rows;    /* the input rows of one output row, and of a second one where they are pooled */
    real *input;   /* those of a task, where they are normalised or widened first */
    void *moments; /* where those lay before */
    real *outputs; /* of a task, where they are rounded before they are written */
} direct_scratch;

static direct_scratch direct_layout(nm_scratch *s, const nm_conv_geometry *g)
{
    nm_scratch after = *s;
    direct_scratch l = {.rows = nm_scratch_reals(s, 2 * rows_size(g)),
                        .input = nm_scratch_reals(s, nm_conv_input_size(g, 2 * ROWS)),
                        .moments = nm_scratch_bytes(&after, NM_ISA(nm_conv_moments_scratch)(g))};
    nm_scratch_overlap(s, &after);
    l.outputs = nm_scratch_reals(s, (size_t)(ROWS * g->out.w) * (size_t)g->out.c);
    return l;
}

/* ROWS rows of a sample's y. */
static void direct_forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    const nm_shape s = nm_conv_y_shape(call);
    const int each = call->pool ? 2 : 1, blocks = nm_ceil_div(s.h, ROWS), n = task / blocks,
              first = task % blocks * ROWS;
    const int last = first + ROWS < s.h ? first + ROWS : s.h;
    nm_scratch own = nm_conv_thread_scratch(call, thread);
    const direct_scratch scratch = direct_layout(&own, g);
    size_t line = (size_t)s.w * (size_t)s.c;
    const size_t at = ((size_t)n * (size_t)s.h + (size_t)first) * line;
    real *y = call->y_bf16 ? scratch.outputs : call->y + at;
    const real *sample = NM_ISA(nm_conv_input)(call, n, first * each, last * each, scratch.input);
    const bool in_place = reads_in_place(call);
    for (int row = first; row < last; row++) {
        for (int k = 0; k < each && !in_place; k++)
            copy_rows(g, sample, row * each + k, scratch.rows + (size_t)k * rows_size(g));
        output_row(call, in_place ? sample + (size_t)(row * g->stride[0] * g->in.w) * (size_t)g->in.c : scratch.rows,
                   y + (size_t)(row - first) * line);
    }
    if (call->y_bf16)
        NM_ISA(nm_conv_narrow)(y, (size_t)(last - first) * line, call->y_bf16 + at);
    if (call->moments)
        NM_ISA(nm_conv_take_moments)(g, call->moments, task, y, (last - first) * s.w, scratch.moments);
}

static int direct_chunks(const nm_conv_geometry *g, int n, int most)
{
    (void)most;
    return n * nm_ceil_div(g->out.h, ROWS);
}

/* ---- for conv/stem.c ------------------------------------------------------------------------ */

size_t NM_ISA(nm_conv_direct_rows_size)(const nm_conv_geometry *g)
{
    return rows_size(g);
}

void NM_ISA(nm_conv_direct_row)(const nm_conv_call *call, const real *sample, int row, real *rows, real *y)
{
    copy_rows(call->g, sample, row, rows);
    output_row(call, rows, y);
}

/* x times dy of one row for `count` taps of a kernel row and LANES channels, in registers. */
static inline void add_taps(const nm_conv_geometry *g, const real *x, const real *restrict dy, const int count,
                            real *restrict dw)
{
    const size_t step = (size_t)g->stride[1] * (size_t)g->in.c, across = (size_t)g->out.c;
    nm_vector sum[TAPS], d;
    for (int t = 0; t < count; t++)
        nm_vector_load(&sum[t], dw + (size_t)t * across, LANES);
    for (int col = 0; col < g->out.w; col++, x += step, dy += across) {
        nm_vector_load(&d, dy, LANES);
        for (int t = 0; t < count; t++)
            sum[t] += x[t] * d;
    }
    for (int t = 0; t < count; t++)
        nm_vector_store(dw + (size_t)t * across, &sum[t], LANES);
}

void NM_ISA(nm_conv_direct_add_row)(const nm_conv_geometry *g, const real *sample, int row, real *rows, const real *dy,
                                    real *dw)
{
    const int taps = g->kernel[1] * g->in.c;
    const size_t line = (size_t)(padded_width(g) * g->in.c), across = (size_t)g->out.c;
    copy_rows(g, sample, row, rows);
    for (int a = 0; a < g->kernel[0]; a++, rows += line)
        for (int t = 0; t < taps; t += TAPS)
            for (int c = 0; c < g->out.c; c += LANES) {
                real *to = dw + (size_t)(a * taps + t) * across + c;
                if (taps - t >= TAPS)
                    add_taps(g, rows + t, dy + c, TAPS, to);
                else if (taps - t == 3)
                    add_taps(g, rows + t, dy + c, 3, to);
                else
                    add_taps(g, rows + t, dy + c, taps - t, to);
            }
}

static void direct_forward(const nm_conv_call *call)
{
    NM_ISA(nm_conv_run_tasks)
    (call, call->n * nm_ceil_div(nm_conv_y_shape(call).h, ROWS), direct_forward_task, (void *)call);
}

static double direct_cost(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs)
{
    (void)kind;
    (void)by_sample;
    return costs->direct_sum * nm_conv_direct_cost(g) + costs->direct_pixel * g->out.h * g->out.w;
}

static void direct_reserve(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    (void)kind;
    (void)n;
    nm_scratch own = {0};
    direct_layout(&own, g);
    *shared = 0;
    *thread = own.size;
}

extern const nm_conv_algorithm NM_ISA(nm_conv_direct);
const nm_conv_algorithm NM_ISA(nm_conv_direct) = {
    .name = "direct",
    .declines = direct_declines,
    .cost = direct_cost,
    .reserve = direct_reserve,
    .forward = direct_forward,
    .chunks = direct_chunks,
    .exact = true,
    .reads_lazy_normalisation = nm_conv_any,
    .pools = true,
    .narrows = true,
};
