/* The largest value of each window, channel by channel; padding never wins. Forward saves which tap of the window it
 * was (the first of equals, as PyTorch; a NaN wins), backward gives the gradient to that tap. */
#include "pool.h"

#include "vector.h"

#include <string.h>

static const nm_option options[] = {NM_POOL_OPTIONS, {0}};

/* The tap number, row by row in the window. */
typedef uint16_t tap;
typedef tap tap_vector __attribute__((vector_size(NM_VECTOR * sizeof(tap))));

static nm_status plan(nm_booking *b, const void *self, void *chosen)
{
    (void)self;
    (void)chosen;
    if (b->backward)
        b->saved = (size_t)b->n * nm_shape_size(b->ys) * sizeof(tap);
    return NM_OK;
}

typedef struct job {
    const nm_pass *p;
    const nm_pool *self;
} job;

/* `lanes` channels of one window; the tap too, where somebody asks for it. */
static inline void window_max(const nm_pool *self, const real *x, nm_pool_span s, const int lanes, const bool which, real *y,
                              tap *taps)
{
    nm_vector best, next;
    nm_mask at = {0};
    nm_vector_load(&best, x + nm_pool_pixel(self, s.h0, s.w0), lanes);
    at += (s.h0 - s.row0) * self->size[1] + s.w0 - s.col0;
    for (int h = s.h0; h < s.h1; h++)
        for (int w = s.w0; w < s.w1; w++) {
            nm_vector_load(&next, x + nm_pool_pixel(self, h, w), lanes);
            nm_mask wins = (next > best) | (next != next);
            best = NM_SELECT(wins, next, best);
            if (which)
                at = (wins & ((h - s.row0) * self->size[1] + w - s.col0)) | (at & ~wins);
        }
    nm_vector_store(y, &best, lanes);
    if (which) {
        tap_vector numbers = __builtin_convertvector(at, tap_vector);
        memcpy(taps, &numbers, (size_t)lanes * sizeof *taps);
    }
}

static inline void pixel_max(const nm_pool *self, const real *x, nm_pool_span s, const bool which, real *y, tap *taps)
{
    int c = 0, channels = self->in.c;
    for (; c + NM_VECTOR <= channels; c += NM_VECTOR)
        window_max(self, x + c, s, NM_VECTOR, which, y + c, which ? taps + c : NULL);
    if (c < channels)
        window_max(self, x + c, s, channels - c, which, y + c, which ? taps + c : NULL);
}

static void forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    const nm_pool *self = j->self;
    int sample = task / self->out.h, row = task % self->out.h, channels = self->in.c;
    const real *x = j->p->x[0] + (size_t)sample * nm_shape_size(self->in);
    size_t out = (size_t)task * (size_t)self->out.w * (size_t)channels;
    real *y = j->p->y + out;
    for (int col = 0; col < self->out.w; col++, y += channels) {
        nm_pool_span s = nm_pool_span_at(self, row, col);
        if (j->p->backward)
            pixel_max(self, x, s, true, y, (tap *)j->p->saved + out + (size_t)(col * channels));
        else
            pixel_max(self, x, s, false, y, NULL);
    }
}

static void forward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, p->n * j.self->out.h, forward_task, &j);
}

static void spread(const nm_pool *self, nm_pool_span s, bool tiles, const real *restrict dy, const tap *restrict taps,
                   real *restrict dx)
{
    int channels = self->in.c;
    for (int h = s.h0; h < s.h1; h++)
        for (int w = s.w0; w < s.w1; w++) {
            real *restrict to = dx + nm_pool_pixel(self, h, w);
            tap number = (tap)((h - s.row0) * self->size[1] + w - s.col0);
            if (tiles)
                for (int c = 0; c < channels; c++)
                    to[c] = taps[c] == number ? dy[c] : 0;
            else
                for (int c = 0; c < channels; c++)
                    to[c] += taps[c] == number ? dy[c] : 0;
        }
}

/* Windows may overlap: a sample is one task. Where they tile the input, a row of windows is. */
static void backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    const nm_pool *self = j->self;
    bool tiles = nm_pool_tiles(self);
    int sample = tiles ? task / self->out.h : task;
    int first = tiles ? task % self->out.h : 0, last = tiles ? first + 1 : self->out.h;
    real *dx = j->p->dx[0] + (size_t)sample * nm_shape_size(self->in);
    if (!tiles)
        memset(dx, 0, nm_shape_size(self->in) * sizeof *dx);
    for (int row = first; row < last; row++)
        for (int col = 0; col < self->out.w; col++) {
            size_t at = (((size_t)sample * (size_t)self->out.h + (size_t)row) * (size_t)self->out.w + (size_t)col) *
                        (size_t)self->in.c;
            spread(self, nm_pool_span_at(self, row, col), tiles, j->p->dy + at, (const tap *)j->p->saved + at, dx);
        }
}

static void backward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, nm_pool_tiles(self) ? p->n * j.self->out.h : p->n, backward_task, &j);
}

extern const nm_layer_type NM_ISA(nm_layer_maxpool);
const nm_layer_type NM_ISA(nm_layer_maxpool) = {
    .name = "maxpool",
    .help = "The largest value of each window",
    .size = sizeof(nm_pool),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .infer = nm_pool_infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .window = nm_pool_window,
};
