/* Losses of two numbers, averaged over all numbers of a sample: mse, l1, smooth_l1, sigmoid_ce. A
 * type gives the loss of one pair and its derivative; targets are values of the prediction's shape.
 */
#ifndef NM_VALUE_LOSS_H
#define NM_VALUE_LOSS_H

#include "loss.h"

/* The loss for the prediction x and the target t; *slope becomes its derivative by x. */
typedef double nm_pair_loss(const void *self, double x, double t, double *slope);

typedef struct nm_value_job {
    const nm_loss_pass *p;
    const void *self;
    nm_pair_loss *pair;
} nm_value_job;

static inline void nm_value_loss_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_value_job *j = arg;
    const nm_loss_pass *p = j->p;
    size_t count = nm_shape_size(p->xs), first = (size_t)task * count;
    double loss = 0, share = 1.0 / (double)count, slope;
    for (size_t i = first; i < first + count; i++) {
        loss += j->pair(j->self, (double)p->x[i], (double)p->targets.values[i], &slope);
        if (p->dx)
            p->dx[i] = (real)(p->scale * share * slope);
    }
    p->sample_loss[task] = share * loss;
}

static inline void nm_value_loss_run(const nm_loss_pass *p, const void *self, nm_pair_loss *pair)
{
    nm_value_job j = {p, self, pair};
    nm_parallel(p->threads, p->n, nm_value_loss_task, &j);
}

#define NM_VALUE_LOSS_TYPE(word, sentence, pair_loss, options_size, option_table, applies)                             \
    static void word##_run(const nm_loss_pass *p, const void *self)                                                    \
    {                                                                                                                  \
        nm_value_loss_run(p, self, pair_loss);                                                                         \
    }                                                                                                                  \
    extern const nm_loss_type NM_ISA(nm_loss_##word);                                                                  \
    const nm_loss_type NM_ISA(nm_loss_##word) = {.name = #word,                                                        \
                                                 .help = sentence,                                                     \
                                                 .size = options_size,                                                 \
                                                 .options = option_table,                                              \
                                                 .activation = applies,                                                \
                                                 .run = word##_run}

#endif
