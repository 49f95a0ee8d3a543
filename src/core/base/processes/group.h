/* The processes, as the files of this folder see them. */
#ifndef NM_GROUP_H
#define NM_GROUP_H

#include "messages.h"

enum { NM_PROCESS_NAME = 160, NM_AGREE_TEXT = 256 };

struct nm_processes {
    nm_context *ctx;
    const nm_mpi_plugin *mpi;
    int rank, count, on_host;
    int *host;                     /* [count]: the lowest rank on the same machine */
    char (*name)[NM_PROCESS_NAME]; /* [count] */
    char (*text)[NM_AGREE_TEXT];   /* [count]: what is compared */
    nm_message *message;           /* [2 count]: of the functions that wait for all */
    size_t *offset;                /* [count + 1] */
    nm_wait_hook *hook;            /* what is moved on in every wait */
    unsigned exchanges;            /* so many have had tags of their own */
    nm_traffic sent;
    const volatile int *stop;
    double grace;             /* seconds */
    double patience, longest; /* seconds; of the waits that have ended well */
    bool failed;
};

#endif
