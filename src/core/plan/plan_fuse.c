/* Planning: which layers do the work of those behind them, and which leave a part of theirs to the
 * reader. */
#include "plan_draft.h"

#include "alloc.h"

/* The input of `user` that is not `node`; its own where it has one only. */
static int other_input(const nm_node *user, int node)
{
    return user->inputs == 2 && user->from[0] == node ? user->from[1] : user->from[0];
}

/* Whether `head` can do the work of `user`, which reads `node`: what else that reads must be known
 * before. */
static bool within_reach(const nm_draft *d, int head, int node, int user)
{
    const nm_node *u = &d->net->node[user];
    int other = other_input(u, node);
    return u->inputs == 1 || (u->inputs == 2 && !d->plan->staged && other >= d->net->inputs && other < head);
}

/* The only reader of `node`'s output, where `head` could do its work and nobody looks at that
 * output; else NM_NONE. */
static int only_reader(const nm_draft *d, int head, int node)
{
    const nm_network *net = d->net;
    if (net->node[node].users != 1 || d->keep[node])
        return NM_NONE;
    for (int user = node + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++)
            if (net->node[user].from[k] == node)
                return within_reach(d, head, node, user) ? user : NM_NONE;
    return NM_NONE;
}

static nm_status fuse_node(nm_draft *d, int index)
{
    const nm_node *node = &d->net->node[index];
    nm_step *step = &d->plan->step[index];
    if (d->head[index] != index || !node->type->fuse || d->plan->request.no_fuse)
        return NM_OK;
    d->rules.want_dx = false;
    for (int k = 0; k < node->inputs; k++)
        d->rules.want_dx = d->rules.want_dx || d->needed[node->from[k]];
    for (int next = only_reader(d, index, index); next != NM_NONE; next = only_reader(d, index, next)) {
        const nm_node *other = &d->net->node[next];
        nm_offer offer = {&d->rules, d->needed[index], other->type, other->self, other->inputs};
        if (d->needed[index] != d->needed[next] || d->stage[index] != d->stage[next] ||
            !node->type->fuse(node->self, step->choice, &offer, &d->memory[index]))
            break;
        d->head[next] = index;
        d->tail[index] = next;
        step->fused++;
    }
    step->with = nm_alloc(d->ctx, (size_t)step->fused + 1, sizeof *step->with);
    return step->with ? NM_OK : NM_FAILED;
}

/* The only reader of what `node` puts out, where that reads nothing else, and nobody looks at it;
 * else NM_NONE. */
static int sole_reader(const nm_draft *d, int node)
{
    const nm_network *net = d->net;
    for (int user = node + 1; user < net->nodes && net->node[node].users == 1 && !d->keep[node]; user++)
        if (net->node[user].inputs == 1 && net->node[user].from[0] == node)
            return user;
    return NM_NONE;
}

/* Whether the output of `index` and of what it does besides stays as it is before normalisation. */
static bool defers(const nm_draft *d, int index)
{
    const nm_node *node = &d->net->node[index];
    int reader = sole_reader(d, d->tail[index]);
    if (!node->type->leaves_normalisation || reader == NM_NONE || d->plan->staged || d->plan->request.no_fuse ||
        d->rules.mode != NM_TRAIN || !d->needed[index])
        return false;
    const nm_node *by = &d->net->node[reader];
    return by->type->reads_lazy_normalisation && !(d->memory[reader] & NM_INPLACE) &&
           by->type->reads_lazy_normalisation(by->self, d->plan->step[reader].choice, &d->rules) &&
           node->type->leaves_normalisation(node->self, d->plan->step[index].choice);
}

nm_status nm_draft_fuse(nm_draft *d)
{
    for (int i = d->net->inputs; i < d->net->nodes; i++)
        NM_TRY(fuse_node(d, i));
    for (int i = d->net->inputs; i < d->net->nodes; i++)
        d->plan->step[i].defers = d->head[i] == i && defers(d, i);
    return NM_OK;
}
