/* Layers that add or take away rows and columns at the border: pad, crop. */
#ifndef NM_BORDER_H
#define NM_BORDER_H

#include "layer.h"

#include <string.h>

typedef struct nm_border_job {
    const nm_pass *p;
    const real *from;
    real *to;
    nm_shape in, out; /* of from and to */
    int top, left;    /* where from's first pixel lies in to; negative: that much of from is left away */
} nm_border_job;

static inline void nm_border_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_border_job *j = arg;
    size_t c = (size_t)j->in.c;
    int row = task % j->out.h - j->top;
    real *to = j->to + (size_t)task * (size_t)j->out.w * c;
    int first = j->left > 0 ? j->left : 0, last = j->left + j->in.w < j->out.w ? j->left + j->in.w : j->out.w;
    if (row < 0 || row >= j->in.h || last <= first) {
        memset(to, 0, (size_t)j->out.w * c * sizeof *to);
        return;
    }
    const real *from = j->from + ((size_t)(task / j->out.h) * (size_t)j->in.h + (size_t)row) * (size_t)j->in.w * c;
    memset(to, 0, (size_t)first * c * sizeof *to);
    memcpy(to + (size_t)first * c, from + (size_t)(first - j->left) * c, (size_t)(last - first) * c * sizeof *to);
    memset(to + (size_t)last * c, 0, (size_t)(j->out.w - last) * c * sizeof *to);
}

/* Each row of `to` is one task. */
static inline void nm_border_run(nm_border_job *j)
{
    nm_parallel(j->p->threads, j->p->n * j->out.h, nm_border_task, j);
}

static inline void nm_border_forward(const nm_pass *p, int top, int left)
{
    nm_border_run(&(nm_border_job){p, p->x[0], p->y, p->xs[0], p->ys, top, left});
}

static inline void nm_border_backward(const nm_pass *p, int top, int left)
{
    nm_border_run(&(nm_border_job){p, p->dy, p->dx[0], p->ys, p->xs[0], -top, -left});
}

#endif
