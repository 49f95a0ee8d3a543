/* The plug-in: all that norma needs of MPI. Compiled once for each library, for MPI's headers
 * differ from library to library: a request is a pointer in one and a number in the other. */
#include "mpi_plugin.h"

#include <mpi.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(MPI_Request) <= sizeof(nm_mpi_request), "a request of MPI fits into ours");

/* Errors are returned: a process that cannot be reached is told of in norma's words. */
static int start(int *rank, int *count)
{
    int level, error = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    if (error == MPI_SUCCESS)
        error = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (error == MPI_SUCCESS)
        error = MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN); /* of calls without a communicator */
    if (error == MPI_SUCCESS)
        error = MPI_Comm_rank(MPI_COMM_WORLD, rank);
    return error == MPI_SUCCESS ? MPI_Comm_size(MPI_COMM_WORLD, count) : error;
}

static void keep(nm_mpi_request *request, MPI_Request own)
{
    *request = 0;
    memcpy(request, &own, sizeof own);
}

static int send_bytes(const void *data, size_t bytes, int to, int tag, nm_mpi_request *request)
{
    MPI_Request own;
    int error = MPI_Isend(data, (int)bytes, MPI_BYTE, to, tag, MPI_COMM_WORLD, &own);
    if (error == MPI_SUCCESS)
        keep(request, own);
    return error;
}

static int receive_bytes(void *data, size_t bytes, int from, int tag, nm_mpi_request *request)
{
    MPI_Request own;
    int error = MPI_Irecv(data, (int)bytes, MPI_BYTE, from, tag, MPI_COMM_WORLD, &own);
    if (error == MPI_SUCCESS)
        keep(request, own);
    return error;
}

static int test_request(nm_mpi_request *request, bool *done)
{
    MPI_Request own;
    memcpy(&own, request, sizeof own);
    int flag = 0, error = MPI_Test(&own, &flag, MPI_STATUS_IGNORE);
    keep(request, own);
    *done = flag != 0;
    return error;
}

static void error_text(int error, char text[NM_MPI_TEXT])
{
    char whole[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (MPI_Error_string(error, whole, &length) != MPI_SUCCESS)
        length = 0;
    snprintf(text, NM_MPI_TEXT, "%.*s", length, whole);
}

static int finish(void)
{
    return MPI_Finalize();
}

extern const nm_mpi_plugin norma_mpi_plugin;
__attribute__((visibility("default"))) const nm_mpi_plugin norma_mpi_plugin = {
    .version = NM_MPI_PLUGIN_VERSION,
#ifdef OPEN_MPI
    .name = "Open MPI",
#else
    .name = "MPICH",
#endif
    .start = start,
    .send = send_bytes,
    .receive = receive_bytes,
    .test = test_request,
    .error_text = error_text,
    .finish = finish,
};
