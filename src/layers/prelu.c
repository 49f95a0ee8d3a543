/* y = x above zero, slope_c * x below, with a slope learnt per channel (He et al. 2015), or one for
 * all:
 *
 *     dx = dy * (1 or slope_c),   dslope_c = sum of dy * x where x < 0.
 *
 * Backward reads x. The sum over pixels is cut into rows of pixels by shape alone and added in
 * their order. */
#include "layer.h"

#include <string.h>

typedef struct prelu {
    bool shared;
    double init_value;
} prelu;

static const nm_option options[] = {
    {"shared", NM_OPT_BOOL, offsetof(prelu, shared), "false", .help = "one slope for all channels"},
    {"init_value", NM_OPT_REAL, offsetof(prelu, init_value), "0.25", .help = "slope at the start"},
    {0},
};

enum { PIXELS = 512 }; /* a task */

static nm_status prelu_infer(nm_infer *e, void *private)
{
    const prelu *self = private;
    const int dims[] = {self->shared ? 1 : e->in[0].c};
    return nm_declare(e, "slope", NM_BIAS, "C", dims, (nm_init){.kind = NM_INIT_CONSTANT, .value = self->init_value});
}

static int prelu_tasks_of(int n, nm_shape s)
{
    return nm_ceil_div(n * s.h * s.w, PIXELS);
}

/* Scratch: each task's sums per channel. */
static nm_status prelu_plan(nm_reservation *b, const void *self, void *chosen)
{
    (void)self;
    (void)chosen;
    if (b->backward)
        b->scratch = (size_t)prelu_tasks_of(b->n, b->ys) * (size_t)b->ys.c * sizeof(double);
    return NM_OK;
}

typedef struct job {
    const nm_pass *p;
    bool shared;
} job;

static size_t pixels_at(const nm_pass *p, int task, size_t *first)
{
    size_t pixels = (size_t)p->n * (size_t)p->ys.h * (size_t)p->ys.w;
    *first = (size_t)task * PIXELS;
    return pixels - *first < PIXELS ? pixels - *first : PIXELS;
}

static void prelu_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t first, count = pixels_at(j->p, task, &first), channels = (size_t)j->p->ys.c;
    const real *restrict x = j->p->x[0] + first * channels, *slope = j->p->w[0];
    real *restrict y = j->p->y + first * channels;
    for (size_t i = 0; i < count; i++, x += channels, y += channels)
        for (size_t c = 0; c < channels; c++)
            y[c] = x[c] > 0 ? x[c] : slope[j->shared ? 0 : c] * x[c];
}

static void prelu_forward(const nm_pass *p, const void *private)
{
    job j = {p, ((const prelu *)private)->shared};
    nm_parallel(p->threads, prelu_tasks_of(p->n, p->ys), prelu_forward_task, &j);
}

static void prelu_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t first, count = pixels_at(j->p, task, &first), channels = (size_t)j->p->ys.c;
    const real *x = j->p->x[0] + first * channels, *dy = j->p->dy + first * channels, *slope = j->p->w[0];
    real *dx = j->p->dx[0] ? j->p->dx[0] + first * channels : NULL;
    double *sum = (double *)j->p->scratch + (size_t)task * channels;
    memset(sum, 0, channels * sizeof *sum);
    for (size_t i = 0; i < count; i++, x += channels, dy += channels) {
        for (size_t c = 0; c < channels; c++)
            sum[c] += x[c] > 0 ? 0 : (double)dy[c] * (double)x[c];
        if (!dx)
            continue;
        for (size_t c = 0; c < channels; c++)
            dx[c] = x[c] > 0 ? dy[c] : slope[j->shared ? 0 : c] * dy[c];
        dx += channels;
    }
}

static void prelu_backward(const nm_pass *p, const void *private)
{
    job j = {p, ((const prelu *)private)->shared};
    int tasks = prelu_tasks_of(p->n, p->ys), channels = p->ys.c;
    nm_parallel(p->threads, tasks, prelu_backward_task, &j);
    if (!p->dw[0])
        return;
    for (int c = 0; c < channels; c++) {
        double sum = 0;
        for (int t = 0; t < tasks; t++)
            sum += ((const double *)p->scratch)[(size_t)t * (size_t)channels + (size_t)c];
        p->dw[0][j.shared ? 0 : c] += (real)sum;
    }
}

extern const nm_layer_type NM_ISA(nm_layer_prelu);
const nm_layer_type NM_ISA(nm_layer_prelu) = {
    .name = "prelu",
    .help = "y = x above zero, a learnt slope times x below",
    .size = sizeof(prelu),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .role = NM_ROLE_RECTIFIER,
    .memory = NM_BACK_X,
    .infer = prelu_infer,
    .plan = prelu_plan,
    .forward = prelu_forward,
    .backward = prelu_backward,
};
