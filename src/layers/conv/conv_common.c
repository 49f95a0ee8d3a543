/* What the algorithms share: rounds of two passes, bias gradients, the convolution turned round;
 * and what conv and deconv do. */
#include "batchnorm_passes.h"
#include "conv.h"

#include <string.h>

nm_status NM_ISA(nm_conv_check_groups)(nm_infer *e, int groups, int filters)
{
    int channels = e->in[0].c;
    if (channels % groups == 0 && filters % groups == 0)
        return NM_OK;
    return nm_fail(e->ctx, NM_INVALID, "%s: groups must divide the channels; found %d groups, %d channels, %d filters",
                   e->who, groups, channels, filters);
}

/* ---- rounds of two passes ------------------------------------------------------------------- */

/* Task `task` of `first` and `second` tasks that are taken in turn: whether it is one of the first,
 * and which one of its kind. */
static bool is_of_first(long first, long second, long task, int *index)
{
    long all = first + second, before = first * task / all;
    bool is = first * (task + 1) / all > before;
    *index = (int)(is ? before : task - before);
    return is;
}

static void round_of_both_task(void *arg, int task, int thread)
{
    const nm_conv_round *both = arg, *first = &both[0], *second = &both[1];
    int larger = first->larger, beside = (int)(first->share * second->tasks), index;
    bool late = task >= larger + beside;
    bool is = late ? is_of_first(first->tasks - larger, second->tasks - beside, task - larger - beside, &index)
                   : is_of_first(larger, beside, task, &index);
    const nm_conv_round *of = is ? first : second;
    of->fn(of->arg, index + (!late ? 0 : is ? larger : beside), thread);
}

void NM_ISA(nm_conv_run_round)(const nm_conv_call *call, const nm_conv_round *round)
{
    if (call->beside) {
        nm_conv_call other = call->beside->call;
        other.round = round;
        call->beside->run(&other);
        return;
    }
    if (!call->round) {
        nm_parallel(call->threads, round->tasks, round->fn, round->arg);
        return;
    }
    nm_conv_round both[] = {*call->round, *round};
    nm_parallel(call->threads, both[0].tasks + both[1].tasks, round_of_both_task, both);
}

void NM_ISA(nm_conv_run_tasks)(const nm_conv_call *call, int tasks, nm_task *fn, void *arg)
{
    const nm_conv_round all = {.tasks = tasks, .fn = fn, .arg = arg};
    NM_ISA(nm_conv_run_round)(call, &all);
}

void NM_ISA(nm_conv_column_sums)(const real *restrict dy, int rows, int channels, real *restrict sum)
{
    enum { LANES = 64 };
    for (int first = 0; first < channels; first += LANES) {
        int width = channels - first < LANES ? channels - first : LANES;
        real run[LANES] = {0};
        const real *restrict row = dy + first;
        if (width == LANES)
            for (int i = 0; i < rows; i++, row += channels)
                for (int c = 0; c < LANES; c++)
                    run[c] += row[c];
        else
            for (int i = 0; i < rows; i++, row += channels)
                for (int c = 0; c < width; c++)
                    run[c] += row[c];
        for (int c = 0; c < width; c++)
            sum[first + c] += run[c];
    }
}

bool NM_ISA(nm_conv_turn)(const nm_conv_geometry *g, nm_conv_geometry *turned)
{
    int top = g->dilation[0] * (g->kernel[0] - 1) - g->top, left = g->dilation[1] * (g->kernel[1] - 1) - g->left;
    if (g->stride[0] != 1 || g->stride[1] != 1 || top < 0 || left < 0)
        return false;
    *turned = *g;
    turned->in = g->out;
    turned->out = g->in;
    turned->top = top;
    turned->left = left;
    return true;
}

typedef struct turn_job {
    const nm_conv_geometry *g;
    const real *w;
    real *turned;
} turn_job;

enum { SQUARE = 16 }; /* transposed at once: its lines stay in cache */

/* Output channels first..first+SQUARE-1 of one tap. */
static void turn_task(void *arg, int task, int thread)
{
    (void)thread;
    const turn_job *j = arg;
    const nm_conv_geometry *g = j->g;
    int taps = g->kernel[0] * g->kernel[1], in = nm_conv_group_in(g), out = nm_conv_group_out(g);
    int strips = nm_ceil_div(out, SQUARE), tap = task / strips, first = task % strips * SQUARE;
    int last = first + SQUARE < out ? first + SQUARE : out;
    size_t whole = (size_t)in * (size_t)g->out.c, across = (size_t)g->out.c, to_across = (size_t)g->in.c;
    for (int group = 0; group < g->groups; group++) {
        const real *from = j->w + (size_t)tap * whole + (size_t)(group * out);
        real *to = j->turned + (size_t)(taps - 1 - tap) * whole + (size_t)(group * in);
        for (int i0 = 0; i0 < in; i0 += SQUARE)
            for (int o = first; o < last; o++)
                for (int i = i0; i < i0 + SQUARE && i < in; i++)
                    to[(size_t)o * to_across + (size_t)i] = from[(size_t)i * across + (size_t)o];
    }
}

void NM_ISA(nm_conv_turn_weights)(const nm_conv_geometry *g, int threads, const real *w, real *turned)
{
    turn_job job = {g, w, turned};
    nm_parallel(threads, g->kernel[0] * g->kernel[1] * nm_ceil_div(nm_conv_group_out(g), SQUARE), turn_task, &job);
}

const real *NM_ISA(nm_conv_input)(const nm_conv_call *call, int sample, int first, int last, real *buffer)
{
    const nm_conv_geometry *g = call->g;
    size_t start = (size_t)sample * nm_shape_size(g->in);
    if (!nm_conv_reads_through(call))
        return call->x.reals + start;
    int from = first * g->stride[0] - g->top,
        to = (last - 1) * g->stride[0] - g->top + (g->kernel[0] - 1) * g->dilation[0] + 1;
    from = from > 0 ? from : 0;
    to = to < g->in.h ? to : g->in.h;
    ptrdiff_t before = (ptrdiff_t)from * g->in.w * g->in.c;
    if (from < to)
        NM_ISA(nm_conv_read)(call, start + (size_t)before, (to - from) * g->in.w, buffer);
    return buffer - before;
}

void NM_ISA(nm_conv_read)(const nm_conv_call *call, size_t at, int pixels, real *to)
{
    static const nm_lazy_normalisation none = {0};
    const nm_lazy_normalisation *by = call->lazy_normalisation ? call->lazy_normalisation : &none;
    NM_ISA(nm_batchnorm_read)(by, call->g->in.c, nm_stored_from(call->x, at), pixels, to);
}

void NM_ISA(nm_conv_stream)(const real *from, size_t count, real *to)
{
    for (size_t i = 0; i < count; i += NM_VECTOR) {
        nm_vector v;
        nm_vector_load(&v, from + i, NM_VECTOR);
        nm_vector_stream(to + i, &v);
    }
    nm_vector_settle();
}

void NM_ISA(nm_conv_narrow)(real *numbers, size_t count, nm_bf16 *to)
{
    for (size_t i = 0; i < count; i += NM_VECTOR) {
        int lanes = count - i < NM_VECTOR ? (int)(count - i) : NM_VECTOR;
        nm_vector v;
        nm_vector_load(&v, numbers + i, lanes);
        nm_vector_round_to_bf16(&v);
        nm_vector_store(numbers + i, &v, lanes);
        nm_vector_store_bf16(to + i, &v, lanes);
    }
}
