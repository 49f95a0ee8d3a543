/* Planning: what each layer books, which regions live when, the pointers of every pass. */
#include "plan.h"

#include "alloc.h"

#include <string.h>

enum { ALIGNMENT = 64, NONE = -1 };

/* While planning. Region numbers, NONE where there is no region. */
typedef struct draft {
    nm_context *ctx;
    nm_network *net;
    nm_plan *plan;
    int regions, room;
    nm_region *region;
    bool *keep;          /* [nodes]: output stays readable */
    bool *needed;        /* [nodes]: the gradient of the output is computed */
    int *value, *saved;  /* [nodes] */
    int *gradient;       /* [nodes] */
    int *edge;           /* [edges]: gradient by input k of node i is at first_edge[i] + k */
    int *first_edge;     /* [nodes] */
    int *objective;      /* [objectives, at least 1] */
    size_t *saved_size;  /* [nodes] */
    int *head, *tail;    /* [nodes]: who does its work; the last node whose work it does */
    unsigned *memory;    /* [nodes]: flags of this plan */
} draft;

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t output_bytes(const draft *d, int node)
{
    return (size_t)d->plan->request.batch * nm_shape_size(d->net->node[node].out) * sizeof(real);
}

static int add_region(draft *d, size_t size, int first, int last)
{
    d->region[d->regions] = (nm_region){aligned(size), 0, first, last};
    return d->regions++;
}

static void live_until(draft *d, int region, int moment)
{
    if (d->region[region].last < moment)
        d->region[region].last = moment;
}

/* ---- which gradients are needed ------------------------------------------------------ */

static bool has_trained(const nm_network *net, const nm_node *node)
{
    for (int i = 0; i < node->params; i++) {
        const nm_param *p = &net->param[node->first_param + i];
        if (p->kind != NM_STATE && !p->frozen)
            return true;
    }
    return false;
}

/* Where the losses stand; without a loss, the output (for nm_plan_backward_from). */
static int objective_count(const nm_network *net)
{
    return net->objectives ? net->objectives : 1;
}
static int objective_node(const nm_network *net, int i)
{
    return net->objectives ? net->objective[i].from : net->output;
}

static void find_needed(draft *d)
{
    const nm_network *net = d->net;
    const nm_request *q = &d->plan->request;
    for (int i = 0; i < net->nodes; i++) { /* something to train at or above */
        bool above = i < net->inputs ? q->input_gradients || q->keep_all : has_trained(net, &net->node[i]);
        for (int k = 0; k < net->node[i].inputs; k++)
            above = above || d->needed[net->node[i].from[k]];
        d->needed[i] = above && d->plan->backward;
    }
    bool *reached = (bool *)d->keep + net->nodes; /* a loss at or below */
    for (int i = 0; i < objective_count(net); i++)
        reached[objective_node(net, i)] = true;
    for (int i = net->nodes - 1; i >= 0; i--)
        for (int k = 0; reached[i] && k < net->node[i].inputs; k++)
            reached[net->node[i].from[k]] = true;
    for (int i = 0; i < net->nodes; i++)
        d->needed[i] = d->needed[i] && reached[i];
}

/* ---- fusion -------------------------------------------------------------------------- */

/* The only reader of `node`'s output, where it reads nothing else and nobody looks at that output; else NONE. */
static int only_reader(const draft *d, int node)
{
    const nm_network *net = d->net;
    if (net->node[node].users != 1 || d->keep[node])
        return NONE;
    for (int user = node + 1; user < net->nodes; user++)
        if (net->node[user].from[0] == node)
            return net->node[user].inputs == 1 ? user : NONE;
    return NONE;
}

static nm_status make_choices(draft *d)
{
    for (int i = d->net->inputs; i < d->net->nodes; i++) {
        size_t size = d->net->node[i].type->plan_size;
        if (size && !(d->plan->step[i].choice = nm_alloc(d->ctx, 1, size)))
            return NM_FAILED;
    }
    return NM_OK;
}

static nm_status fuse(draft *d, int index)
{
    const nm_node *node = &d->net->node[index];
    nm_step *step = &d->plan->step[index];
    if (d->head[index] != index || !node->type->fuse || d->plan->request.no_fuse)
        return NM_OK;
    for (int next = only_reader(d, index); next != NONE; next = only_reader(d, next)) {
        const nm_node *other = &d->net->node[next];
        if (d->needed[index] != d->needed[next] ||
            !node->type->fuse(node->self, step->choice, d->plan->request.mode, other->type, other->self,
                              &d->memory[index]))
            break;
        d->head[next] = index;
        d->tail[index] = next;
        step->fused++;
    }
    step->with = nm_alloc(d->ctx, (size_t)step->fused + 1, sizeof *step->with);
    return step->with ? NM_OK : NM_FAILED;
}

