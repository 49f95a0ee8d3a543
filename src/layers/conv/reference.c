/* Convolution as its definition has it, summed in double: slow, always applicable, what the others
 * are held to. */
#include "conv.h"

static const char *reference_declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)g;
    (void)kind;
    return NULL;
}

static double reference_cost(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs)
{
    (void)kind;
    (void)by_sample;
    (void)costs;
    return 200 * nm_conv_direct_cost(g); /* a double at a time, against a vector unit */
}

static void reference_reserve(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    (void)g;
    (void)kind;
    (void)n;
    *shared = *thread = 0;
}

/* The input pixel that tap `k` of output pixel `o` reads, or -1 in the padding. */
static int source(const nm_conv_geometry *g, int axis, int o, int k)
{
    int at = o * g->stride[axis] - (axis ? g->left : g->top) + k * g->dilation[axis];
    return at >= 0 && at < (axis ? g->in.w : g->in.h) ? at : -1;
}

static void reference_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    int in = nm_conv_group_in(g), out = nm_conv_group_out(g), sample = task / g->out.h, row = task % g->out.h;
    const real *x = call->x.reals + (size_t)sample * nm_shape_size(g->in);
    real *y = call->y + (size_t)task * (size_t)g->out.w * (size_t)g->out.c;
    for (int col = 0; col < g->out.w; col++)
        for (int o = 0; o < g->out.c; o++) {
            double sum = 0;
            for (int a = 0; a < g->kernel[0]; a++)
                for (int b = 0; b < g->kernel[1]; b++) {
                    int h = source(g, 0, row, a), w = source(g, 1, col, b);
                    if (h < 0 || w < 0)
                        continue;
                    const real *pixel = x + ((size_t)h * (size_t)g->in.w + (size_t)w) * (size_t)g->in.c + o / out * in;
                    const real *tap = call->w + (size_t)(a * g->kernel[1] + b) * (size_t)in * (size_t)g->out.c + o;
                    for (int i = 0; i < in; i++)
                        sum += (double)pixel[i] * (double)tap[(size_t)i * (size_t)g->out.c];
                }
            sum = sum * (call->scale ? (double)call->scale[o] : 1) + (call->bias ? (double)call->bias[o] : 0);
            y[(size_t)col * (size_t)g->out.c + (size_t)o] = call->relu ? nm_positive((real)sum) : (real)sum;
        }
}

static void reference_forward(const nm_conv_call *call)
{
    NM_ISA(nm_conv_run_tasks)(call, call->n * call->g->out.h, reference_forward_task, (void *)call);
}

/* One task for each tap and input channel: all output channels of it. */
static void reference_weights_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    int in = nm_conv_group_in(g), out = nm_conv_group_out(g), tap = task / in, i = task % in;
    for (int o = 0; o < g->out.c; o++) {
        double sum = 0;
        for (int sample = 0; sample < call->n; sample++)
            for (int row = 0; row < g->out.h; row++)
                for (int col = 0; col < g->out.w; col++) {
                    int h = source(g, 0, row, tap / g->kernel[1]), w = source(g, 1, col, tap % g->kernel[1]);
                    if (h < 0 || w < 0)
                        continue;
                    size_t from = ((size_t)sample * (size_t)g->in.h + (size_t)h) * (size_t)g->in.w + (size_t)w;
                    size_t to = ((size_t)sample * (size_t)g->out.h + (size_t)row) * (size_t)g->out.w + (size_t)col;
                    sum += (double)call->x.reals[from * (size_t)g->in.c + (size_t)(o / out * in + i)] *
                           (double)call->dy[to * (size_t)g->out.c + (size_t)o];
                }
        call->dw[(size_t)task * (size_t)g->out.c + (size_t)o] += (real)sum;
    }
}

static void reference_weights(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    int tasks = call->dw ? g->kernel[0] * g->kernel[1] * nm_conv_group_in(g) : 0;
    NM_ISA(nm_conv_run_tasks)(call, tasks, reference_weights_task, (void *)call);
    size_t rows = (size_t)call->n * (size_t)g->out.h * (size_t)g->out.w;
    for (int o = 0; call->db && o < g->out.c; o++) {
        double sum = 0;
        for (size_t row = 0; row < rows; row++)
            sum += (double)call->dy[row * (size_t)g->out.c + (size_t)o];
        call->db[o] += (real)sum;
    }
}

/* One task for each row of x: every output that read a pixel gives back its share. */
static void reference_data_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    int in = nm_conv_group_in(g), out = nm_conv_group_out(g), sample = task / g->in.h, h = task % g->in.h;
    const real *dy = call->dy + (size_t)sample * nm_shape_size(g->out);
    real *dx = call->y + (size_t)task * (size_t)g->in.w * (size_t)g->in.c;
    for (int w = 0; w < g->in.w; w++)
        for (int c = 0; c < g->in.c; c++) {
            double sum = 0;
            for (int a = 0; a < g->kernel[0]; a++)
                for (int b = 0; b < g->kernel[1]; b++) {
                    int row = h + g->top - a * g->dilation[0], col = w + g->left - b * g->dilation[1];
                    if (row < 0 || col < 0 || row % g->stride[0] || col % g->stride[1])
                        continue;
                    row /= g->stride[0];
                    col /= g->stride[1];
                    if (row >= g->out.h || col >= g->out.w)
                        continue;
                    const real *d = dy + ((size_t)row * (size_t)g->out.w + (size_t)col) * (size_t)g->out.c;
                    const real *tap =
                        call->w + ((size_t)(a * g->kernel[1] + b) * (size_t)in + (size_t)(c % in)) * (size_t)g->out.c;
                    for (int o = c / in * out; o < (c / in + 1) * out; o++)
                        sum += (double)d[o] * (double)tap[o];
                }
            dx[(size_t)w * (size_t)g->in.c + (size_t)c] = (real)sum;
        }
}

static void reference_data(const nm_conv_call *call)
{
    NM_ISA(nm_conv_run_tasks)(call, call->n * call->g->in.h, reference_data_task, (void *)call);
}

const nm_conv_algorithm NM_ISA(nm_conv_reference) = {
    .name = "reference",
    .declines = reference_declines,
    .cost = reference_cost,
    .reserve = reference_reserve,
    .forward = reference_forward,
    .weights = reference_weights,
    .data = reference_data,
    .exact = true,
};
