/* Planning: the pointers of every pass. */
#include "plan_draft.h"

#include "alloc.h"

#include <string.h>

/* Number `lane` of the plan's being pointed. */
typedef struct aiming {
    nm_draft *d;
    nm_lane *lane;
    int thread; /* whose lane it is; NM_NONE: the team's */
} aiming;

static void *place(const aiming *a, int region)
{
    const nm_draft *d = a->d;
    if (region == NM_NONE || !d->plan->slab)
        return NULL;
    return d->plan->slab + d->region[region].offset + (a->thread > 0 ? (size_t)a->thread * d->region[region].apart : 0);
}

/* Sets a pointer to a region; one into a whole region moves on with the samples, `sample` elements
 * each. */
static void aim(const aiming *a, void *where, int region, size_t sample)
{
    real *at = place(a, region);
    memcpy(where, &at, sizeof at);
    if (at && a->d->region[region].whole)
        a->lane->slide[a->lane->slides++] = (nm_slide){where, at, sample};
}

/* Room for a lane's pointers. */
static nm_status make_tables(const aiming *a)
{
    const nm_draft *d = a->d;
    const nm_network *net = d->net;
    size_t pointers = 1, slides = (size_t)nm_objective_count(net) + 1;
    for (int i = 0; i < net->nodes; i++) {
        pointers += 2 * (size_t)net->node[i].inputs + 2 * (size_t)net->node[i].params;
        slides += 5 + 2 * (size_t)net->node[i].inputs + (size_t)d->plan->step[i].sum.parts;
    }
    a->lane->tables = nm_alloc(d->ctx, pointers, sizeof(void *));
    a->lane->slide = nm_alloc(d->ctx, slides, sizeof *a->lane->slide);
    if (!a->lane->tables || !a->lane->slide)
        return NM_FAILED;
    real **next = (real **)(void *)a->lane->tables;
    for (int i = 0; i < net->nodes; i++) {
        nm_step *step = &a->lane->step[i];
        step->x = (const real **)next;
        step->dx = next + net->node[i].inputs;
        step->w = step->dx + net->node[i].inputs;
        step->dw = step->w + net->node[i].params;
        next = step->dw + net->node[i].params;
    }
    return NM_OK;
}

static void point_activations(const aiming *a, int index)
{
    const nm_draft *d = a->d;
    const nm_network *net = d->net;
    const nm_node *node = &net->node[index];
    nm_step *step = &a->lane->step[index];
    size_t size = nm_shape_size(node->out), tail_size = nm_shape_size(net->node[d->tail[index]].out);
    aim(a, &step->value, d->value[index], size);
    aim(a, &step->gradient, d->gradient[index], size);
    for (int k = 0; k < step->sum.parts; k++)
        aim(a, &step->sum.part[k], d->part[index][k], size);
    for (int k = 0; k < node->inputs; k++) { /* x of the network's inputs is set by each run */
        aim(a, &step->x[k], d->value[node->from[k]], nm_shape_size(node->in[k]));
        aim(a, &step->dx[k], d->edge[d->first_edge[index] + k], nm_shape_size(node->in[k]));
    }
    aim(a, &step->pass.y, d->value[d->tail[index]], tail_size);
    aim(a, &step->pass.dy, d->gradient[d->tail[index]], tail_size);
    if (step->tail.layers) /* then nobody looks at it */
        aim(a, &step->pass.dy_scratch, d->gradient[d->tail[index]], tail_size);
}

/* What the tail of head `index` finds in layer `next`, one of its own: the parameters of a
 * normalisation, the input of a sum that does not come from the head. */
static void point_tail(const aiming *a, int index, int next)
{
    const nm_draft *d = a->d;
    const nm_node *node = &d->net->node[next];
    nm_tail *tail = &a->lane->step[index].tail;
    if (node->params) {
        tail->w = a->lane->step[next].w;
        tail->dw = a->lane->step[next].dw;
    }
    for (int k = 0; k < node->inputs; k++)
        if (nm_reader(d, next, k) != NM_NONE) {
            aim(a, &tail->other, d->value[node->from[k]], nm_shape_size(node->in[k]));
            aim(a, &tail->other_dx, d->edge[d->first_edge[next] + k], nm_shape_size(node->in[k]));
        }
}

