/* Planning: which layers are done in the passes of another, and which normalisations are left to
 * the reader. A head does its own work and a tail of what follows, in this order, each part at most
 * once:
 *
 *     head -> normalisation -> sum of two -> rectifier -> max pool
 *
 * A type says in its nm_fusion which part it can be, and as a head what it can take:
 *
 *     head       when              normalisation  sum             rectifier  max pool
 *     conv       evaluation [1]    yes [2]        if `adds` [3]   yes        2x2, if `pools` [3]
 *     conv       training [4]      needed [5]     not a stem [6]  yes        2x2, even, no sum
 *     batchnorm  always            its own        no ghosts       yes        2x2, even, no sum
 *     add        always            -              its own         yes        -
 *
 * [1] without gradients.  [2] as a factor and a bias for each filter.  [3] of its algorithm for
 * forward.  [4] where backward reaches it.  [5] with the statistics of the whole batch; without it
 * a conv in training takes nothing.  [6] a conv that nobody asks for dx, see conv/stem.h.
 *
 * A tail grows along the only readers, as long as nobody looks at what lies between, no segment
 * ends, no layer has to know the whole batch first (in segments and in shards), and the sum's other
 * input is there before the head runs.
 *
 * A normalisation is left to the reader in training, where it and perhaps a rectifier are all of a
 * conv's tail (not a stem's), and the only reader is a conv whose algorithms of forward and weights
 * normalise what they read. */
#include "plan.h"

#include <string.h>

/* The only reader of `node`'s output, where nobody else looks at that; else NM_NONE. */
static int only_reader(const nm_plan *plan, int node)
{
    if (plan->net->node[node].users != 1 || plan->node[node].keep)
        return NM_NONE;
    for (const nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++)
        if (e->from == node)
            return e->user;
    return NM_NONE;
}

/* Whether `head` can do the work of `user`, which reads `node`: what else that reads must be known
 * before. */
static bool within_reach(const nm_plan *plan, int head, int node, int user)
{
    const nm_node *u = &plan->net->node[user];
    if (plan->node[user].takes_whole_batch)
        return false;
    if (u->inputs != 2)
        return u->inputs == 1;
    int other = u->from[u->from[0] == node];
    return !plan->split && other >= plan->net->inputs && other < head;
}

/* `tail` with that layer at its end; false where it has no place there. */
static bool append(nm_tail *tail, const nm_node *node)
{
    const nm_fusion *fusion = node->type->fusion;
    if (!fusion || fusion->place <= tail->last)
        return false;
    tail->layers++;
    tail->last = fusion->place;
    tail->normalises |= fusion->place == NM_TAIL_NORMALISATION;
    tail->adds |= fusion->place == NM_TAIL_SUM;
    tail->rectifies |= fusion->place == NM_TAIL_RECTIFIER;
    tail->pools |= fusion->place == NM_TAIL_MAXPOOL;
    if (fusion->place == NM_TAIL_NORMALISATION)
        memcpy(&tail->normalisation, (const char *)node->self + fusion->normalisation_offset,
               sizeof tail->normalisation);
    if (fusion->place == NM_TAIL_MAXPOOL) {
        node->type->window(node->self, &tail->window);
        tail->pool_in = node->in[0];
        tail->pool_out = node->out;
    }
    return true;
}

static void fuse_node(nm_plan *plan, int index)
{
    const nm_node *node = &plan->net->node[index];
    const nm_fusion *fusion = node->type->fusion;
    nm_plan_node *head = &plan->node[index];
    if (head->head != index || !fusion || !fusion->can_fuse || plan->request.no_fuse)
        return;
    const nm_tail_request request = {&plan->rules, head->backward, head->want_dx};
    head->tail.last = fusion->place;
    for (int next = only_reader(plan, index); next != NM_NONE; next = only_reader(plan, next)) {
        nm_tail longer = head->tail;
        if (!within_reach(plan, index, head->last, next) || head->backward != plan->node[next].backward ||
            head->segment != plan->node[next].segment || !append(&longer, &plan->net->node[next]) ||
            !fusion->can_fuse(node->self, &longer, &request))
            break;
        head->tail = longer;
        head->last = next;
        plan->node[next].head = index;
    }
    if (head->tail.rectifies && (head->tail.adds || fusion->place == NM_TAIL_SUM))
        head->memory |= NM_BACK_Y; /* only the output tells where values were let pass */
    if (head->tail.pools)
        head->memory &= ~(unsigned)NM_INPLACE; /* a pool's output cannot lie where its input does */
}

/* Whether head `index` leaves the normalisation in its tail to the reader of its last output. */
static bool leaves_normalisation(const nm_plan *plan, int index)
{
    const nm_node *node = &plan->net->node[index];
    const nm_fusion *fusion = node->type->fusion;
    int reader = only_reader(plan, plan->node[index].last);
    if (!fusion || !fusion->leaves_normalisation || reader == NM_NONE || plan->split || plan->request.no_fuse ||
        plan->rules.mode != NM_TRAIN || !plan->node[index].backward)
        return false;
    const nm_node *by = &plan->net->node[reader];
    const nm_fusion *other = by->type->fusion;
    const nm_tail_request request = {&plan->rules, true, plan->node[index].want_dx};
    return by->inputs == 1 && other && other->reads_lazy_normalisation && !(plan->node[reader].memory & NM_INPLACE) &&
           other->reads_lazy_normalisation(by->self, &plan->rules) &&
           fusion->leaves_normalisation(node->self, &plan->node[index].tail, &request);
}

void nm_find_fusion(nm_plan *plan)
{
    for (int i = plan->net->inputs; i < plan->net->nodes; i++)
        fuse_node(plan, i);
    for (int i = plan->net->inputs; i < plan->net->nodes; i++)
        plan->node[i].leaves_normalisation = plan->node[i].head == i && leaves_normalisation(plan, i);
    for (nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++) {
        int head = plan->node[e->user].head;
        nm_plan_node *from = &plan->node[e->from];
        e->reader = e->user != head && from->head == head ? NM_NONE : head;
        from->last_reader = head > from->last_reader ? head : from->last_reader;
    }
}
