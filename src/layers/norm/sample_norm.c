/* The work of groupnorm, layernorm and instancenorm. */
#include "sample_norm_template.h"

#include <math.h>
#include <string.h>

enum { ELEMENTS = 4096 }; /* numbers of the scale in a task of its gradient */

nm_status NM_ISA(nm_sample_norm_declare)(nm_infer *e, const nm_sample_norm *self)
{
    nm_shape s = e->in[0];
    const int all[] = {s.h, s.w, s.c}, *dims = self->elements ? all : &all[2];
    const char *layout = self->elements ? "HWC" : "C";
    if (!self->affine)
        return NM_OK;
    NM_TRY(nm_declare(e, "scale", NM_BIAS, layout, dims, (nm_init){.kind = NM_INIT_CONSTANT, .value = 1}));
    return nm_declare(e, "shift", NM_BIAS, layout, dims, (nm_init){.kind = NM_INIT_CONSTANT});
}

/* Saved: mean and 1 / sd of each sample's groups. Scratch: each sample's gradients of scale and
 * shift per channel. A thread's: two sums per channel. */
nm_status NM_ISA(nm_sample_norm_plan)(nm_reservation *b, const void *private, void *chosen)
{
    (void)chosen;
    const nm_sample_norm *self = private;
    size_t channels = (size_t)b->ys.c;
    b->saved = (size_t)b->n * (size_t)self->groups * 2 * sizeof(double);
    if (b->backward && self->affine && !self->elements)
        b->scratch = (size_t)b->n * channels * 2 * sizeof(double);
    b->thread_scratch = channels * 2 * sizeof(double);
    return NM_OK;
}

typedef struct job {
    const nm_pass *p;
    const nm_sample_norm *self;
    size_t pixels, channels, width; /* width: channels of a group */
    const real *scale, *shift;      /* NULL: none */
} job;

static job sample_norm_job_of(const nm_pass *p, const void *private)
{
    const nm_sample_norm *self = private;
    nm_shape s = p->ys;
    return (job){p,
                 self,
                 (size_t)s.h * (size_t)s.w,
                 (size_t)s.c,
                 (size_t)(s.c / self->groups),
                 self->affine ? p->w[0] : NULL,
                 self->affine ? p->w[1] : NULL};
}

static double *saved(const job *j, int sample)
{
    return (double *)j->p->saved + (size_t)sample * (size_t)j->self->groups * 2;
}

/* moments[group][0] becomes the group's sum of sum[channel], times `factor`. */
static void sum_groups(const job *j, const double *sum, int index, double factor, double *moments)
{
    for (int g = 0; g < j->self->groups; g++) {
        double total = 0;
        for (size_t c = 0; c < j->width; c++)
            total += sum[(size_t)g * j->width + c];
        moments[2 * g + index] = factor * total;
    }
}

/* ---- forward ------------------------------------------------------------------------------- */

static void compute_moments(const job *j, const real *x, double *sum, double *moments)
{
    size_t channels = j->channels;
    double share = 1.0 / ((double)j->pixels * (double)j->width);
    memset(sum, 0, channels * sizeof *sum);
    for (size_t i = 0; i < j->pixels; i++)
        for (size_t c = 0; c < channels; c++)
            sum[c] += (double)x[i * channels + c];
    sum_groups(j, sum, 0, share, moments);
    memset(sum, 0, channels * sizeof *sum);
    double *mean = sum + channels;
    for (size_t c = 0; c < channels; c++)
        mean[c] = moments[2 * (c / j->width)];
    for (size_t i = 0; i < j->pixels; i++)
        for (size_t c = 0; c < channels; c++) {
            double off = (double)x[i * channels + c] - mean[c];
            sum[c] += off * off;
        }
    sum_groups(j, sum, 1, share, moments);
    for (int g = 0; g < j->self->groups; g++)
        moments[2 * g + 1] = 1 / sqrt(moments[2 * g + 1] + j->self->epsilon);
}

/* y = (x - mean) * factor + shift over the channels of a pixel. */
static void sample_norm_normalise(const job *j, size_t pixel, const real *restrict x, const double *moments,
                                  real *restrict y)
{
    const real *scale = j->scale, *shift = j->shift;
    if (scale && j->self->elements) {
        scale += pixel * j->channels;
        shift += pixel * j->channels;
    }
    for (size_t first = 0, g = 0; first < j->channels; first += j->width, g++) {
        const real mean = (real)moments[2 * g], inverse = (real)moments[2 * g + 1];
        for (size_t c = first; c < first + j->width; c++)
            y[c] = scale ? (x[c] - mean) * inverse * scale[c] + shift[c] : (x[c] - mean) * inverse;
    }
}