/* Memory and threads of a pass. */
static void point_scratch(const aiming *a, nm_pass *pass)
{
    const nm_plan *plan = a->d->plan;
    pass->scratch = plan->scratch;
    pass->thread_scratch_base = plan->thread_scratch;
    pass->thread_scratch_size = plan->memory.thread_scratch;
    pass->threads = plan->request.threads;
    if (a->thread == NM_NONE)
        return;
    pass->scratch = plan->thread_scratch + (size_t)a->thread * plan->memory.thread_scratch;
    pass->thread_scratch_base = (char *)pass->scratch + plan->apart_scratch;
    pass->threads = 1;
}

static void point(const aiming *a, int index)
{
    const nm_draft *d = a->d;
    nm_network *net = d->net;
    nm_plan *plan = d->plan;
    const nm_node *node = &net->node[index];
    nm_step *step = &a->lane->step[index];
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
    step->pass = (nm_pass){.mode = plan->request.mode,
                           .backward = d->needed[index],
                           .inputs = node->inputs,
                           .xs = node->in,
                           .ys = node->out,
                           .x = step->x,
                           .dx = step->dx,
                           .w = step->w,
                           .dw = step->dw,
                           .saved = place(a, d->saved[index]),
                           .plan = step->choice,
                           .name = node->name,
                           .tail = &step->tail};
    point_scratch(a, &step->pass);
    point_activations(a, index);
    for (int next = index + 1; next < net->nodes && step->tail.layers; next++)
        if (d->head[next] == index)
            point_tail(a, index, next);
}

/* The input of `index`, where the layer before has left its normalisation to it. */
static void point_lazy_normalisation(const aiming *a, int index)
{
    const nm_draft *d = a->d;
    int head = d->head[d->net->node[index].from[0]];
    nm_step *step = &a->lane->step[index];
    if (d->head[index] != index || !a->lane->step[head].leaves_normalisation)
        return;
    const nm_node *before = &d->net->node[head];
    step->pass.lazy_normalisation = &step->lazy_normalisation;
    before->type->fusion->lazy_normalisation(&a->lane->step[head].pass, before->self, &step->lazy_normalisation);
    step->x[0] = step->lazy_normalisation.x;
}

/* A thread's lane begins as the team's. */
static nm_status copy_steps(const aiming *a)
{
    const nm_draft *d = a->d;
    int nodes = d->net->nodes;
    a->lane->step = nm_alloc(d->ctx, (size_t)nodes, sizeof *a->lane->step);
    for (int i = 0; a->lane->step && i < nodes; i++) {
        const nm_step *of = &d->plan->step[i];
        nm_step *step = &a->lane->step[i];
        *step = (nm_step){.choice = of->choice, .tail = of->tail};
    }
    return a->lane->step ? NM_OK : NM_FAILED;
}

nm_status nm_draft_point(nm_draft *d)
{
    nm_plan *plan = d->plan;
    const nm_network *net = d->net;
    for (int i = 0; i < plan->lanes; i++) {
        aiming a = {d, &plan->lane[i], i ? i - 1 : NM_NONE};
        if (i)
            NM_TRY(copy_steps(&a));
        NM_TRY(make_tables(&a));
        for (int k = 0; k < net->nodes; k++)
            point(&a, k);
        for (int k = net->inputs; k < net->nodes && plan->slab; k++)
            point_lazy_normalisation(&a, k);
        for (int k = 0; i == 0 && k < nm_objective_count(net); k++)
            aim(&a, &plan->objective_dx[k], d->objective[k], nm_shape_size(net->node[nm_objective_node(net, k)].out));
    }
    return NM_OK;
}
