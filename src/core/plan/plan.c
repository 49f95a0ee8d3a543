/* Planning: what each layer reserves, and the memory for it. */
#include "builder.h"

#include "alloc.h"

#include <string.h>

static nm_status make_choices(nm_builder *b)
{
    for (int i = b->net->inputs; i < b->net->nodes; i++) {
        size_t size = b->net->node[i].type->plan_size;
        if (size && !(b->plan->node[i].choice = nm_alloc(b->ctx, 1, size)))
            return NM_FAILED;
    }
    return NM_OK;
}

/* ---- what layers reserve ------------------------------------------------------------- */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* A layer's scratch. In a segment that goes by thread each thread has for itself what the layer
 * reserves for all. */
static void reserve_scratch(nm_builder *b, int index, const nm_booking *asked)
{
    nm_plan *plan = b->plan;
    nm_plan_node *node = &plan->node[index];
    node->scratch = nm_aligned(asked->scratch);
    /* a line more, so that two threads' blocks do not start on the same cache sets */
    node->thread_scratch = asked->thread_scratch ? nm_aligned(asked->thread_scratch) + NM_ALIGNMENT : 0;
    if (plan->segment[b->segment[index]].by_thread) {
        plan->worker_scratch = larger(plan->worker_scratch, node->scratch);
        b->thread_scratch = larger(b->thread_scratch, node->thread_scratch);
    } else {
        plan->memory.scratch = larger(plan->memory.scratch, node->scratch);
        plan->memory.thread_scratch = larger(plan->memory.thread_scratch, node->thread_scratch);
    }
}

/* Asks a layer what memory it needs. */
static nm_status reserve_memory(nm_builder *b, int index)
{
    nm_network *net = b->net;
    nm_node *node = &net->node[index];
    nm_plan *plan = b->plan;
    const nm_segment *segment = &plan->segment[b->segment[index]];
    if (!node->type->plan || b->head[index] != index)
        return NM_OK;
    nm_booking asked = {.ctx = b->ctx,
                        .who = node->who,
                        .mode = plan->request.mode,
                        .rules = &b->rules,
                        .n = nm_takes_whole_batch(b, index) ? plan->request.batch : segment->slice,
                        .inputs = node->inputs,
                        .xs = node->in,
                        .ys = node->out,
                        .backward = b->needed[index],
                        .tail = &plan->node[index].tail,
                        .threads = segment->by_thread ? 1 : plan->request.threads};
    for (int k = 0; k < node->inputs; k++)
        asked.want_dx = asked.want_dx || b->needed[node->from[k]];
    NM_TRY(node->type->plan(&asked, node->self, plan->node[index].choice));
    b->saved_size[index] = asked.saved;
    reserve_scratch(b, index, &asked);
    return NM_OK;
}

static nm_status allocate_memory(nm_builder *b)
{
    nm_plan *plan = b->plan;
    size_t batch = (size_t)plan->request.batch;
    for (int i = 0; i < b->net->nodes; i++)
        plan->memory.saved += b->saved_size[i];
    if (plan->workers > 1)
        plan->memory.thread_scratch = larger(plan->memory.thread_scratch, plan->worker_scratch + b->thread_scratch);
    plan->memory.gradients = plan->backward ? b->net->weight_count * sizeof(real) : 0;
    if (plan->request.dry)
        return NM_OK;
    plan->slab = nm_alloc(b->ctx, plan->memory.activations + 1, 1);
    plan->scratch = nm_alloc(b->ctx, plan->memory.scratch + 1, 1);
    plan->thread_scratch = nm_alloc(b->ctx, (size_t)plan->request.threads, plan->memory.thread_scratch + NM_ALIGNMENT);
    plan->sample_loss = nm_alloc(b->ctx, batch, sizeof *plan->sample_loss);
    plan->correct = nm_alloc(b->ctx, batch, sizeof *plan->correct);
    plan->counted = nm_alloc(b->ctx, batch, sizeof *plan->counted);
    if (plan->backward && !(plan->gradients = nm_alloc(b->ctx, b->net->weight_count + 1, sizeof(real))))
        return NM_FAILED;
    if (!plan->slab || !plan->scratch || !plan->thread_scratch || !plan->sample_loss || !plan->correct ||
        !plan->counted)
        return NM_FAILED;
    if (plan->request.poison) /* nothing is alive yet */
        memset(plan->slab, 0xff, plan->memory.activations);
    return NM_OK;
}

