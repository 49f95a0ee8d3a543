/* Messages from process to process, and waiting for them. Sends and receives only begin; what is
 * under way moves within calls of nm_messages_test. A wait is a loop of the caller's:
 *
 *     nm_wait wait = {0};
 *     for (bool done;;) {
 *         NM_TRY(nm_messages_test(p, message, count, &done));
 *         if (done)
 *             break;
 *         NM_TRY(nm_wait_again(p, &wait, message, count));
 *     }
 *     nm_wait_end(p, &wait);
 *
 * Everything fails as processes.h says. */
#ifndef NM_MESSAGES_H
#define NM_MESSAGES_H

#include "mpi_plugin.h"
#include "processes.h"

/* One that is under way. */
typedef struct nm_message {
    nm_mpi_request request;
    int peer; /* whom it goes to or comes from */
    bool pending;
} nm_message;

enum { NM_TAG_GATHER = 1, NM_TAG_BROADCAST = 2, NM_TAG_EXCHANGE = 16, NM_TAG_END = 32767 };

/* At most INT_MAX bytes. The memory stays as mpi_plugin.h says. */
nm_status nm_message_send(nm_processes *p, const void *data, size_t bytes, int to, int tag,
                          nm_message *message) NM_MUST_USE;
nm_status nm_message_receive(nm_processes *p, void *data, size_t bytes, int from, int tag,
                             nm_message *message) NM_MUST_USE;

/* *done: none of them is pending any more. */
nm_status nm_messages_test(nm_processes *p, nm_message *message, int count, bool *done) NM_MUST_USE;

typedef struct nm_wait {
    double last, waited, stopping; /* the time of the last turn; seconds: of all turns, of those since *stop */
    bool begun;
} nm_wait;

/* A turn of a loop that waits for the pending ones of these messages: moves on what else is under
 * way, rests a moment, and fails where it has been too long. */
nm_status nm_wait_again(nm_processes *p, nm_wait *wait, const nm_message *message, int count) NM_MUST_USE;
void nm_wait_end(nm_processes *p, const nm_wait *wait);

/* The loop above. */
nm_status nm_messages_wait(nm_processes *p, nm_message *message, int count) NM_MUST_USE;

/* What nm_wait_again moves on: other processes may wait for it before they send what is waited for
 * here. `advance` returns without waiting; its failures are found by the next call. */
typedef struct nm_wait_hook {
    void (*advance)(void *arg);
    void *arg;
    struct nm_wait_hook *next;
} nm_wait_hook;
void nm_wait_hook_add(nm_processes *p, nm_wait_hook *hook);
void nm_wait_hook_remove(nm_processes *p, nm_wait_hook *hook);

#endif
