/* The process that reads files of others: how it is started, asked and ended. */
#include "h5_cage.h"

#include "alloc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef NM_COVERAGE
void __gcov_dump(void);
#endif

/* ---- both sides ------------------------------------------------------------------------- */

bool nm_cage_send(int socket, const void *bytes, size_t size)
{
    const char *from = bytes;
    while (size > 0) {
        ssize_t sent = send(socket, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        from += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool nm_cage_receive(int socket, void *bytes, size_t size)
{
    char *to = bytes;
    while (size > 0) {
        ssize_t got = read(socket, to, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        size -= (size_t)got;
    }
    return true;
}

/* ---- the child -------------------------------------------------------------------------- */

/* Nothing of the parent's is open here but the socket, as 0. */
static void close_files(int socket)
{
    dup2(socket, 0);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 1u, ~0u, 0u) == 0)
        return;
#endif
    struct rlimit files;
    rlim_t last = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 65536 ? files.rlim_cur : 65536;
    for (int fd = 1; fd < (int)last; fd++)
        close(fd);
}

/* Handlers of the parent's are not for this process. Ctrl-C is the parent's business, who ends us.
 */
static void reset_signals(void)
{
    for (int s = 1; s < NSIG; s++)
        signal(s, s == SIGINT || s == SIGTERM || s == SIGHUP || s == SIGQUIT || s == SIGTSTP ? SIG_IGN : SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void be_child(int socket, char *shared, size_t memory, nm_cage_work *work, void *arg)
{
    reset_signals();
    close_files(socket);
    if (nm_cage_confine(memory))
        work(arg, 0, shared);
#ifdef NM_COVERAGE
    __gcov_dump();
#endif
    _exit(0);
}

/* ---- the parent ------------------------------------------------------------------------- */

/* Signals wait, so that no handler of the parent's runs in the child. */
static pid_t fork_quietly(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t process = fork();
    if (process != 0)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    return process;
}

nm_status nm_cage_start(nm_context *ctx, const char *name, size_t memory, nm_cage_work *work, void *arg, nm_cage *cage)
{
    int ends[2];
    *cage = (nm_cage){.ctx = ctx, .name = name, .socket = -1, .shared_size = memory};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return nm_fail(ctx, NM_FAILED, "%s: no socket to the process that reads it: %s", name, strerror(errno));
    void *shared = mmap(NULL, memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pid_t process = shared == MAP_FAILED ? -1 : fork_quietly();
    if (process == 0)
        be_child(ends[1], shared, memory, work, arg);
    int reason = errno;
    close(ends[1]);
    if (shared != MAP_FAILED)
        cage->shared = shared;
    cage->socket = ends[0];
    cage->process = process > 0 ? process : 0;
    if (process > 0)
        return NM_OK;
    nm_cage_end(cage);
    return nm_fail(ctx, NM_FAILED, "%s: no process to read it in: %s", name, strerror(reason));
}

/* The status it ended with; 0 where another has taken it. */
static int end_process(nm_cage *cage, bool kill_it)
{
    int status = 0;
    if (cage->process > 0) {
        if (kill_it)
            kill(cage->process, SIGKILL);
        while (waitpid(cage->process, &status, 0) < 0)
            if (errno != EINTR) {
                status = 0;
                break;
            }
    }
    cage->process = 0;
    return status;
}

static void close_socket(nm_cage *cage)
{
    if (cage->socket >= 0)
        close(cage->socket);
    cage->socket = -1;
}

void nm_cage_end(nm_cage *cage)
{
    bool kill_it = true;
#ifdef NM_COVERAGE
    kill_it = false; /* it ends by itself, and writes what was covered */
#endif
    close_socket(cage);
    end_process(cage, kill_it);
    if (cage->shared)
        munmap(cage->shared, cage->shared_size);
    cage->shared = NULL;
}

/* Nothing comes any more: the process has ended, or `reason` stands between it and us. */
static nm_status fail_exchange(nm_cage *cage, int reason)
{
    bool ended = reason == 0 || reason == EPIPE || reason == ECONNRESET;
    close_socket(cage); /* lest it waits for us while we wait for it */
    int status = ended ? end_process(cage, false) : 0, by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    nm_cage_end(cage);
    if (!ended)
        return nm_fail(cage->ctx, NM_FAILED, "%s: cannot be read: the process that reads it is not reached: %s",
                       cage->name, strerror(reason));
    if (by == SIGKILL)
        return nm_fail(cage->ctx, NM_FAILED, "%s: the process that reads it was killed: is there too little memory?",
                       cage->name);
    return nm_fail(cage->ctx, NM_INVALID,
                   by == SIGPROF || by == SIGXCPU ? "%s: damaged: the HDF5 library comes to no end while reading it"
                                                  : "%s: damaged: the HDF5 library crashed while reading it",
                   cage->name);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Until there is something to read, or its end. A file that keeps the HDF5 library busy for ever
 * ends the process long before, by the time of the processor that it may take. */
static nm_status await(nm_cage *cage, double until)
{
    for (;;) {
        struct pollfd p = {.fd = cage->socket, .events = POLLIN};
        double left = until - now();
        int ready = left > 0 ? poll(&p, 1, left < 1000 ? (int)(left * 1000) + 1 : 1000000) : 0;
        if (ready > 0)
            return NM_OK;
        if (ready < 0 && errno != EINTR)
            return fail_exchange(cage, errno);
        if (now() >= until)
            break;
    }
    nm_cage_end(cage);
    return nm_fail(cage->ctx, NM_FAILED,
                   "%s: cannot be read: the process that reads it does not answer: is the machine too busy, or does "
                   "another thread of this program hold a lock of the HDF5 library or of malloc?",
                   cage->name);
}

static nm_status take_bytes(nm_cage *cage, char *to, size_t size, double until)
{
    while (size > 0) {
        NM_TRY(await(cage, until));
        ssize_t got = read(cage->socket, to, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail_exchange(cage, got < 0 ? errno : 0);
        to += got;
        size -= (size_t)got;
    }
    return NM_OK;
}

/* The first message is the child's; it is a line of text, whatever it holds. */
static nm_status fail_told(nm_cage *cage, uint32_t status, char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return nm_fail(cage->ctx, status == NM_FAILED ? NM_FAILED : NM_INVALID, "%s", text);
}

nm_status nm_cage_request(nm_cage *cage, const void *request, size_t size)
{
    return nm_cage_send(cage->socket, request, size) ? NM_OK : fail_exchange(cage, errno);
}

nm_status nm_cage_ask(nm_cage *cage, const void *request, size_t request_size, double seconds, size_t most,
                      char **bytes, size_t *size)
{
    nm_cage_answer answer;
    double until = now() + seconds;
    *bytes = NULL;
    if (!cage->process)
        return nm_fail(cage->ctx, NM_INVALID, "%s: the process that read it has ended", cage->name);
    if (request)
        NM_TRY(nm_cage_request(cage, request, request_size));
    NM_TRY(take_bytes(cage, (char *)&answer, sizeof answer, until));
    if (answer.size > (answer.status == NM_OK ? most : 4096)) {
        nm_cage_end(cage);
        return nm_fail(cage->ctx, NM_INVALID, "%s: damaged: the HDF5 library reads more from it than it can hold",
                       cage->name);
    }
    *bytes = nm_alloc(cage->ctx, answer.size + 1, 1);
    nm_status status = *bytes ? take_bytes(cage, *bytes, answer.size, until) : NM_FAILED;
    *size = answer.size;
    if (status == NM_OK && answer.status != NM_OK)
        status = fail_told(cage, answer.status, *bytes);
    if (status != NM_OK) {
        nm_free(*bytes);
        *bytes = NULL;
    }
    return status;
}