/* What running has to know of each node. */
static nm_status set_pointers(nm_builder *b)
{
    nm_plan *plan = b->plan;
    nm_network *net = b->net;
    for (int i = 0; i < net->nodes; i++) {
        nm_plan_node *node = &plan->node[i];
        node->head = b->head[i];
        node->last = b->tail[i];
        node->segment = b->segment[i];
        node->backward = b->needed[i];
        node->value = b->value[i];
        node->saved = b->saved[i];
        node->gradient = b->gradient[i];
        node->edge = plan->edge + b->first_edge[i];
        plan->most_inputs = net->node[i].inputs > plan->most_inputs ? net->node[i].inputs : plan->most_inputs;
    }
    plan->pointers = nm_alloc(b->ctx, 4 * (size_t)plan->workers * (size_t)plan->most_inputs + 1, sizeof(real *));
    plan->w = nm_alloc(b->ctx, 2 * (size_t)net->params + 1, sizeof *plan->w);
    if (!plan->pointers || !plan->w)
        return NM_FAILED;
    plan->dw = plan->w + net->params;
    for (int i = 0; i < net->params; i++) {
        const nm_param *param = &net->param[i];
        plan->w[i] = nm_param_values(net, param);
        bool trained = plan->gradients && param->kind != NM_STATE && !param->frozen;
        plan->dw[i] = trained ? plan->gradients + param->offset : NULL;
    }
    size_t seconds = (size_t)plan->workers * (size_t)plan->program.ops;
    return !plan->request.timing || (plan->seconds = nm_alloc(b->ctx, seconds, sizeof *plan->seconds)) ? NM_OK
                                                                                                       : NM_FAILED;
}

/* ---- the plan ------------------------------------------------------------------------ */

static nm_status build_plan(nm_builder *b)
{
    nm_network *net = b->net;
    const nm_request *q = &b->plan->request;
    for (int i = 0; i < q->keeps; i++)
        b->keep[q->keep[i]] = true;
    for (int i = 0; q->keep_all && i < net->nodes; i++)
        b->keep[i] = true;
    b->keep[net->output] = true;
    nm_find_needed(b);
    nm_find_segments(b);
    NM_TRY(make_choices(b));
    nm_find_fusion(b);
    NM_TRY(nm_find_slices(b));
    for (int i = net->inputs; i < net->nodes; i++)
        NM_TRY(reserve_memory(b, i));
    nm_find_recomputed(b);
    NM_TRY(nm_write_program(b));
    NM_TRY(nm_find_liveness(b));
    NM_TRY(nm_place_regions(b));
    NM_TRY(allocate_memory(b));
    return set_pointers(b);
}

/* Memory for the builder's tables, all of it in *numbers and *flags but for sizes and memory flags.
 */