static void sample_norm_forward_task(void *arg, int task, int thread)
{
    const job *j = arg;
    size_t start = (size_t)task * j->pixels * j->channels;
    const real *x = j->p->x[0] + start;
    double *moments = saved(j, task);
    compute_moments(j, x, nm_thread_scratch(j->p, thread), moments);
    for (size_t i = 0; i < j->pixels; i++)
        sample_norm_normalise(j, i, x + i * j->channels, moments, j->p->y + start + i * j->channels);
}

void NM_ISA(nm_sample_norm_forward)(const nm_pass *p, const void *self)
{
    job j = sample_norm_job_of(p, self);
    nm_parallel(p->threads, p->n, sample_norm_forward_task, &j);
}

/* ---- backward ------------------------------------------------------------------------------ */

/* Per channel: sums of g and of g * xhat; before the scale they are the sample's gradients of shift
 * and scale. */
static void take_sums(const job *j, int sample, double *sum)
{
    size_t channels = j->channels, start = (size_t)sample * j->pixels * channels;
    const real *x = j->p->x[0] + start, *dy = j->p->dy + start;
    const double *moments = saved(j, sample);
    memset(sum, 0, 2 * channels * sizeof *sum);
    for (size_t i = 0; i < j->pixels; i++)
        for (size_t c = 0; c < channels; c++) {
            const double *m = moments + 2 * (c / j->width);
            double g = (double)dy[i * channels + c];
            if (j->scale && j->self->elements)
                g *= (double)j->scale[i * channels + c];
            sum[c] += g;
            sum[channels + c] += g * ((double)x[i * channels + c] - m[0]) * m[1];
        }
}

static void sample_norm_backward_task(void *arg, int task, int thread)
{
    const job *j = arg;
    const nm_pass *p = j->p;
    size_t channels = j->channels, start = (size_t)task * j->pixels * channels;
    double *sum = nm_thread_scratch(p, thread), share = 1.0 / ((double)j->pixels * (double)j->width);
    const double *moments = saved(j, task);
    take_sums(j, task, sum);
    if (j->scale && !j->self->elements) {
        memcpy((double *)p->scratch + (size_t)task * 2 * channels, sum, 2 * channels * sizeof *sum);
        for (size_t c = 0; c < 2 * channels; c++)
            sum[c] *= (double)j->scale[c % channels];
    }
    if (!p->dx[0])
        return;
    const real *x = p->x[0] + start, *dy = p->dy + start;
    real *dx = p->dx[0] + start;
    for (int g = 0; g < j->self->groups; g++) {
        double mean_g = 0, mean_product = 0;
        size_t first = (size_t)g * j->width;
        for (size_t c = first; c < first + j->width; c++) {
            mean_g += share * sum[c];
            mean_product += share * sum[channels + c];
        }
        const real mean = (real)moments[2 * g], inverse = (real)moments[2 * g + 1], a = (real)mean_g,
                   b = (real)mean_product;
        for (size_t i = 0; i < j->pixels; i++)
            for (size_t c = first; c < first + j->width; c++) {
                size_t at = i * channels + c;
                real s = j->scale ? j->scale[j->self->elements ? at : c] : 1;
                dx[at] = inverse * (dy[at] * s - a - (x[at] - mean) * inverse * b);
            }
    }
}

/* Gradients of a scale and shift per number: over the samples, some numbers a task. */
static void elements_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    const nm_pass *p = j->p;
    size_t count = j->pixels * j->channels, first = (size_t)task * ELEMENTS;
    for (size_t i = first; i < first + ELEMENTS && i < count; i++) {
        double scale = 0, shift = 0;
        for (int n = 0; n < p->n; n++) {
            const double *m = saved(j, n) + 2 * (i % j->channels / j->width);
            double dy = (double)p->dy[(size_t)n * count + i];
            shift += dy;
            scale += dy * ((double)p->x[0][(size_t)n * count + i] - m[0]) * m[1];
        }
        if (p->dw[0])
            p->dw[0][i] += (real)scale;
        if (p->dw[1])
            p->dw[1][i] += (real)shift;
    }
}

void NM_ISA(nm_sample_norm_backward)(const nm_pass *p, const void *self)
{
    job j = sample_norm_job_of(p, self);
    nm_parallel(p->threads, p->n, sample_norm_backward_task, &j);
    if (!j.scale)
        return;
    if (j.self->elements) {
        nm_parallel(p->threads, (int)((j.pixels * j.channels + ELEMENTS - 1) / ELEMENTS), elements_task, &j);
        return;
    }
    for (size_t c = 0; c < j.channels; c++) {
        double scale = 0, shift = 0;
        for (int n = 0; n < p->n; n++) {
            const double *sum = (const double *)p->scratch + (size_t)n * 2 * j.channels;
            shift += sum[c];
            scale += sum[j.channels + c];
        }
        if (p->dw[0])
            p->dw[0][c] += (real)scale;
        if (p->dw[1])
            p->dw[1][c] += (real)shift;
    }
}
