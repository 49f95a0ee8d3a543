/* Planning: the arguments of every layer's functions. */
#include "builder.h"

#include "alloc.h"

#include <string.h>

/* The worker whose pointers are being set. */
typedef struct target {
    nm_builder *b;
    nm_worker *worker;
    int thread; /* whose worker it is; NM_NONE: the team's */
} target;

static void *memory_of(const target *t, int region)
{
    const nm_plan *plan = t->b->plan;
    char *at = (char *)nm_plan_region(plan, region);
    return at && t->thread > 0 ? at + (size_t)t->thread * plan->program.region[region].arena_bytes : at;
}

/* Sets a pointer to a region; one to a whole region moves on with the samples, `sample` elements
 * each. */
static void set_pointer(const target *t, void *pointer, int region, size_t sample)
{
    real *at = memory_of(t, region);
    memcpy(pointer, &at, sizeof at);
    if (at && t->b->plan->program.region[region].whole)
        t->worker->rebased[t->worker->rebases++] = (nm_rebased){pointer, at, sample};
}

/* Memory for a worker's pointers. */
static nm_status make_tables(const target *t)
{
    const nm_builder *b = t->b;
    const nm_network *net = b->net;
    nm_worker *w = t->worker;
    size_t pointers = 1, rebases = 1, nodes = (size_t)net->nodes;
    for (int i = 0; i < net->nodes; i++) {
        pointers += 2 * (size_t)net->node[i].inputs + 2 * (size_t)net->node[i].params;
        rebases += 3 + 2 * (size_t)net->node[i].inputs;
    }
    w->call = nm_alloc(b->ctx, nodes, sizeof *w->call);
    w->tables = nm_alloc(b->ctx, pointers, sizeof(void *));
    w->rebased = nm_alloc(b->ctx, rebases, sizeof *w->rebased);
    if (!w->call || !w->tables || !w->rebased)
        return NM_FAILED;
    if (b->plan->request.timing && !(w->seconds = nm_alloc(b->ctx, (size_t)b->plan->program.ops, sizeof *w->seconds)))
        return NM_FAILED;
    real **next = w->tables;
    for (int i = 0; i < net->nodes; i++) {
        nm_call *call = &w->call[i];
        call->x = (const real **)next;
        call->dx = next + net->node[i].inputs;
        call->w = call->dx + net->node[i].inputs;
        call->dw = call->w + net->node[i].params;
        next = call->dw + net->node[i].params;
    }
    return NM_OK;
}

static void set_parameters(const target *t, int index)
{
    const nm_plan *plan = t->b->plan;
    nm_network *net = t->b->net;
    nm_call *call = &t->worker->call[index];
    for (int i = 0; i < net->node[index].params; i++) {
        const nm_param *param = &net->param[net->node[index].first_param + i];
        call->w[i] = nm_param_values(net, param);
        bool trained = plan->gradients && param->kind != NM_STATE && !param->frozen;
        call->dw[i] = trained ? plan->gradients + param->offset : NULL;
    }
}

static void set_activations(const target *t, int index)
{
    const nm_builder *b = t->b;
    const nm_node *node = &b->net->node[index];
    nm_call *call = &t->worker->call[index];
    int tail = b->tail[index];
    size_t tail_size = nm_shape_size(b->net->node[tail].out);
    for (int k = 0; k < node->inputs; k++) { /* x of the network's inputs is set by each run */
        set_pointer(t, &call->x[k], b->value[node->from[k]], nm_shape_size(node->in[k]));
        set_pointer(t, &call->dx[k], b->edge[b->first_edge[index] + k], nm_shape_size(node->in[k]));
    }
    call->pass.saved = memory_of(t, b->saved[index]);
    set_pointer(t, &call->pass.y, b->value[tail], tail_size);
    set_pointer(t, &call->pass.dy, b->gradient[tail], tail_size);
    if (b->plan->node[index].tail.layers) /* then nobody looks at it */
        set_pointer(t, &call->pass.dy_scratch, b->gradient[tail], tail_size);
}

/* Memory and threads of a pass. */
static void set_scratch(const target *t, nm_pass *pass)
{
    const nm_plan *plan = t->b->plan;
    pass->scratch = plan->scratch;
    pass->thread_scratch_base = plan->thread_scratch;
    pass->thread_scratch_size = plan->memory.thread_scratch;
    pass->threads = plan->request.threads;
    if (t->thread == NM_NONE)
        return;
    pass->scratch = plan->thread_scratch + (size_t)t->thread * plan->memory.thread_scratch;
    pass->thread_scratch_base = (char *)pass->scratch + plan->worker_scratch;
    pass->threads = 1;
}

/* What a tail finds in one of its layers: the parameters of a normalisation, the input of a sum
 * that does not come from the head. */
static void set_tail(const target *t, int index, nm_tail *tail)
{
    const nm_builder *b = t->b;
    const nm_node *node = &b->net->node[index];
    if (node->params) {
        tail->w = t->worker->call[index].w;
        tail->dw = t->worker->call[index].dw;
    }
    for (int k = 0; k < node->inputs; k++)
        if (nm_reader(b, index, k) != NM_NONE) {
            set_pointer(t, &tail->other, b->value[node->from[k]], nm_shape_size(node->in[k]));
            set_pointer(t, &tail->other_dx, b->edge[b->first_edge[index] + k], nm_shape_size(node->in[k]));
        }
}

static void set_call(const target *t, int index)
{
    const nm_builder *b = t->b;
    const nm_node *node = &b->net->node[index];
    nm_call *call = &t->worker->call[index];
    set_parameters(t, index);
    call->pass = (nm_pass){.mode = b->plan->request.mode,
                           .backward = b->needed[index],
                           .inputs = node->inputs,
                           .xs = node->in,
                           .ys = node->out,
                           .x = call->x,
                           .dx = call->dx,
                           .w = call->w,
                           .dw = call->dw,
                           .plan = b->plan->node[index].choice,
                           .name = node->name,
                           .tail = &call->tail};
    call->tail = b->plan->node[index].tail;
    set_scratch(t, &call->pass);
    set_activations(t, index);
    for (int next = index + 1; next <= b->tail[index]; next++)
        if (b->head[next] == index)
            set_tail(t, next, &call->tail);
}

/* The input of `index`, where the layer before has left its normalisation to it. */
static void set_lazy_normalisation(const target *t, int index)
{
    const nm_builder *b = t->b;
    int head = b->head[b->net->node[index].from[0]];
    nm_call *call = &t->worker->call[index];
    if (b->head[index] != index || !b->plan->node[head].leaves_normalisation)
        return;
    const nm_node *before = &b->net->node[head];
    call->pass.lazy_normalisation = &call->lazy_normalisation;
    before->type->fusion->lazy_normalisation(&t->worker->call[head].pass, before->self, &call->lazy_normalisation);
    call->x[0] = call->lazy_normalisation.x;
}

nm_status nm_set_pointers(nm_builder *b)
{
    nm_plan *plan = b->plan;
    for (int i = 0; i < b->net->nodes; i++) {
        plan->node[i].value = nm_plan_region(plan, b->value[i]);
        plan->node[i].gradient = nm_plan_region(plan, b->gradient[i]);
    }
    for (int i = 0; i < plan->workers; i++) {
        target t = {b, &plan->worker[i], i ? i - 1 : NM_NONE};
        NM_TRY(make_tables(&t));
        for (int k = 0; k < b->net->nodes; k++)
            set_call(&t, k);
        for (int k = b->net->inputs; k < b->net->nodes && plan->slab; k++)
            set_lazy_normalisation(&t, k);
    }
    return NM_OK;
}
