/* What a plug-in for MPI gives to norma: the calls of one MPI library, behind pointers. norma
 * itself is linked with no MPI; src/mpi is compiled once for each library that is there, and
 * processes.h loads the one that has started the process. Only the thread that called `start` may
 * call the others. Functions that return int return 0, or the library's error code. */
#ifndef NM_MPI_PLUGIN_H
#define NM_MPI_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changes with this struct: a plug-in of another version is not used. */
enum { NM_MPI_PLUGIN_VERSION = 1, NM_MPI_TEXT = 256 };

/* A send or receive under way; what it holds is the plug-in's. */
typedef uint64_t nm_mpi_request;

typedef struct nm_mpi_plugin {
    int version;      /* the first field in all versions */
    const char *name; /* of the library: "Open MPI" */
    int (*start)(int *rank, int *count);
    /* Both return at once. The memory must stay, and must not be written (by send) or touched (by
     * receive) until `test` has said that it is done. At most INT_MAX bytes, a tag of at most
     * 32767; what one process sends to another with one tag is received in that order. */
    int (*send)(const void *data, size_t bytes, int to, int tag, nm_mpi_request *request);
    int (*receive)(void *data, size_t bytes, int from, int tag, nm_mpi_request *request);
    /* *done: the request is complete, and gone. The library moves all data only within its calls.
     */
    int (*test)(nm_mpi_request *request, bool *done);
    void (*error_text)(int error, char text[NM_MPI_TEXT]);
    int (*finish)(void); /* waits for all other processes' */
} nm_mpi_plugin;

/* The name of the struct in the plug-in. */
#define NM_MPI_PLUGIN_SYMBOL "norma_mpi_plugin"

#endif
