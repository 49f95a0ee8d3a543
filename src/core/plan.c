/* Planning: what each layer books, the pointers of every pass. */
#include "plan_draft.h"

#include "alloc.h"

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

static nm_status book(nm_draft *d, int index)
{
    nm_network *net = d->net;
    nm_node *node = &net->node[index];
    nm_plan *plan = d->plan;
    nm_step *step = &plan->step[index];
    if (!node->type->plan || d->head[index] != index)
        return NM_OK;
    nm_booking b = {.ctx = d->ctx, .who = node->who, .mode = plan->request.mode, .rules = &d->rules,
                    .n = nm_gathers(d, index) ? plan->request.batch : plan->request.micro,
                    .inputs = node->inputs, .xs = node->in, .ys = node->out, .backward = d->needed[index],
                    .threads = plan->request.threads};
    for (int k = 0; k < node->inputs; k++)
        b.want_dx = b.want_dx || d->needed[node->from[k]];
    NM_TRY(node->type->plan(&b, node->self, step->choice));
    d->saved_size[index] = b.saved;
    if (nm_aligned(b.scratch) > plan->memory.scratch)
        plan->memory.scratch = nm_aligned(b.scratch);
    /* a line more, so that two threads' blocks do not start on the same cache sets */
    size_t thread = b.thread_scratch ? nm_aligned(b.thread_scratch) + NM_ALIGNMENT : 0;
    if (thread > plan->memory.thread_scratch)
        plan->memory.thread_scratch = thread;
    return NM_OK;
}

/* ---- pointers ------------------------------------------------------------------------ */

static void *place(const nm_draft *d, int region)
{
    return region == NM_NONE || !d->plan->slab ? NULL : d->plan->slab + d->region[region].offset;
}

/* Sets a pointer to a region; one into a whole region moves on with the samples, `sample` elements each. */
static void aim(nm_draft *d, void *where, int region, size_t sample)
{
    real *at = place(d, region);
    memcpy(where, &at, sizeof at);
    if (at && d->region[region].whole)
        d->plan->slide[d->plan->slides++] = (nm_slide){where, at, sample};
}

static nm_status make_tables(nm_draft *d)
{
    const nm_network *net = d->net;
    size_t objectives = (size_t)nm_objective_count(net), pointers = objectives + 1, slides = objectives + 1;
    for (int i = 0; i < net->nodes; i++) {
        pointers += 2 * (size_t)net->node[i].inputs + 2 * (size_t)net->node[i].params;
        slides += 5 + 2 * (size_t)net->node[i].inputs + (size_t)d->plan->step[i].sum.parts;
    }
    d->plan->tables = nm_alloc(d->ctx, pointers, sizeof(void *));
    d->plan->slide = nm_alloc(d->ctx, slides, sizeof *d->plan->slide);
    if (!d->plan->tables || !d->plan->slide)
        return NM_FAILED;
    real **next = (real **)(void *)d->plan->tables;
    d->plan->objective_dx = next;
    next += nm_objective_count(net);
    for (int i = 0; i < net->nodes; i++) {
        nm_step *step = &d->plan->step[i];
        step->x = (const real **)next;
        step->dx = next + net->node[i].inputs;
        step->w = step->dx + net->node[i].inputs;
        step->dw = step->w + net->node[i].params;
        next = step->dw + net->node[i].params;
    }
    return NM_OK;
}

static void point_activations(nm_draft *d, int index)
{
    const nm_network *net = d->net;
    const nm_node *node = &net->node[index];
    nm_step *step = &d->plan->step[index];
    size_t size = nm_shape_size(node->out), tail_size = nm_shape_size(net->node[d->tail[index]].out);
    aim(d, &step->value, d->value[index], size);
    aim(d, &step->gradient, d->gradient[index], size);
    for (int k = 0; k < step->sum.parts; k++)
        aim(d, &step->sum.part[k], d->part[index][k], size);
    for (int k = 0; k < node->inputs; k++) { /* x of the network's inputs is set by each run */
        aim(d, &step->x[k], d->value[node->from[k]], nm_shape_size(node->in[k]));
        aim(d, &step->dx[k], d->edge[d->first_edge[index] + k], nm_shape_size(node->in[k]));
    }
    aim(d, &step->pass.y, d->value[d->tail[index]], tail_size);
    aim(d, &step->pass.dy, d->gradient[d->tail[index]], tail_size);
    if (step->fused) /* then nobody looks at it */
        aim(d, &step->pass.spare_dy, d->gradient[d->tail[index]], tail_size);
}

/* The input that a fused layer reads beside the chain's own. */
static void point_other(nm_draft *d, int index, nm_fused *with)
{
    const nm_node *node = &d->net->node[index];
    for (int k = 0; k < node->inputs; k++)
        if (nm_reader(d, index, k) != NM_NONE) {
            aim(d, &with->other, d->value[node->from[k]], nm_shape_size(node->in[k]));
            aim(d, &with->other_dx, d->edge[d->first_edge[index] + k], nm_shape_size(node->in[k]));
        }
}

