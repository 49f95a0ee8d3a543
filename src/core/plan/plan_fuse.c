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
 * ends, and the sum's other input is there before the head runs.
 *
 * A normalisation is left to the reader in training, where it and perhaps a rectifier are all of a
 * conv's tail (not a stem's), and the only reader is a conv whose algorithms of forward and weights
 * normalise what they read. */
#include "builder.h"

#include <string.h>

/* The input of `user` that is not `node`; its own where it has one only. */
static int other_input(const nm_node *user, int node)
{
    return user->inputs == 2 && user->from[0] == node ? user->from[1] : user->from[0];
}

/* Whether `head` can do the work of `user`, which reads `node`: what else that reads must be known
 * before. */
static bool within_reach(const nm_builder *d, int head, int node, int user)
{
    const nm_node *u = &d->net->node[user];
    int other = other_input(u, node);
    return u->inputs == 1 || (u->inputs == 2 && !d->plan->split && other >= d->net->inputs && other < head);
}

/* The only reader of `node`'s output, where `head` could do its work and nobody looks at that
 * output; else NM_NONE. */
static int only_reader(const nm_builder *d, int head, int node)
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

/* The head's memory flags, given what it does. Behind a sum only the output tells where a rectifier
 * let values pass; and a pool's output cannot lie where its input does. */
static unsigned flags_with(const nm_tail *tail, bool sums, unsigned flags)
{
    if (sums && tail->rectifies)
        flags |= NM_BACK_Y;
    return tail->pools ? flags & ~(unsigned)NM_INPLACE : flags;
}

static nm_tail_request request_of(const nm_builder *d, int index)
{
    const nm_node *node = &d->net->node[index];
    nm_tail_request request = {.rules = &d->rules, .backward = d->needed[index]};
    for (int k = 0; k < node->inputs; k++)
        request.want_dx = request.want_dx || d->needed[node->from[k]];
    return request;
}

static void fuse_node(nm_builder *d, int index)
{
    const nm_node *node = &d->net->node[index];
    const nm_fusion *fusion = node->type->fusion;
    nm_tail *tail = &d->plan->node[index].tail;
    if (d->head[index] != index || !fusion || !fusion->can_take || d->plan->request.no_fuse)
        return;
    const nm_tail_request request = request_of(d, index);
    tail->last = fusion->place;
    for (int next = only_reader(d, index, index); next != NM_NONE; next = only_reader(d, index, next)) {
        nm_tail longer = *tail;
        if (d->needed[index] != d->needed[next] || d->segment[index] != d->segment[next] ||
            !append(&longer, &d->net->node[next]) || !fusion->can_take(node->self, &longer, &request))
            break;
        *tail = longer;
        d->head[next] = index;
        d->tail[index] = next;
    }
    d->memory[index] = flags_with(tail, tail->adds || fusion->place == NM_TAIL_SUM, d->memory[index]);
}

/* The only reader of what `node` puts out, where that reads nothing else, and nobody looks at it;
 * else NM_NONE. */
static int sole_reader(const nm_builder *d, int node)
{
    const nm_network *net = d->net;
    for (int user = node + 1; user < net->nodes && net->node[node].users == 1 && !d->keep[node]; user++)
        if (net->node[user].inputs == 1 && net->node[user].from[0] == node)
            return user;
    return NM_NONE;
}

/* Whether head `index` leaves the normalisation in its tail to the reader of its last output. */
static bool leaves_normalisation(const nm_builder *d, int index)
{
    const nm_node *node = &d->net->node[index];
    const nm_fusion *fusion = node->type->fusion;
    int reader = sole_reader(d, d->tail[index]);
    if (!fusion || !fusion->leaves_normalisation || reader == NM_NONE || d->plan->split || d->plan->request.no_fuse ||
        d->rules.mode != NM_TRAIN || !d->needed[index])
        return false;
    const nm_node *by = &d->net->node[reader];
    const nm_fusion *other = by->type->fusion;
    const nm_tail_request request = request_of(d, index);
    return other && other->reads_lazy_normalisation && !(d->memory[reader] & NM_INPLACE) &&
           other->reads_lazy_normalisation(by->self, &d->rules) &&
           fusion->leaves_normalisation(node->self, &d->plan->node[index].tail, &request);
}

void nm_find_fusion(nm_builder *d)
{
    for (int i = d->net->inputs; i < d->net->nodes; i++)
        fuse_node(d, i);
    for (int i = d->net->inputs; i < d->net->nodes; i++)
        d->plan->node[i].leaves_normalisation = d->head[i] == i && leaves_normalisation(d, i);
}