static nm_status make_builder(nm_builder *b, int **numbers, bool **flags)
{
    const nm_network *net = b->net;
    size_t nodes = (size_t)net->nodes, edges = 0, objectives = (size_t)nm_objective_count(net);
    for (int i = 0; i < net->nodes; i++)
        edges += (size_t)net->node[i].inputs;
    size_t count = 7 * nodes + 2 * edges + 3 * objectives;
    int *next = *numbers = nm_alloc(b->ctx, count + 1, sizeof *next);
    *flags = nm_alloc(b->ctx, 4 * nodes + 1, sizeof **flags);
    b->saved_size = nm_alloc(b->ctx, nodes, sizeof *b->saved_size);
    b->memory = nm_alloc(b->ctx, nodes, sizeof *b->memory);
    b->edge = b->plan->edge = nm_alloc(b->ctx, edges + 1, sizeof *b->edge);
    if (!next || !*flags || !b->saved_size || !b->memory || !b->edge)
        return NM_FAILED;
    for (size_t i = 0; i < count; i++)
        next[i] = NM_NONE;
    for (size_t i = 0; i < edges; i++)
        b->edge[i] = NM_NONE;
    int **of_nodes[] = {&b->value, &b->saved, &b->gradient, &b->first_edge, &b->head, &b->tail, &b->segment};
    for (size_t i = 0; i < sizeof of_nodes / sizeof *of_nodes; i++, next += nodes)
        *of_nodes[i] = next;
    b->objective_segment = next;
    b->written = b->objective_segment + objectives;
    b->written_for = b->written + edges + objectives;
    bool **of_flags[] = {&b->keep, &b->needed, &b->recompute, &b->reached};
    for (size_t i = 0; i < sizeof of_flags / sizeof *of_flags; i++)
        *of_flags[i] = *flags + i * nodes;
    for (int i = 0, first = 0; i < net->nodes; first += net->node[i++].inputs) {
        b->first_edge[i] = first;
        b->head[i] = b->tail[i] = i;
        b->segment[i] = 0;
        b->memory[i] = net->node[i].memory;
    }
    return NM_OK;
}

static nm_status with_builder(nm_context *ctx, nm_plan *plan)
{
    nm_builder b = {.ctx = ctx,
                    .net = plan->net,
                    .plan = plan,
                    .rules = {.mode = plan->request.mode, .exact = plan->request.exact, .prefer = plan->request.prefer},
                    .loop = NM_NONE};
    int *numbers = NULL;
    bool *flags = NULL;
    nm_status status = make_builder(&b, &numbers, &flags);
    if (status == NM_OK)
        status = build_plan(&b);
    nm_free(numbers);
    nm_free(flags);
    nm_free(b.saved_size);
    nm_free(b.memory);
    return status;
}

static void complete_request(nm_plan *plan, const nm_request *request)
{
    plan->request = *request;
    plan->request.exact = request->exact || plan->net->exact;
    plan->request.no_fuse = request->no_fuse || plan->net->no_fuse;
#ifndef NDEBUG
    plan->request.poison = true;
#endif
}

nm_status nm_plan_new(nm_network *net, const nm_request *request, nm_plan **out)
{
    *out = NULL;
    nm_plan *plan = nm_alloc(net->ctx, 1, sizeof *plan);
    if (!plan)
        return NM_FAILED;
    plan->net = net;
    complete_request(plan, request);
    plan->backward = request->mode == NM_TRAIN || request->gradients;
    bool slices = request->micro > 0 && request->micro < request->batch;
    plan->split = (slices || request->recompute) && request->mode == NM_TRAIN && net->objectives && !request->keep_all;
    plan->workers = 1;
    plan->node = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *plan->node);
    plan->segment = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *plan->segment);
    for (int i = 0; plan->segment && i < net->nodes; i++)
        plan->segment[i].slice = slices && plan->split ? request->micro : request->batch;
    nm_status status = plan->node && plan->segment ? with_builder(net->ctx, plan) : NM_FAILED;
    plan->request.keep = NULL; /* these belong to the caller */
    plan->request.prefer = NULL;
    if (status != NM_OK) {
        nm_plan_free(plan);
        return status;
    }
    *out = plan;
    return NM_OK;
}

void nm_plan_free(nm_plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; plan->node && i < plan->net->nodes; i++)
        nm_free(plan->node[i].choice);
    nm_free(plan->pointers);
    nm_free(plan->w);
    nm_free(plan->edge);
    nm_free(plan->seconds);
    nm_free(plan->node);
    nm_free(plan->segment);
    nm_free(plan->program.op);
    nm_free(plan->program.access);
    nm_free(plan->program.region);
    nm_free(plan->program.dead);
    nm_free(plan->slab);
    nm_free(plan->scratch);
    nm_free(plan->thread_scratch);
    nm_free(plan->gradients);
    nm_free(plan->sample_loss);
    nm_free(plan->correct);
    nm_free(plan->counted);
    nm_free(plan);
}
