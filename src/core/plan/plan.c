/* Planning: what each layer books, and the memory for it. */
#include "plan_draft.h"

#include "algorithm_choice.h"
#include "alloc.h"

#include <stdio.h>
#include <string.h>

static nm_status make_choices(nm_draft *d)
{
    for (int i = d->net->inputs; i < d->net->nodes; i++) {
        size_t size = d->net->node[i].type->plan_size;
        if (size && !(d->plan->step[i].choice = nm_alloc(d->ctx, 1, size)))
            return NM_FAILED;
    }
    return NM_OK;
}

/* ---- bookings ------------------------------------------------------------------------ */

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Where threads run a stage apart, each has for itself what the layer books for all. */
static void book_scratch(nm_draft *d, const nm_booking *b, bool apart)
{
    nm_plan *plan = d->plan;
    /* a line more, so that two threads' blocks do not start on the same cache sets */
    size_t all = nm_aligned(b->scratch), each = b->thread_scratch ? nm_aligned(b->thread_scratch) + NM_ALIGNMENT : 0;
    if (apart) {
        plan->apart_scratch = most(plan->apart_scratch, all);
        d->apart_thread = most(d->apart_thread, each);
    } else {
        plan->memory.scratch = most(plan->memory.scratch, all);
        plan->memory.thread_scratch = most(plan->memory.thread_scratch, each);
    }
}

static nm_status book(nm_draft *d, int index)
{
    nm_network *net = d->net;
    nm_node *node = &net->node[index];
    nm_plan *plan = d->plan;
    nm_step *step = &plan->step[index];
    const nm_stage *stage = &plan->stage[d->stage[index]];
    if (!node->type->plan || d->head[index] != index)
        return NM_OK;
    nm_booking b = {.ctx = d->ctx,
                    .who = node->who,
                    .mode = plan->request.mode,
                    .rules = &d->rules,
                    .n = nm_gathers(d, index) ? plan->request.batch : stage->slice,
                    .inputs = node->inputs,
                    .xs = node->in,
                    .ys = node->out,
                    .backward = d->needed[index],
                    .threads = stage->apart ? 1 : plan->request.threads,
                    .tail = &step->tail};
    for (int k = 0; k < node->inputs; k++)
        b.want_dx = b.want_dx || d->needed[node->from[k]];
    NM_TRY(node->type->plan(&b, node->self, step->choice));
    d->saved_size[index] = b.saved;
    book_scratch(d, &b, stage->apart);
    return NM_OK;
}

static nm_status allocate(nm_draft *d)
{
    nm_plan *plan = d->plan;
    NM_TRY(nm_draft_place(d));
    for (int i = 0; i < d->net->nodes; i++)
        plan->memory.saved += d->saved_size[i];
    if (plan->lanes > 1)
        plan->memory.thread_scratch = most(plan->memory.thread_scratch, plan->apart_scratch + d->apart_thread);
    plan->memory.gradients = plan->backward ? d->net->weight_count * sizeof(real) : 0;
    if (plan->request.dry)
        return NM_OK;
    plan->slab = nm_alloc(d->ctx, plan->memory.activations + 1, 1);
    plan->scratch = nm_alloc(d->ctx, plan->memory.scratch + 1, 1);
    plan->thread_scratch = nm_alloc(d->ctx, (size_t)plan->request.threads, plan->memory.thread_scratch + NM_ALIGNMENT);
    plan->sample_loss = nm_alloc(d->ctx, (size_t)plan->request.batch, sizeof *plan->sample_loss);
    plan->correct = nm_alloc(d->ctx, (size_t)plan->request.batch, sizeof *plan->correct);
    plan->counted = nm_alloc(d->ctx, (size_t)plan->request.batch, sizeof *plan->counted);
    if (plan->backward && !(plan->gradients = nm_alloc(d->ctx, d->net->weight_count + 1, sizeof(real))))
        return NM_FAILED;
    return plan->slab && plan->scratch && plan->thread_scratch && plan->sample_loss && plan->correct && plan->counted
               ? NM_OK
               : NM_FAILED;
}

/* ---- the plan ------------------------------------------------------------------------ */

static nm_status draw_up(nm_draft *d)
{
    nm_network *net = d->net;
    const nm_request *q = &d->plan->request;
    for (int i = 0; i < q->keeps; i++)
        d->keep[q->keep[i]] = true;
    for (int i = 0; q->keep_all && i < net->nodes; i++)
        d->keep[i] = true;
    d->keep[net->output] = true;
    nm_draft_needed(d);
    nm_draft_stages(d);
    NM_TRY(make_choices(d));
    nm_draft_fuse(d);
    NM_TRY(nm_draft_slices(d));
    for (int i = net->inputs; i < net->nodes; i++)
        NM_TRY(book(d, i));
    NM_TRY(nm_draft_regions(d));
    NM_TRY(allocate(d));
    return nm_draft_point(d);
}

