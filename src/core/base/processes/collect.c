/* What all processes do together and wait for, on messages from each to each: for blocks of unequal
 * sizes these are as few bytes as any other way, and who does not answer is known by name. */
#include "digest.h"
#include "group.h"

#include <stdio.h>
#include <string.h>

enum { CHUNK = 1 << 30 }; /* bytes of a message: MPI counts in int */

/* What of a block goes in the message that begins `from` bytes behind its head. */
static size_t chunk_of(size_t size, size_t from)
{
    size_t left = size > from ? size - from : 0;
    return left < CHUNK ? left : CHUNK;
}

static nm_status gather_chunks(nm_processes *p, char *data, const size_t *offset, size_t from)
{
    int messages = 0;
    size_t own = chunk_of(offset[p->rank + 1] - offset[p->rank], from);
    for (int d = 1; d < p->count; d++) {
        int peer = (p->rank + d) % p->count;
        size_t bytes = chunk_of(offset[peer + 1] - offset[peer], from);
        if (bytes)
            NM_TRY(
                nm_message_receive(p, data + offset[peer] + from, bytes, peer, NM_TAG_GATHER, &p->message[messages++]));
    }
    for (int d = 1; d < p->count && own; d++)
        NM_TRY(nm_message_send(p, data + offset[p->rank] + from, own, (p->rank + d) % p->count, NM_TAG_GATHER,
                               &p->message[messages++]));
    return nm_messages_wait(p, p->message, messages);
}

nm_status nm_processes_gather(nm_processes *p, void *data, const size_t *offset)
{
    if (!p)
        return NM_OK;
    size_t longest = 0;
    for (int r = 0; r < p->count; r++)
        longest = offset[r + 1] - offset[r] > longest ? offset[r + 1] - offset[r] : longest;
    for (size_t from = 0; from < longest; from += CHUNK)
        NM_TRY(gather_chunks(p, data, offset, from));
    return NM_OK;
}

nm_status nm_processes_broadcast(nm_processes *p, void *data, size_t bytes, int from)
{
    if (!p)
        return NM_OK;
    for (size_t at = 0; at < bytes; at += CHUNK) {
        char *chunk = (char *)data + at;
        size_t size = chunk_of(bytes, at);
        int messages = 0;
        if (p->rank != from)
            NM_TRY(nm_message_receive(p, chunk, size, from, NM_TAG_BROADCAST, &p->message[messages++]));
        for (int r = 0; r < p->count && p->rank == from; r++)
            if (r != from)
                NM_TRY(nm_message_send(p, chunk, size, r, NM_TAG_BROADCAST, &p->message[messages++]));
        NM_TRY(nm_messages_wait(p, p->message, messages));
    }
    return NM_OK;
}

nm_status nm_processes_agree(nm_processes *p, const char *what, const char *text)
{
    if (!p)
        return NM_OK;
    enum { TOLD = 200 };
    char *own = p->text[p->rank], digest[NM_DIGEST_SIZE];
    _Static_assert(TOLD + 1 + 32 < NM_AGREE_TEXT, "the beginning of a text and half of its digest fit");
    nm_digest(&(nm_bytes){text, strlen(text)}, 1, digest);
    memset(own, 0, NM_AGREE_TEXT);
    int told = snprintf(own, TOLD + 1, "%s", text);
    memcpy(own + (told < TOLD ? told : TOLD) + 1, digest, 32);
    for (int r = 0; r <= p->count; r++)
        p->offset[r] = (size_t)r * NM_AGREE_TEXT;
    NM_TRY(nm_processes_gather(p, p->text, p->offset));
    for (int r = 1; r < p->count; r++)
        if (memcmp(p->text[r], p->text[0], NM_AGREE_TEXT) != 0)
            return nm_fail(p->ctx, NM_FAILED, "%s: %s has '%s', %s has '%s'", what, p->name[r], p->text[r], p->name[0],
                           p->text[0]);
    return NM_OK;
}