/* ---- bookings ------------------------------------------------------------------------ */

static nm_status book(draft *d, int index)
{
    nm_network *net = d->net;
    nm_node *node = &net->node[index];
    nm_plan *plan = d->plan;
    nm_step *step = &plan->step[index];
    if (!node->type->plan || d->head[index] != index)
        return NM_OK;
    nm_booking b = {.ctx = d->ctx, .who = node->who, .mode = plan->request.mode, .n = plan->request.batch,
                    .inputs = node->inputs, .xs = node->in, .ys = node->out, .backward = d->needed[index],
                    .threads = plan->request.threads};
    for (int k = 0; k < node->inputs; k++)
        b.want_dx = b.want_dx || d->needed[node->from[k]];
    NM_TRY(node->type->plan(&b, node->self, step->choice));
    d->saved_size[index] = b.saved;
    if (aligned(b.scratch) > plan->memory.scratch)
        plan->memory.scratch = aligned(b.scratch);
    /* a line more, so that two threads' blocks do not start on the same cache sets */
    size_t thread = b.thread_scratch ? aligned(b.thread_scratch) + ALIGNMENT : 0;
    if (thread > plan->memory.thread_scratch)
        plan->memory.thread_scratch = thread;
    return NM_OK;
}

/* ---- forward regions ----------------------------------------------------------------- */

/* The last moment at which anybody reads the output of `node` in its own right; `except`: a user not counted. */
static int last_read(const draft *d, int node, int except)
{
    const nm_network *net = d->net;
    int last = node;
    if (d->keep[node])
        last = nm_time_end(net);
    else if (d->needed[node] && (d->memory[d->head[node]] & NM_BACK_Y))
        last = nm_time_backward(net, d->head[node]);
    for (int i = 0; i < objective_count(net); i++)
        if (objective_node(net, i) == node && last < net->nodes)
            last = net->nodes;
    for (int user = node + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++) {
            if (net->node[user].from[k] != node || d->head[user] != user)
                continue;
            int read = user == except && k == 0 ? node : user;
            if (d->needed[user] && (d->memory[user] & NM_BACK_X))
                read = nm_time_backward(net, user);
            if (read > last)
                last = read;
        }
    return last;
}

static bool can_take_over(const draft *d, int index)
{
    int from = d->net->node[index].from[0];
    return (d->memory[index] & NM_INPLACE) && !d->plan->request.keep_all && from >= d->net->inputs &&
           output_bytes(d, d->tail[index]) == output_bytes(d, from) && last_read(d, from, index) < index;
}

static void plan_values(draft *d)
{
    const nm_network *net = d->net;
    for (int i = net->inputs; i < net->nodes; i++) {
        if (d->head[i] != i)
            continue;
        int tail = d->tail[i], last = last_read(d, tail, NONE);
        if (can_take_over(d, i)) {
            d->value[tail] = d->value[net->node[i].from[0]];
            live_until(d, d->value[tail], last);
        } else {
            d->value[tail] = add_region(d, output_bytes(d, tail), i, last);
        }
        if (d->saved_size[i])
            d->saved[i] = add_region(d, d->saved_size[i], i, d->needed[i] ? nm_time_backward(net, i) : i);
    }
}

/* ---- backward regions ---------------------------------------------------------------- */

typedef struct part {
    int region, moment;
} part;

/* The gradients that reach the output of `node`, in the order in which they are written. */
static int find_parts(const draft *d, int node, part *parts)
{
    const nm_network *net = d->net;
    int count = 0;
    for (int i = 0; i < objective_count(net); i++)
        if (objective_node(net, i) == node)
            parts[count++] = (part){d->objective[i], net->nodes};
    for (int user = net->nodes - 1; user > node; user--)
        for (int k = 0; d->needed[user] && d->head[user] == user && k < net->node[user].inputs; k++)
            if (net->node[user].from[k] == node)
                parts[count++] = (part){d->edge[d->first_edge[user] + k], nm_time_backward(net, user)};
    return count;
}

/* The regions that backward of `index` writes: dy's own where it may, else new ones. */
static void plan_edges(draft *d, int index)
{
    const nm_node *node = &d->net->node[index];
    int now = nm_time_backward(d->net, index);
    for (int k = 0; k < node->inputs; k++) {
        int from = node->from[k];
        if (!d->needed[from])
            continue;
        int tail = d->tail[index];
        bool take_over = k == 0 && (d->memory[index] & NM_INPLACE) && !d->plan->request.keep_all &&
                         output_bytes(d, tail) == output_bytes(d, from);
        d->edge[d->first_edge[index] + k] =
            take_over ? d->gradient[tail] : add_region(d, output_bytes(d, from), now, now);
    }
}

