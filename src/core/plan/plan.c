/* Planning: the order in which things are found, what layers reserve, the memory for it. */
#include "plan.h"

#include "alloc.h"

#include <string.h>

/* ---- which gradients are needed --------------------------------------------------------- */

static bool has_trained(const nm_network *net, const nm_node *node)
{
    for (int i = 0; i < node->params; i++) {
        const nm_param *p = &net->param[node->first_param + i];
        if (p->kind != NM_STATE && !p->frozen)
            return true;
    }
    return false;
}

/* Whose output's gradient is computed: something to train at or above, a loss at or below. */
static void find_needed(nm_plan *plan)
{
    const nm_network *net = plan->net;
    const nm_request *q = &plan->request;
    nm_plan_node *node = plan->node;
    if (!plan->backward)
        return;
    for (int i = 0; i < net->nodes; i++) {
        bool above = i < net->inputs ? q->input_gradients || q->keep_all : has_trained(net, &net->node[i]);
        for (int k = 0; k < net->node[i].inputs; k++)
            above = above || node[node[i].edge[k].from].backward;
        node[i].backward = above;
    }
    for (int i = 0; i < plan->objectives; i++)
        node[plan->objective[i].from].reached = true;
    for (int i = net->nodes - 1; i >= 0; i--) {
        node[i].backward = node[i].backward && node[i].reached;
        for (int k = 0; k < net->node[i].inputs; k++)
            node[node[i].edge[k].from].reached |= node[i].reached;
    }
    for (const nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++)
        node[e->user].want_dx |= node[e->from].backward;
}

/* ---- what layers reserve ------------------------------------------------------------- */

/* Asks a layer what memory it needs. In a segment that goes by thread, each thread has for itself
 * what the layer reserves for all. */
static nm_status reserve_memory(nm_plan *plan, int index)
{
    const nm_node *node = &plan->net->node[index];
    nm_plan_node *planned = &plan->node[index];
    const nm_segment *segment = &plan->segment[planned->segment];
    nm_plan_memory *m = &plan->memory;
    if (!node->type->plan || planned->head != index)
        return NM_OK;
    nm_reservation asked = {.ctx = plan->net->ctx,
                            .who = node->who,
                            .mode = plan->request.mode,
                            .rules = &plan->rules,
                            .n = !planned->takes_whole_batch ? segment->slice
                                 : plan->sharding.shards     ? plan->sharding.batch
                                                             : plan->request.batch,
                            .inputs = node->inputs,
                            .xs = node->in,
                            .ys = node->out,
                            .backward = planned->backward,
                            .want_dx = planned->want_dx,
                            .tail = &planned->tail,
                            .bf16 = planned->bf16,
                            .threads = segment->by_thread ? 1 : plan->request.threads};
    NM_TRY(node->type->plan(&asked, node->self, planned->choice));
    planned->saved_size = asked.saved;
    planned->scratch = nm_aligned(asked.scratch);
    /* a line more, so that two threads' blocks do not start on the same cache sets */
    planned->thread_scratch = asked.thread_scratch ? nm_aligned(asked.thread_scratch) + NM_ALIGNMENT : 0;
    size_t own = planned->thread_scratch + (segment->by_thread ? planned->scratch : 0);
    m->saved += planned->saved_size;
    m->scratch = segment->by_thread || m->scratch > planned->scratch ? m->scratch : planned->scratch;
    m->thread_scratch = m->thread_scratch > own ? m->thread_scratch : own;
    return NM_OK;
}

/* ---- what running needs ---------------------------------------------------------------- */

static nm_status allocate_memory(nm_plan *plan)
{
    nm_context *ctx = plan->net->ctx;
    const nm_plan_memory *m = &plan->memory;
    size_t batch = (size_t)plan->request.batch, workers = (size_t)plan->workers;
    size_t timers = plan->request.timing ? workers * (size_t)plan->ops : 1;
    if (plan->request.dry)
        return NM_OK;
    NM_TRY(nm_check_memory(plan));
    NM_TRY(nm_allocate_sharding(plan));
    plan->slab = nm_alloc(ctx, m->activations + 1, 1);
    plan->scratch = nm_alloc(ctx, m->scratch + 1, 1);
    plan->thread_scratch = nm_alloc(ctx, (size_t)plan->request.threads, m->thread_scratch + NM_ALIGNMENT);
    plan->gradients = nm_alloc(ctx, m->gradients + 1, 1);
    plan->sample_loss = nm_alloc(ctx, batch, sizeof *plan->sample_loss + 2 * sizeof *plan->correct);
    plan->pointers = nm_alloc(ctx, 4 * workers * (size_t)plan->most_inputs + 1, sizeof *plan->pointers);
    plan->seconds = nm_alloc(ctx, timers, sizeof *plan->seconds);
    plan->w = nm_alloc(ctx, 2 * (size_t)plan->net->params + 1, sizeof *plan->w);
    if (!plan->slab || !plan->scratch || !plan->thread_scratch || !plan->gradients || !plan->sample_loss ||
        !plan->pointers || !plan->seconds || !plan->w)
        return NM_FAILED;
    if (plan->request.poison) /* nothing is alive yet */
        memset(plan->slab, 0xff, m->activations);
    plan->correct = (float *)(plan->sample_loss + batch);
    plan->counted = plan->correct + batch;
    plan->dw = plan->w + plan->net->params;
    for (int i = 0; i < plan->net->params; i++) {
        const nm_param *param = &plan->net->param[i];
        bool trained = plan->backward && param->kind != NM_STATE && !param->frozen;
        plan->w[i] = nm_param_values(plan->net, param);
        plan->dw[i] = trained ? plan->gradients + param->offset : NULL;
    }
    return NM_OK;
}