static void point(nm_draft *d, int index)
{
    nm_network *net = d->net;
    nm_plan *plan = d->plan;
    const nm_node *node = &net->node[index];
    nm_step *step = &plan->step[index];
    step->head = d->head[index];
    step->runs_backward = d->needed[index] && index >= net->inputs && step->head == index;
    step->stage = d->stage[index];
    step->again = d->again[index];
    for (int i = 0; i < node->params; i++) {
        const nm_param *param = &net->param[node->first_param + i];
        step->w[i] = nm_param_values(net, param);
        bool trained = plan->gradients && param->kind != NM_STATE && !param->frozen;
        step->dw[i] = trained ? plan->gradients + param->offset : NULL;
    }
    step->pass = (nm_pass){.mode = plan->request.mode, .backward = d->needed[index], .inputs = node->inputs,
                           .xs = node->in, .ys = node->out, .x = step->x, .dx = step->dx, .w = step->w, .dw = step->dw, .saved = place(d, d->saved[index]),
                           .scratch = plan->scratch, .thread_scratch_base = plan->thread_scratch,
                           .thread_scratch_size = plan->memory.thread_scratch, .plan = step->choice,
                           .threads = plan->request.threads, .name = node->name,
                           .fused = step->fused, .with = step->with};
    point_activations(d, index);
    for (int k = 0, next = index; k < step->fused; k++) {
        do
            next++;
        while (d->head[next] != index);
        step->with[k] = (nm_fused){net->node[next].self, plan->step[next].w, plan->step[next].dw};
        point_other(d, next, &step->with[k]);
    }
}

static nm_status allocate(nm_draft *d)
{
    nm_plan *plan = d->plan;
    NM_TRY(nm_memory_place(d->ctx, d->region, d->regions, &plan->memory.activations, &plan->memory.lower_bound));
    for (int i = 0; i < d->net->nodes; i++)
        plan->memory.saved += d->saved_size[i];
    plan->memory.gradients = plan->backward ? d->net->weight_count * sizeof(real) : 0;
    if (plan->request.dry)
        return NM_OK;
    plan->slab = nm_alloc(d->ctx, plan->memory.activations + 1, 1);
    plan->scratch = nm_alloc(d->ctx, plan->memory.scratch + 1, 1);
    plan->thread_scratch = nm_alloc(d->ctx, (size_t)plan->request.threads, plan->memory.thread_scratch + NM_ALIGNMENT);
    plan->sample_loss = nm_alloc(d->ctx, (size_t)plan->request.batch, sizeof *plan->sample_loss);
    plan->correct = nm_alloc(d->ctx, (size_t)plan->request.batch, sizeof *plan->correct);
    if (plan->backward && !(plan->gradients = nm_alloc(d->ctx, d->net->weight_count + 1, sizeof(real))))
        return NM_FAILED;
    return plan->slab && plan->scratch && plan->thread_scratch && plan->sample_loss && plan->correct ? NM_OK
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
    NM_TRY(nm_draft_fuse(d));
    for (int i = net->inputs; i < net->nodes; i++)
        NM_TRY(book(d, i));
    NM_TRY(nm_draft_regions(d));
    NM_TRY(allocate(d));
    NM_TRY(make_tables(d));
    for (int i = 0; i < net->nodes; i++)
        point(d, i);
    for (int i = 0; i < nm_objective_count(net); i++)
        aim(d, &d->plan->objective_dx[i], d->objective[i], nm_shape_size(net->node[nm_objective_node(net, i)].out));
    return NM_OK;
}

static nm_status with_draft(nm_context *ctx, nm_plan *plan)
{
    nm_network *net = plan->net;
    size_t nodes = (size_t)net->nodes, edges = 0, objectives = (size_t)nm_objective_count(net);
    for (int i = 0; i < net->nodes; i++)
        edges += (size_t)net->node[i].inputs;
    size_t numbers = 7 * nodes + edges + objectives;
    nm_draft d = {.ctx = ctx, .net = net, .plan = plan,
                  .rules = {.mode = plan->request.mode, .exact = plan->request.exact, .prefer = plan->request.prefer}, .room = (int)(2 * nodes + edges + objectives)};
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
    plan->request.micro = parts && plan->staged ? request->micro : request->batch;
    plan->step = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *plan->step);
    plan->objective_stage = nm_alloc(net->ctx, (size_t)nm_objective_count(net), sizeof *plan->objective_stage);
    nm_status status = plan->step && plan->objective_stage ? with_draft(net->ctx, plan) : NM_FAILED;
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
        nm_free(plan->step[i].with);
    }
    nm_free(plan->step);
    nm_free(plan->tables);
    nm_free(plan->slide);
    nm_free(plan->objective_stage);
    nm_free(plan->slab);
    nm_free(plan->scratch);
    nm_free(plan->thread_scratch);
    nm_free(plan->gradients);
    nm_free(plan->sample_loss);
    nm_free(plan->correct);
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
}

void nm_plan_explain(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    *text = '\0';
    if (n->type && n->type->explain)
        n->type->explain(n->self, plan->step[node].choice, text, size);
}

void nm_plan_chosen(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    *text = '\0';
    if (n->type && n->type->tuning)
        n->type->tuning->chosen(plan->step[node].choice, text, size);
}