/* The gradient of one output: where the first part is written, summed with the others. */
static nm_status plan_gradient(draft *d, int node, part *parts)
{
    const nm_network *net = d->net;
    const nm_request *q = &d->plan->request;
    int count = find_parts(d, node, parts);
    d->gradient[node] = parts[0].region;
    bool keep = q->keep_all || (node < net->inputs && q->input_gradients);
    live_until(d, d->gradient[node], keep ? nm_time_end(net) : nm_time_backward(net, d->head[node]));
    for (int k = 1; k < count; k++)
        live_until(d, parts[k].region, nm_time_sum(net, node));
    nm_sum *sum = &d->plan->step[node].sum;
    sum->parts = count;
    sum->part = nm_alloc(d->ctx, (size_t)count, sizeof *sum->part);
    if (!sum->part)
        return NM_FAILED;
    for (int k = 0; k < count; k++) /* numbers for now; pointers when the slab is there */
        sum->part[k] = (real *)(intptr_t)parts[k].region;
    return NM_OK;
}

static nm_status plan_gradients(draft *d)
{
    const nm_network *net = d->net;
    int most = objective_count(net);
    for (int i = 0; i < net->nodes; i++)
        most += net->node[i].inputs;
    part *parts = nm_alloc(d->ctx, (size_t)most, sizeof *parts);
    if (!parts)
        return NM_FAILED;
    for (int i = 0; i < objective_count(net); i++)
        if (d->needed[objective_node(net, i)])
            d->objective[i] = add_region(d, output_bytes(d, objective_node(net, i)), net->nodes, net->nodes);
    nm_status status = NM_OK;
    for (int i = net->nodes - 1; i >= 0 && status == NM_OK; i--) {
        if (d->needed[i] && d->tail[d->head[i]] == i)
            status = plan_gradient(d, i, parts);
        if (d->needed[i] && d->head[i] == i && i >= net->inputs)
            plan_edges(d, i);
    }
    nm_free(parts);
    return status;
}

/* ---- pointers ------------------------------------------------------------------------ */

static void *place(const draft *d, int region)
{
    return region == NONE ? NULL : d->plan->slab + d->region[region].offset;
}

