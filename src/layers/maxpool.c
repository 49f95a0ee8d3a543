/* The largest value of each window, channel by channel; padding never wins. Forward saves which tap
 * of the window it was (the first of equals, as PyTorch; a NaN wins), backward gives the gradient
 * to that tap. The largest of each row's part of a window is found once, for all windows above each
 * other that share the row. */
#include "fusion.h"
#include "pool.h"
#include "vector.h"

#include <string.h>

static const nm_option options[] = {NM_POOL_OPTIONS, {0}};

enum { MOST_SIZE = 255 }; /* of a window: NM_POOL_OPTIONS */

/* The tap number, row by row in the window. */
typedef uint16_t tap;
typedef tap tap_vector __attribute__((vector_size(NM_VECTOR * sizeof(tap))));

/* Numbers of a row of windows, up to whole vectors. */
static size_t row_size(const nm_pool *self)
{
    return (size_t)nm_ceil_div(self->out.w * self->out.c, NM_VECTOR) * NM_VECTOR;
}

/* Thread scratch: for as many input rows as a window is high, the largest values of a row of
 * windows, then their taps.
 */
static nm_status maxpool_plan(nm_reservation *b, const void *private, void *chosen)
{
    (void)chosen;
    const nm_pool *self = private;
    if (b->backward)
        b->saved = (size_t)b->n * nm_shape_size(b->ys) * sizeof(tap);
    b->thread_scratch = (size_t)self->size[0] * row_size(self) * (sizeof(real) + sizeof(tap));
    return NM_OK;
}

typedef struct job {
    const nm_pass *p;
    const nm_pool *self;
} job;

/* The largest so far, the first of equals, and where it was. A NaN wins, the last of several. */
typedef struct largest {
    nm_vector best;
    nm_mask at;
} largest;

static inline void take_larger(largest *l, const nm_vector *next, const nm_mask *at, const bool which)
{
    nm_mask wins = (*next > l->best) | (*next != *next);
    l->best = NM_SELECT(wins, *next, l->best);
    if (which)
        l->at = (wins & *at) | (l->at & ~wins);
}

static inline void put_largest(const largest *l, const int lanes, const bool which, real *y, tap *taps)
{
    nm_vector_store(y, &l->best, lanes);
    if (which) {
        tap_vector numbers = __builtin_convertvector(l->at, tap_vector);
        memcpy(taps, &numbers, (size_t)lanes * sizeof *taps);
    }
}

/* `lanes` channels of `count` columns from `from` on; the tap too, of which the first is `first`,
 * where somebody asks for it. */
static inline void columns_max(const real *from, int channels, const int count, int first, const int lanes,
                               const bool which, real *y, tap *taps)
{
    largest l = {.at = (nm_mask){0} + first};
    nm_vector next;
    nm_vector_load(&l.best, from, lanes);
    for (int w = 1; w < count; w++) {
        nm_mask at = (nm_mask){0} + (first + w);
        nm_vector_load(&next, from + (size_t)w * (size_t)channels, lanes);
        take_larger(&l, &next, &at, which);
    }
    put_largest(&l, lanes, which, y, taps);
}

/* All channels. Counts of windows as networks have them are constants to the compiler. */
static inline void all_columns_max(const real *from, int channels, int count, int first, const bool which, real *y,
                                   tap *taps)
{
    int c = 0;
    for (; c + NM_VECTOR <= channels; c += NM_VECTOR)
        if (count == 3)
            columns_max(from + c, channels, 3, first, NM_VECTOR, which, y + c, taps + c);
        else if (count == 2)
            columns_max(from + c, channels, 2, first, NM_VECTOR, which, y + c, taps + c);
        else
            columns_max(from + c, channels, count, first, NM_VECTOR, which, y + c, taps + c);
    if (c < channels)
        columns_max(from + c, channels, count, first, channels - c, which, y + c, taps + c);
}

/* The largest of each window's part in input row `line`. */
static inline void line_max(const nm_pool *self, const real *line, const bool which, real *y, tap *taps)
{
    int channels = self->in.c;
    for (int col = 0; col < self->out.w; col++, y += channels, taps += channels) {
        nm_pool_span s = nm_pool_span_at(self, 0, col);
        all_columns_max(line + nm_pool_pixel(self, 0, s.w0), channels, s.w1 - s.w0, s.w0 - s.col0, which, y, taps);
    }
}