/* ---- the plan ------------------------------------------------------------------------ */

static void complete_request(nm_plan *plan, const nm_request *request)
{
    nm_request *q = &plan->request;
    *q = *request;
    q->exact = request->exact || plan->net->exact;
    q->no_fuse = request->no_fuse || plan->net->no_fuse;
    q->bf16 = (request->bf16 || plan->net->bf16) && !q->exact && q->mode == NM_TRAIN;
#ifndef NDEBUG
    q->poison = true;
#endif
    if (q->micro <= 0 || q->micro > q->batch)
        q->micro = q->batch;
    plan->rules = (nm_rules){.mode = q->mode, .exact = q->exact, .bf16 = q->bf16, .prefer = q->prefer};
    plan->backward = q->mode == NM_TRAIN || q->gradients;
    plan->memory.gradients = plan->backward ? plan->net->weight_count * sizeof(real) : 0;
    plan->objectives = plan->net->objectives ? plan->net->objectives : 1;
    plan->no_loss = (nm_objective){.from = plan->net->output, .target = -1};
    plan->objective = plan->net->objectives ? plan->net->objective : &plan->no_loss;
    plan->split = (q->micro < q->batch || q->recompute) && q->mode == NM_TRAIN && plan->net->objectives && !q->keep_all;
}

/* Each node alone, before anything is found out. */
static nm_status make_nodes(nm_plan *plan)
{
    const nm_network *net = plan->net;
    const nm_request *q = &plan->request;
    size_t nodes = (size_t)net->nodes, edges = 0;
    for (int i = 0; i < net->nodes; i++)
        edges += (size_t)net->node[i].inputs;
    plan->node = nm_alloc(net->ctx, nodes, sizeof *plan->node);
    plan->segment = nm_alloc(net->ctx, nodes, sizeof *plan->segment);
    plan->edge = nm_alloc(net->ctx, edges + 1, sizeof *plan->edge);
    if (!plan->node || !plan->segment || !plan->edge)
        return NM_FAILED;
    for (int i = 0; i < net->nodes; i++) {
        const nm_node *node = &net->node[i];
        nm_plan_node *planned = &plan->node[i];
        *planned = (nm_plan_node){.head = i, .last = i, .memory = node->memory, .edge = plan->edge + plan->edges};
        planned->keep = q->keep_all || i == net->output;
        plan->segment[i].slice = plan->split ? q->micro : plan->sharding.shards ? plan->sharding.samples : q->batch;
        for (int k = 0; k < node->inputs; k++)
            plan->edge[plan->edges++] = (nm_edge){.from = node->from[k], .user = i};
        plan->most_inputs = node->inputs > plan->most_inputs ? node->inputs : plan->most_inputs;
        if (node->type && node->type->plan_size && !(planned->choice = nm_alloc(net->ctx, 1, node->type->plan_size)))
            return NM_FAILED;
    }
    for (int i = 0; i < q->keeps; i++)
        plan->node[q->keep[i]].keep = true;
    return NM_OK;
}

static nm_status build_plan(nm_plan *plan)
{
    NM_TRY(nm_find_sharding(plan));
    NM_TRY(make_nodes(plan));
    find_needed(plan);
    nm_find_segments(plan);
    nm_find_fusion(plan);
    nm_find_storage(plan);
    NM_TRY(nm_find_slices(plan));
    for (int i = plan->net->inputs; i < plan->net->nodes; i++)
        NM_TRY(reserve_memory(plan, i));
    NM_TRY(nm_write_program(plan));
    nm_find_liveness(plan);
    NM_TRY(nm_place_regions(plan));
    return allocate_memory(plan);
}

nm_status nm_plan_new(nm_network *net, const nm_request *request, nm_plan **out)
{
    *out = NULL;
    nm_plan *plan = nm_alloc(net->ctx, 1, sizeof *plan);
    if (!plan)
        return NM_FAILED;
    plan->net = net;
    plan->workers = plan->segments = 1;
    complete_request(plan, request);
    nm_status status = build_plan(plan);
    plan->request.keep = NULL; /* these belong to the caller */
    plan->request.beside = NULL;
    plan->request.prefer = plan->rules.prefer = NULL;
    if (status != NM_OK)
        nm_plan_free(plan);
    else
        *out = plan;
    return status;
}

void nm_plan_free(nm_plan *plan)
{
    if (!plan)
        return;
    nm_free_sharding(plan);
    for (int i = 0; plan->node && i < plan->net->nodes; i++)
        nm_free(plan->node[i].choice);
    void *const memory[] = {plan->node,    plan->segment,        plan->edge,      plan->op,          plan->access,
                            plan->region,  plan->pointers,       plan->w,         plan->seconds,     plan->slab,
                            plan->scratch, plan->thread_scratch, plan->gradients, plan->sample_loss, plan};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        nm_free(memory[i]);
}
