/* y = x0 * x1, element by element; x1 may have height and width 1 (a factor for each channel:
 * squeeze and excite, Hu et al. 2017), one channel (a factor for each pixel: attention), or be a
 * single number. Backward reads both:
 *
 *     dx0 = dy * x1,   dx1 = sum of dy * x0 over what x1 was repeated for. */
#include "layer.h"

#include <string.h>

static nm_status multiply_infer(nm_infer *e, void *self)
{
    (void)self;
    nm_shape a = e->in[0], b = e->in[1];
    bool fits = ((b.h == a.h && b.w == a.w) || (b.h == 1 && b.w == 1)) && (b.c == a.c || b.c == 1);
    if (!fits)
        return nm_fail(e->ctx, NM_INVALID,
                       "%s: its second input must be like the first, 1x1xC, HxWx1 or 1x1x1; found " NM_SHAPE_FMT
                       " and " NM_SHAPE_FMT,
                       e->who, NM_SHAPE_ARGS(a), NM_SHAPE_ARGS(b));
    return NM_OK;
}

/* How x1 is stepped through: by pixel and by channel of x0. */
typedef struct steps {
    size_t pixel, channel, sample;
} steps;

static steps steps_of(const nm_pass *p)
{
    nm_shape a = p->xs[0], b = p->xs[1];
    bool pixels = b.h == a.h && b.w == a.w;
    return (steps){pixels ? (size_t)b.c : 0, b.c == a.c ? 1 : 0, nm_shape_size(b)};
}

static void multiply_pixel(const real *restrict a, const real *restrict b, size_t step, size_t channels,
                           real *restrict y)
{
    if (step)
        for (size_t c = 0; c < channels; c++)
            y[c] = a[c] * b[c];
    else
        for (size_t c = 0; c < channels; c++)
            y[c] = a[c] * *b;
}

static void multiply_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    steps s = steps_of(p);
    nm_shape shape = p->xs[0];
    size_t channels = (size_t)shape.c, start = (size_t)task * nm_shape_size(shape);
    const real *b = p->x[1] + (size_t)task * s.sample;
    for (size_t i = 0; i < (size_t)shape.h * (size_t)shape.w; i++)
        multiply_pixel(p->x[0] + start + i * channels, b + i * s.pixel, s.channel, channels,
                       p->y + start + i * channels);
}

static void multiply_forward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n, multiply_forward_task, (void *)p);
}

/* dx1 of one pixel: added up over pixels and channels that share a number. */
static void add_products(const real *restrict a, const real *restrict dy, size_t step, size_t channels,
                         real *restrict to)
{
    if (step) {
        for (size_t c = 0; c < channels; c++)
            to[c] += a[c] * dy[c];
        return;
    }
    double sum = 0;
    for (size_t c = 0; c < channels; c++)
        sum += (double)a[c] * (double)dy[c];
    *to += (real)sum;
}

static void multiply_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    steps s = steps_of(p);
    nm_shape shape = p->xs[0];
    size_t channels = (size_t)shape.c, start = (size_t)task * nm_shape_size(shape);
    const real *b = p->x[1] + (size_t)task * s.sample;
    real *db = p->dx[1] ? p->dx[1] + (size_t)task * s.sample : NULL;
    if (db)
        memset(db, 0, s.sample * sizeof *db);
    for (size_t i = 0; i < (size_t)shape.h * (size_t)shape.w; i++) {
        size_t at = start + i * channels;
        if (db)
            add_products(p->x[0] + at, p->dy + at, s.channel, channels, db + i * s.pixel);
        if (p->dx[0])
            multiply_pixel(p->dy + at, b + i * s.pixel, s.channel, channels, p->dx[0] + at);
    }
}

static void multiply_backward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n, multiply_backward_task, (void *)p);
}

extern const nm_layer_type NM_ISA(nm_layer_multiply);
const nm_layer_type NM_ISA(nm_layer_multiply) = {
    .name = "multiply",
    .help = "The product of two inputs, the second repeated over pixels or channels where it is smaller",
    .least_inputs = 2,
    .most_inputs = 2,
    .memory = NM_BACK_X,
    .infer = multiply_infer,
    .forward = multiply_forward,
    .backward = multiply_backward,
};