static nm_status make_tables(draft *d)
{
    const nm_network *net = d->net;
    size_t pointers = (size_t)objective_count(net) + 1;
    for (int i = 0; i < net->nodes; i++)
        pointers += 2 * (size_t)net->node[i].inputs + 2 * (size_t)net->node[i].params;
    d->plan->tables = nm_alloc(d->ctx, pointers, sizeof(void *));
    if (!d->plan->tables)
        return NM_FAILED;
    real **next = (real **)(void *)d->plan->tables;
    d->plan->objective_dx = next;
    next += objective_count(net);
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

static void point(draft *d, int index)
{
    nm_network *net = d->net;
    nm_plan *plan = d->plan;
    const nm_node *node = &net->node[index];
    nm_step *step = &plan->step[index];
    step->value = place(d, d->value[index]);
    step->gradient = place(d, d->gradient[index]);
    step->head = d->head[index];
    step->runs_backward = d->needed[index] && index >= net->inputs && step->head == index;
    for (int k = 0; k < step->sum.parts; k++)
        step->sum.part[k] = place(d, (int)(intptr_t)step->sum.part[k]);
    for (int k = 0; k < node->inputs; k++) {
        step->x[k] = place(d, d->value[node->from[k]]); /* NULL for the network's inputs: set by each run */
        step->dx[k] = place(d, d->edge[d->first_edge[index] + k]);
    }
    for (int i = 0; i < node->params; i++) {
        const nm_param *param = &net->param[node->first_param + i];
        step->w[i] = nm_param_values(net, param);
        bool trained = plan->gradients && param->kind != NM_STATE && !param->frozen;
        step->dw[i] = trained ? plan->gradients + param->offset : NULL;
    }
    step->pass = (nm_pass){.mode = plan->request.mode, .backward = d->needed[index], .inputs = node->inputs,
                           .xs = node->in, .ys = node->out, .x = step->x, .y = place(d, d->value[d->tail[index]]),
                           .dy = place(d, d->gradient[d->tail[index]]),
                           .dx = step->dx, .w = step->w, .dw = step->dw, .saved = place(d, d->saved[index]),
                           .scratch = plan->scratch, .thread_scratch_base = plan->thread_scratch,
                           .thread_scratch_size = plan->memory.thread_scratch, .plan = step->choice,
                           .threads = plan->request.threads, .name = node->name,
                           .fused = step->fused, .with = step->with};
    for (int k = 0, next = index; k < step->fused; k++) {
        do
            next++;
        while (d->head[next] != index);
        step->with[k] = (nm_fused){net->node[next].self, plan->step[next].w, plan->step[next].dw};
    }
}

static nm_status allocate(draft *d)
{
    nm_plan *plan = d->plan;
    NM_TRY(nm_memory_place(d->ctx, d->region, d->regions, &plan->memory.activations, &plan->memory.lower_bound));
    plan->slab = nm_alloc(d->ctx, plan->memory.activations + 1, 1);
    plan->scratch = nm_alloc(d->ctx, plan->memory.scratch + 1, 1);
    plan->thread_scratch = nm_alloc(d->ctx, (size_t)plan->request.threads, plan->memory.thread_scratch + ALIGNMENT);
    plan->sample_loss = nm_alloc(d->ctx, (size_t)plan->request.batch, sizeof *plan->sample_loss);
    plan->correct = nm_alloc(d->ctx, (size_t)plan->request.batch, sizeof *plan->correct);
    if (plan->backward) {
        plan->memory.gradients = d->net->weight_count * sizeof(real);
        plan->gradients = nm_alloc(d->ctx, d->net->weight_count + 1, sizeof(real));
        if (!plan->gradients)
            return NM_FAILED;
    }
    for (int i = 0; i < d->net->nodes; i++)
        plan->memory.saved += d->saved_size[i];
    return plan->slab && plan->scratch && plan->thread_scratch && plan->sample_loss && plan->correct ? NM_OK
                                                                                                   : NM_FAILED;
}

/* ---- the plan ------------------------------------------------------------------------ */

static nm_status draw_up(draft *d)
{
    nm_network *net = d->net;
    const nm_request *q = &d->plan->request;
    for (int i = 0; i < q->keeps; i++)
        d->keep[q->keep[i]] = true;
    for (int i = 0; q->keep_all && i < net->nodes; i++)
        d->keep[i] = true;
    d->keep[net->output] = true;
    find_needed(d);
    NM_TRY(make_choices(d));
    for (int i = net->inputs; i < net->nodes; i++)
        NM_TRY(fuse(d, i));
    for (int i = net->inputs; i < net->nodes; i++)
        NM_TRY(book(d, i));
    plan_values(d);
    NM_TRY(plan_gradients(d));
    NM_TRY(allocate(d));
    NM_TRY(make_tables(d));
    for (int i = 0; i < net->nodes; i++)
        point(d, i);
    for (int i = 0; i < objective_count(net); i++)
        d->plan->objective_dx[i] = place(d, d->objective[i]);
    return NM_OK;
}

static nm_status with_draft(nm_context *ctx, nm_plan *plan)
{
    nm_network *net = plan->net;
    size_t nodes = (size_t)net->nodes, edges = 0, objectives = (size_t)objective_count(net);
    for (int i = 0; i < net->nodes; i++)
        edges += (size_t)net->node[i].inputs;
    size_t numbers = 6 * nodes + edges + objectives;
    draft d = {.ctx = ctx, .net = net, .plan = plan, .room = (int)(2 * nodes + edges + objectives)};
    int *numbers_block = nm_alloc(ctx, numbers + 1, sizeof(int));
    bool *flags = nm_alloc(ctx, 3 * nodes + 1, sizeof *flags);
    d.saved_size = nm_alloc(ctx, nodes, sizeof *d.saved_size);
    d.region = nm_alloc(ctx, (size_t)d.room + 1, sizeof *d.region);
    d.memory = nm_alloc(ctx, nodes, sizeof *d.memory);
    nm_status status = NM_FAILED;
    if (numbers_block && flags && d.saved_size && d.region && d.memory) {
        for (size_t i = 0; i < numbers; i++)
            numbers_block[i] = NONE;
        d.value = numbers_block;
        d.saved = d.value + nodes;
        d.gradient = d.saved + nodes;
        d.first_edge = d.gradient + nodes;
        d.objective = d.first_edge + nodes;
        d.head = d.objective + objectives;
        d.tail = d.head + nodes;
        d.edge = d.tail + nodes;
        d.keep = flags;
        d.needed = flags + 2 * nodes;
        for (int i = 0, next = 0; i < net->nodes; next += net->node[i++].inputs)
            d.first_edge[i] = next;
        for (int i = 0; i < net->nodes; i++) {
            d.head[i] = d.tail[i] = i;
            d.memory[i] = net->node[i].memory;
        }
        status = draw_up(&d);
    }
    nm_free(numbers_block);
    nm_free(flags);
    nm_free(d.saved_size);
    nm_free(d.region);
    nm_free(d.memory);
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
    plan->backward = request->mode == NM_TRAIN || request->gradients;
    plan->step = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *plan->step);
    nm_status status = plan->step ? with_draft(net->ctx, plan) : NM_FAILED;
    plan->request.keep = NULL; /* belongs to the caller */
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

void nm_plan_describe(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    *text = '\0';
    if (n->type && n->type->describe)
        n->type->describe(n->self, plan->step[node].choice, text, size);
}
