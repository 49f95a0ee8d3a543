#include "messages.h"

#include "clock.h"
#include "group.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- failures -------------------------------------------------------------------------- */

static void name_peer(const nm_processes *p, int rank, int number, char *text, size_t size)
{
    enum { MOST_NAMED = 4 };
    size_t used = strlen(text);
    if (number < MOST_NAMED)
        snprintf(text + used, size - used, "%s%s", number ? ", " : "", p->name[rank]);
    else if (number == MOST_NAMED)
        snprintf(text + used, size - used, " and others");
}

/* Names the processes that pending messages go to or come from, each once. Returns how many. */
static int name_peers(const nm_processes *p, const nm_message *message, int count, char *text, size_t size)
{
    int named = 0;
    *text = '\0';
    for (int rank = 0; rank < p->count; rank++) {
        bool waited_for = false;
        for (int k = 0; k < count && !waited_for; k++)
            waited_for = message[k].pending && message[k].peer == rank;
        if (waited_for)
            name_peer(p, rank, named++, text, size);
    }
    return named;
}

/* What every failure ends with. */
static const char advice[] = "The last checkpoint is whole: start all processes again with --resume";

static nm_status fail_with_mpi(nm_processes *p, int peer, int error)
{
    char text[NM_MPI_TEXT];
    p->mpi->error_text(error, text);
    p->failed = true;
    return nm_fail(p->ctx, NM_FAILED, "%s cannot be reached (%s: %s): it died, or the network failed. %s",
                   p->name[peer], p->mpi->name, text, advice);
}

static nm_status fail_after(nm_processes *p, double seconds, const nm_message *message, int count)
{
    char peers[5 * NM_PROCESS_NAME];
    int named = name_peers(p, message, count, peers, sizeof peers);
    p->failed = true;
    return nm_fail(p->ctx, NM_FAILED, "%s %s not answered for %.0f s: %s. %s", peers, named > 1 ? "have" : "has",
                   seconds, named > 1 ? "they died or hang" : "it died or hangs", advice);
}

static nm_status fail_stopped(nm_processes *p, const nm_message *message, int count)
{
    char peers[5 * NM_PROCESS_NAME];
    name_peers(p, message, count, peers, sizeof peers);
    p->failed = true;
    return nm_fail(p->ctx, NM_FAILED,
                   "stopped by a signal while waiting for %s; launchers send one to all where a process has ended. %s",
                   peers, advice);
}

/* ---- messages -------------------------------------------------------------------------- */

/* Of a message that MPI has taken, or not. */
static nm_status take_message(nm_processes *p, nm_message *message, int error)
{
    if (error)
        return fail_with_mpi(p, message->peer, error);
    message->pending = true;
    return NM_OK;
}

nm_status nm_message_send(nm_processes *p, const void *data, size_t bytes, int to, int tag, nm_message *message)
{
    *message = (nm_message){.peer = to};
    if (p->failed)
        return NM_FAILED;
    NM_TRY(take_message(p, message, p->mpi->send(data, bytes, to, tag, &message->request)));
    p->sent.messages++;
    p->sent.bytes += bytes;
    return NM_OK;
}

nm_status nm_message_receive(nm_processes *p, void *data, size_t bytes, int from, int tag, nm_message *message)
{
    *message = (nm_message){.peer = from};
    if (p->failed)
        return NM_FAILED;
    return take_message(p, message, p->mpi->receive(data, bytes, from, tag, &message->request));
}

nm_status nm_messages_test(nm_processes *p, nm_message *message, int count, bool *done)
{
    *done = true;
    for (int k = 0; k < count; k++) {
        if (!message[k].pending)
            continue;
        if (p->failed)
            return NM_FAILED;
        bool complete;
        int error = p->mpi->test(&message[k].request, &complete);
        if (error)
            return fail_with_mpi(p, message[k].peer, error);
        message[k].pending = !complete;
        *done = *done && complete;
    }
    return p->failed ? NM_FAILED : NM_OK;
}

/* ---- waiting --------------------------------------------------------------------------- */

/* At first the processor is kept: an answer on the same machine takes microseconds. Then it is left
 * to whoever wants it, for there may be more processes than processors. */
static void rest(double waited)
{
    const double watch = 50e-6, yield = 1e-3; /* seconds */
    if (waited < watch)
        return;
    if (waited < yield)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

/* A turn that took longer is one in which this process did not run: it was stopped, or so was the
 * machine. Nobody else is to blame for that. */
static double turn_of(nm_wait *wait)
{
    const double longest = 0.1;
    double now = nm_clock(), turn = wait->begun ? now - wait->last : 0;
    wait->last = now;
    wait->begun = true;
    return turn < longest ? turn : longest;
}

nm_status nm_wait_again(nm_processes *p, nm_wait *wait, const nm_message *message, int count)
{
    for (nm_wait_hook *hook = p->hook; hook && !p->failed; hook = hook->next)
        hook->advance(hook->arg);
    if (p->failed)
        return NM_FAILED;
    double turn = turn_of(wait), patience = p->patience > 10 * p->longest ? p->patience : 10 * p->longest;
    wait->waited += turn;
    bool stop = p->stop && __atomic_load_n(p->stop, __ATOMIC_ACQUIRE) != 0;
    wait->stopping += stop ? turn : 0;
    if (stop && wait->stopping >= p->grace)
        return fail_stopped(p, message, count);
    if (wait->waited > patience)
        return fail_after(p, wait->waited, message, count);
    rest(wait->waited);
    return NM_OK;
}

void nm_wait_end(nm_processes *p, const nm_wait *wait)
{
    p->longest = wait->waited > p->longest ? wait->waited : p->longest;
}

nm_status nm_messages_wait(nm_processes *p, nm_message *message, int count)
{
    nm_wait wait = {0};
    for (bool done;;) {
        NM_TRY(nm_messages_test(p, message, count, &done));
        if (done)
            break;
        NM_TRY(nm_wait_again(p, &wait, message, count));
    }
    nm_wait_end(p, &wait);
    return NM_OK;
}

void nm_wait_hook_add(nm_processes *p, nm_wait_hook *hook)
{
    hook->next = p->hook;
    p->hook = hook;
}

void nm_wait_hook_remove(nm_processes *p, nm_wait_hook *hook)
{
    nm_wait_hook **at = &p->hook;
    while (*at && *at != hook)
        at = &(*at)->next;
    if (*at)
        *at = hook->next;
}
