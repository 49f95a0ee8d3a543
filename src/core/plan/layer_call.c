/* Running a plan: the arguments of a layer's functions, made from the program for each call. */
#include "turn.h"

#include <stddef.h>
#include <stdint.h>

/* The arguments of a layer's functions. */
typedef struct call {
    nm_pass pass;
    nm_tail tail; /* pass.tail */
} call;

static void set_scratch(const nm_turn *t, nm_pass *pass)
{
    const nm_plan *plan = t->run->plan;
    pass->scratch = plan->scratch;
    pass->thread_scratch_base = plan->thread_scratch;
    pass->thread_scratch_size = plan->memory.thread_scratch;
    pass->threads = plan->request.threads;
    if (t->worker == 0)
        return;
    pass->scratch = plan->thread_scratch + (size_t)(t->worker - 1) * plan->memory.thread_scratch;
    pass->thread_scratch_base = (char *)pass->scratch + plan->worker_scratch;
    pass->threads = 1;
}

/* What the tail of head `head` finds in its layer `index`: the parameters of a normalisation, the
 * input of a sum that does not come from the head. */
static void set_tail(const nm_turn *t, int head, int index, nm_tail *tail)
{
    const nm_plan *plan = t->run->plan;
    const nm_node *node = &plan->net->node[index];
    if (node->params) {
        tail->w = plan->w + node->first_param;
        tail->dw = plan->dw + node->first_param;
    }
    for (int k = 0; k < node->inputs; k++)
        if (plan->node[node->from[k]].head != head) {
            size_t size = nm_shape_size(node->in[k]);
            tail->other = nm_samples_of(t, plan->node[node->from[k]].value, size);
            tail->other_dx = nm_samples_of(t, plan->node[index].edge[k], size);
        }
}

/* x: space for the pointers to the node's inputs, then to their gradients. */
static void set_call(const nm_turn *t, int index, real **x, call *c)
{
    const nm_plan *plan = t->run->plan;
    const nm_batch *batch = t->run->batch;
    const nm_network *net = plan->net;
    const nm_node *node = &net->node[index];
    const nm_plan_node *planned = &plan->node[index];
    size_t out = nm_shape_size(net->node[planned->last].out);
    real **dx = x + plan->most_inputs;
    for (int k = 0; k < node->inputs; k++) {
        size_t size = nm_shape_size(node->in[k]);
        const real *given = node->from[k] < net->inputs ? batch->x[node->from[k]] + (size_t)t->s.first * size : NULL;
        x[k] = given ? (real *)(uintptr_t)given : nm_samples_of(t, plan->node[node->from[k]].value, size);
        dx[k] = nm_samples_of(t, planned->edge[k], size);
    }
    c->tail = planned->tail;
    c->pass = (nm_pass){.mode = plan->request.mode,
                        .backward = planned->backward,
                        .n = t->s.n,
                        .batch = batch->n,
                        .inputs = node->inputs,
                        .xs = node->in,
                        .ys = node->out,
                        .x = (const real *const *)x,
                        .y = nm_samples_of(t, plan->node[planned->last].value, out),
                        .dy = nm_samples_of(t, plan->node[planned->last].gradient, out),
                        .dx = dx,
                        .w = plan->w + node->first_param,
                        .dw = plan->dw + node->first_param,
                        .saved = nm_memory_of(t, planned->saved),
                        .plan = planned->choice,
                        .statistics_rate = batch->statistics_rate,
                        .seed = batch->seed,
                        .step = batch->step,
                        .first_sample = (uint32_t)t->s.first,
                        .name = node->name,
                        .tail = &c->tail};
    if (planned->tail.layers) /* then nobody else looks at it */
        c->pass.dy_scratch = nm_samples_of(t, plan->node[planned->last].gradient, out);
    set_scratch(t, &c->pass);
    for (int next = index + 1; next <= planned->last; next++)
        if (plan->node[next].head == index)
            set_tail(t, index, next, &c->tail);
}

void nm_run_layer(const nm_turn *t, const nm_op *op)
{
    const nm_plan *plan = t->run->plan;
    const nm_node *node = &plan->net->node[op->index];
    real **pointers = plan->pointers + (ptrdiff_t)4 * t->worker * plan->most_inputs;
    call c, before;
    nm_lazy_normalisation lazy;
    set_call(t, op->index, pointers, &c);
    int head = node->inputs ? plan->node[node->from[0]].head : op->index;
    if (plan->node[head].leaves_normalisation && head != op->index) {
        const nm_node *by = &plan->net->node[head];
        set_call(t, head, pointers + (ptrdiff_t)2 * plan->most_inputs, &before);
        by->type->fusion->lazy_normalisation(&before.pass, by->self, &lazy);
        c.pass.lazy_normalisation = &lazy;
        pointers[0] = (real *)(uintptr_t)lazy.x;
    }
    if (op->kind == NM_OP_STATISTICS)
        node->type->batch_statistics(&c.pass, node->self);
    else if (op->kind == NM_OP_FORWARD)
        node->type->forward(&c.pass, node->self);
    else
        node->type->backward(&c.pass, node->self);
}
