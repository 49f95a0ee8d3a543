/* What bench/scaling --check needs of MPI: as a program it measures the link between two processes,
 * as a library (cc -shared, in LD_PRELOAD) it delays messages where the kernel cannot. A message is
 * taken for arrived LINK_DELAY seconds after MPI has it. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- delay --------------------------------------------------------------------------------- */

enum { MOST_RECEIVES = 4096 };

/* Receives under way, in no order. */
static struct receive {
    MPI_Request request;
    double arrived; /* 0: not yet */
} receives[MOST_RECEIVES];
static int under_way;

int MPI_Irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request)
{
    int error = PMPI_Irecv(data, count, type, from, tag, comm, request);
    if (error == MPI_SUCCESS && under_way < MOST_RECEIVES)
        receives[under_way++] = (struct receive){.request = *request};
    return error;
}

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
    const char *delay = getenv("LINK_DELAY");
    int k = 0;
    while (k < under_way && receives[k].request != *request)
        k++;
    if (k == under_way || !delay)
        return PMPI_Test(request, flag, status);
    int error = PMPI_Request_get_status(*request, flag, MPI_STATUS_IGNORE);
    if (error != MPI_SUCCESS || !*flag)
        return error;
    receives[k].arrived = receives[k].arrived > 0 ? receives[k].arrived : now();
    *flag = now() - receives[k].arrived >= atof(delay);
    if (!*flag)
        return MPI_SUCCESS;
    receives[k] = receives[--under_way];
    return PMPI_Test(request, flag, status);
}

/* ---- the link between processes 0 and 1 ----------------------------------------------------- */

enum { MOST_MESSAGES = 32, SMALL = 256, LARGE = 1 << 22, LARGE_MESSAGES = 2 };

/* Seconds in which each of the two hands the other so many messages, as norma does it. */
static double exchange(int rank, int messages, int bytes)
{
    static char sent[LARGE], received[LARGE_MESSAGES * LARGE];
    MPI_Request request[2 * MOST_MESSAGES];
    double start = now();
    for (int k = 0; k < messages; k++)
        MPI_Irecv(received + (size_t)k * (size_t)bytes, bytes, MPI_BYTE, 1 - rank, 1, MPI_COMM_WORLD, &request[k]);
    for (int k = 0; k < messages; k++)
        MPI_Isend(sent, bytes, MPI_BYTE, 1 - rank, 1, MPI_COMM_WORLD, &request[messages + k]);
    for (int left = 2 * messages; left;)
        for (int k = 0; k < 2 * messages; k++) {
            int done = 0;
            if (request[k] != MPI_REQUEST_NULL)
                MPI_Test(&request[k], &done, MPI_STATUS_IGNORE);
            left -= done;
        }
    return now() - start;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the faster rounds: in the others, one of the two was stopped by other work. */
static double usual(int rank, int messages, int bytes, int rounds)
{
    enum { MOST_ROUNDS = 1000 };
    double took[MOST_ROUNDS];
    for (int k = 0; k < rounds; k++)
        took[k] = exchange(rank, messages, bytes);
    qsort(took, (size_t)rounds, sizeof *took, ascending);
    return took[rounds / 4];
}

/* Prints seconds until a small message is there, those that each further one takes to be sent and
 * received, and bytes a second of large ones, both ways at once. */
int main(int argc, char **argv)
{
    int rank;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank < 2) {
        double one = usual(rank, 1, SMALL, 1000), many = usual(rank, MOST_MESSAGES, SMALL, 1000);
        double large = usual(rank, LARGE_MESSAGES, LARGE, 12);
        if (rank == 0)
            printf("%.9f %.9f %.0f\n", one, (many - one) / (MOST_MESSAGES - 1), LARGE_MESSAGES * LARGE / large);
    }
    MPI_Finalize();
    return 0;
}