/* The rows of a window: where their largest values and taps lie, and the first one's first tap. */
typedef struct window_lines {
    const real *lines;
    const tap *taps;
    size_t at[MOST_SIZE];
    int count, first, step; /* rows; the first one's first tap; from that to the next row's */
} window_lines;

/* `lanes` numbers of a row of windows from number i on. */
static inline void join_lines(const window_lines *k, const int count, int i, const int lanes, const bool which, real *y,
                              tap *taps)
{
    largest l = {.best = {0}};
    for (int h = 0; h < count; h++) {
        nm_vector next;
        nm_mask at = {0};
        nm_vector_load(&next, k->lines + k->at[h] + i, NM_VECTOR);
        if (which) {
            tap_vector numbers;
            memcpy(&numbers, k->taps + k->at[h] + i, sizeof numbers);
            at = __builtin_convertvector(numbers, nm_mask) + (k->first + h * k->step);
        }
        if (h == 0)
            l = (largest){next, at};
        else
            take_larger(&l, &next, &at, which);
    }
    put_largest(&l, lanes, which, y + i, taps + i);
}

static inline void join_all_lines(const window_lines *k, int count, const bool which, real *y, tap *taps)
{
    int i = 0;
    for (; i + NM_VECTOR <= count; i += NM_VECTOR)
        if (k->count == 3)
            join_lines(k, 3, i, NM_VECTOR, which, y, taps);
        else if (k->count == 2)
            join_lines(k, 2, i, NM_VECTOR, which, y, taps);
        else
            join_lines(k, k->count, i, NM_VECTOR, which, y, taps);
    if (i < count)
        join_lines(k, k->count, i, count - i, which, y, taps);
}

/* Rows of windows of a sample, from `first` to `last` - 1. */
static inline void window_rows(const job *j, int sample, int first, int last, const bool which, real *lines)
{
    const nm_pool *self = j->self;
    const real *x = j->p->x[0] + (size_t)sample * nm_shape_size(self->in);
    const int count = self->out.w * self->out.c;
    tap *line_taps = (tap *)(lines + (size_t)self->size[0] * row_size(self));
    window_lines k = {.lines = lines, .taps = line_taps, .step = self->size[1]};
    for (int row = first, next = nm_pool_span_at(self, first, 0).h0; row < last; row++) {
        nm_pool_span s = nm_pool_span_at(self, row, 0);
        for (next = next < s.h0 ? s.h0 : next; next < s.h1; next++) {
            size_t line = (size_t)(next % self->size[0]) * row_size(self);
            line_max(self, x + nm_pool_pixel(self, next, 0), which, lines + line, line_taps + line);
        }
        for (int h = s.h0; h < s.h1; h++)
            k.at[h - s.h0] = (size_t)(h % self->size[0]) * row_size(self);
        k.count = s.h1 - s.h0;
        k.first = (s.h0 - s.row0) * k.step;
        size_t out = ((size_t)sample * (size_t)self->out.h + (size_t)row) * (size_t)count;
        join_all_lines(&k, count, which, j->p->y + out, which ? (tap *)j->p->saved + out : line_taps);
    }
}

enum { ROWS = 8 }; /* of windows, in a task */

static void maxpool_forward_task(void *arg, int task, int thread)
{
    const job *j = arg;
    int height = j->self->out.h, blocks = nm_ceil_div(height, ROWS), first = task % blocks * ROWS;
    int last = first + ROWS < height ? first + ROWS : height;
    if (j->p->backward)
        window_rows(j, task / blocks, first, last, true, nm_thread_scratch(j->p, thread));
    else
        window_rows(j, task / blocks, first, last, false, nm_thread_scratch(j->p, thread));
}

static void maxpool_forward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, p->n * nm_ceil_div(j.self->out.h, ROWS), maxpool_forward_task, &j);
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
static void maxpool_backward_task(void *arg, int task, int thread)
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

static void maxpool_backward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, nm_pool_tiles(self) ? p->n * j.self->out.h : p->n, maxpool_backward_task, &j);
}

static const nm_fusion maxpool_fusion = {.place = NM_TAIL_MAXPOOL};

extern const nm_layer_type NM_ISA(nm_layer_maxpool);
const nm_layer_type NM_ISA(nm_layer_maxpool) = {
    .name = "maxpool",
    .help = "The largest value of each window",
    .size = sizeof(nm_pool),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .infer = nm_pool_infer,
    .plan = maxpool_plan,
    .forward = maxpool_forward,
    .backward = maxpool_backward,
    .window = nm_pool_window,
    .fusion = &maxpool_fusion,
};