static nm_status with_draft(nm_context *ctx, nm_plan *plan)
{
    nm_network *net = plan->net;
    size_t nodes = (size_t)net->nodes, edges = 0, objectives = (size_t)nm_objective_count(net);
    for (int i = 0; i < net->nodes; i++)
        edges += (size_t)net->node[i].inputs;
    size_t numbers = 7 * nodes + edges + objectives;
    nm_draft d = {.ctx = ctx,
                  .net = net,
                  .plan = plan,
                  .rules = {.mode = plan->request.mode, .exact = plan->request.exact, .prefer = plan->request.prefer},
                  .room = (int)(2 * nodes + edges + objectives)};
    int *numbers_block = nm_alloc(ctx, numbers + 1, sizeof(int));
    bool *flags = nm_alloc(ctx, 4 * nodes + 1, sizeof *flags);
    d.saved_size = nm_alloc(ctx, nodes, sizeof *d.saved_size);
    d.region = nm_alloc(ctx, (size_t)d.room + 1, sizeof *d.region);
    d.memory = nm_alloc(ctx, nodes, sizeof *d.memory);
    d.part = nm_alloc(ctx, nodes, sizeof *d.part);
    nm_status status = NM_FAILED;
    if (numbers_block && flags && d.saved_size && d.region && d.memory && d.part) {
        for (size_t i = 0; i < numbers; i++)
            numbers_block[i] = NM_NONE;
        d.value = numbers_block;
        d.saved = d.value + nodes;
        d.gradient = d.saved + nodes;
        d.first_edge = d.gradient + nodes;
        d.objective = d.first_edge + nodes;
        d.head = d.objective + objectives;
        d.tail = d.head + nodes;
        d.stage = d.tail + nodes;
        d.edge = d.stage + nodes;
        d.keep = flags;
        d.needed = flags + 2 * nodes;
        d.again = flags + 3 * nodes;
        for (int i = 0, next = 0; i < net->nodes; next += net->node[i++].inputs)
            d.first_edge[i] = next;
        for (int i = 0; i < net->nodes; i++) {
            d.head[i] = d.tail[i] = i;
            d.stage[i] = 0;
            d.memory[i] = net->node[i].memory;
        }
        status = draw_up(&d);
    }
    nm_free(numbers_block);
    nm_free(flags);
    nm_free(d.saved_size);
    nm_free(d.region);
    nm_free(d.memory);
    for (size_t i = 0; d.part && i < nodes; i++)
        nm_free(d.part[i]);
    nm_free(d.part);
    return status;
}

nm_status nm_plan_new(nm_network *net, const nm_request *request, nm_plan **out)
{
    *out = NULL;
    nm_plan *plan = nm_alloc(net->ctx, 1, sizeof *plan);
    if (!plan)
        return NM_FAILED;
    plan->net = net;
    plan->request = *request;
    plan->request.exact = request->exact || net->exact;
    plan->request.no_fuse = request->no_fuse || net->no_fuse;
    plan->backward = request->mode == NM_TRAIN || request->gradients;
    bool parts = request->micro > 0 && request->micro < request->batch;
    plan->staged = (parts || request->recompute) && request->mode == NM_TRAIN && net->objectives && !request->keep_all;
    int at_once = parts && plan->staged ? request->micro : request->batch;
    plan->lanes = 1;
    plan->lane = nm_alloc(net->ctx, 1 + (size_t)request->threads, sizeof *plan->lane);
    plan->step = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *plan->step);
    plan->objective_stage = nm_alloc(net->ctx, (size_t)nm_objective_count(net), sizeof *plan->objective_stage);
    plan->objective_dx = nm_alloc(net->ctx, (size_t)nm_objective_count(net), sizeof *plan->objective_dx);
    plan->stage = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *plan->stage);
    for (int i = 0; plan->stage && i < net->nodes; i++)
        plan->stage[i].slice = at_once;
    if (plan->lane)
        plan->lane[0].step = plan->step;
    bool room = plan->lane && plan->step && plan->objective_stage && plan->objective_dx && plan->stage;
    nm_status status = room ? with_draft(net->ctx, plan) : NM_FAILED;
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
    for (int i = 0; plan->step && i < plan->net->nodes; i++) {
        nm_free(plan->step[i].choice);
        nm_free(plan->step[i].sum.part);
    }
    for (int k = 0; plan->lane && k < plan->lanes; k++) {
        if (k > 0)
            nm_free(plan->lane[k].step);
        nm_free(plan->lane[k].tables);
        nm_free(plan->lane[k].slide);
    }
    nm_free(plan->lane);
    nm_free(plan->step);
    nm_free(plan->objective_stage);
    nm_free(plan->objective_dx);
    nm_free(plan->stage);
    nm_free(plan->slab);
    nm_free(plan->scratch);
    nm_free(plan->thread_scratch);
    nm_free(plan->gradients);
    nm_free(plan->sample_loss);
    nm_free(plan->correct);
    nm_free(plan->counted);
    nm_free(plan);
}

nm_plan_memory nm_plan_memory_use(const nm_plan *plan)
{
    return plan->memory;
}

int nm_plan_head(const nm_plan *plan, int node)
{
    return plan->step[node].head;
}

void nm_plan_describe(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    *text = '\0';
    if (n->type && n->type->describe)
        n->type->describe(n->self, plan->step[node].choice, text, size);
    size_t used = strlen(text);
    for (int i = node + 1; i < plan->net->nodes && plan->step[node].head == node; i++)
        if (plan->step[i].head == node) {
            snprintf(text + used, size - used, "%swith %s", used ? ", " : "", plan->net->node[i].type->name);
            used = strlen(text);
        }
    const nm_stage *stage = &plan->stage[plan->step[node].stage];
    if (plan->step[node].leaves_normalisation)
        snprintf(text + used, size - used, "%snormalised by its reader", used ? ", " : "");
    if (stage->apart)
        snprintf(text + used, size - used, "%s%d samples at once", used ? ", " : "", stage->slice);
}

void nm_plan_explain(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    *text = '\0';
    if (n->type && n->type->algorithms)
        n->type->algorithms->explain(n->self, plan->step[node].choice, text, size);
}

void nm_plan_chosen(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    *text = '\0';
    if (n->type && n->type->algorithms)
        n->type->algorithms->chosen(plan->step[node].choice, text, size);
}
