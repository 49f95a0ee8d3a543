/* The process that reads files of others: what it cannot do, and how its end is told. */
#include "alloc.h"
#include "h5/h5_cage.h"
#include "h5/h5_table.h"
#include "rng.h"
#include "run_suite.h"
#include "sanitized.h"
#include "small_table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY = 64 << 20 };
static nm_context *ctx;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- how it ends ------------------------------------------------------------------------ */

static void crash(void *arg, int socket, char *shared)
{
    (void)arg, (void)socket, (void)shared;
    abort(); /* as malloc does; the signal itself is refused */
}

static void hang(void *arg, int socket, char *shared)
{
    (void)arg, (void)socket, (void)shared;
    nm_cage_allow_time(0.05);
    for (volatile int i = 0;; i++)
        ;
}

static void stop(void *arg, int socket, char *shared)
{
    (void)arg, (void)shared;
    char byte;
    while (read(socket, &byte, 1) == 1)
        ;
}

static void promise_too_much(void *arg, int socket, char *shared)
{
    (void)arg, (void)shared;
    nm_cage_send(socket, &(nm_cage_answer){.status = NM_OK, .size = UINT64_MAX}, sizeof(nm_cage_answer));
    stop(arg, socket, shared);
}

static void fail_in_many_lines(void *arg, int socket, char *shared)
{
    (void)arg, (void)shared;
    nm_cage_send(socket, &(nm_cage_answer){.status = 77, .size = 6}, sizeof(nm_cage_answer));
    nm_cage_send(socket, "a\n\033[m%", 6);
    stop(arg, socket, shared);
}

static void fail_of_the_machine(void *arg, int socket, char *shared)
{
    nm_cage_send(socket, &(nm_cage_answer){.status = NM_FAILED, .size = 9}, sizeof(nm_cage_answer));
    nm_cage_send(socket, "no memory", 9);
    stop(arg, socket, shared);
}

static nm_status ask(nm_cage *cage, double patience)
{
    char *bytes;
    size_t size;
    nm_status status = nm_cage_ask(cage, NULL, 0, patience, 100, &bytes, &size);
    ck_assert_ptr_null(bytes);
    return status;
}

/* Of the machine, not of the file: 1, not 2. */
START_TEST(failures_of_the_machine)
{
    nm_cage cage;
    ctx = nm_context_new();
    ck_assert_int_eq(nm_cage_start(ctx, "x.h5", MEMORY, fail_of_the_machine, NULL, &cage), NM_OK);
    ck_assert_int_eq(ask(&cage, 60), NM_FAILED);
    ck_assert_str_eq(nm_error_message(ctx, 0), "no memory");
    nm_errors_clear(ctx);
    nm_cage_end(&cage);
    ck_assert_int_eq(ask(&cage, 60), NM_INVALID);
    ck_assert_str_eq(nm_error_message(ctx, 0), "x.h5: the process that read it has ended");
    nm_errors_clear(ctx);
    ck_assert_int_eq(nm_cage_start(ctx, "x.h5", MEMORY, stop, NULL, &cage), NM_OK);
    kill(cage.process, SIGKILL); /* as the system does when memory ends */
    ck_assert_int_eq(ask(&cage, 60), NM_FAILED);
    ck_assert_str_eq(nm_error_message(ctx, 0),
                     "x.h5: the process that reads it was killed: is there too little memory?");
    ck_assert(cage.process == 0 && wait(NULL) == -1);
    nm_context_free(ctx);
}
END_TEST

static void assert_ends(nm_cage_work *work, double patience, nm_status status, const char *words)
{
    nm_cage cage;
    char *bytes;
    size_t size;
    ck_assert_int_eq(nm_cage_start(ctx, "x.h5", MEMORY, work, NULL, &cage), NM_OK);
    double start = seconds();
    ck_assert_int_eq(nm_cage_ask(&cage, NULL, 0, patience, 100, &bytes, &size), status);
    ck_assert_ptr_null(bytes);
    ck_assert(SANITIZED || seconds() - start < 5);
    ck_assert_str_eq(nm_error_message(ctx, 0), words);
    nm_errors_clear(ctx);
    nm_cage_end(&cage);
    ck_assert(wait(NULL) == -1 && errno == ECHILD); /* nothing stays behind */
}

START_TEST(ends_are_told)
{
    ctx = nm_context_new();
    assert_ends(crash, 60, NM_INVALID, "x.h5: damaged: the HDF5 library crashed while reading it");
    assert_ends(hang, 60, NM_INVALID, "x.h5: damaged: the HDF5 library comes to no end while reading it");
    assert_ends(stop, 0.1, NM_FAILED,
                "x.h5: cannot be read: the process that reads it does not answer: is the machine too busy, or does "
                "another thread of this program hold a lock of the HDF5 library or of malloc?");
    assert_ends(promise_too_much, 60, NM_INVALID,
                "x.h5: damaged: the HDF5 library reads more from it than it can hold");
    assert_ends(fail_in_many_lines, 60, NM_INVALID, "a??[m%");
    nm_context_free(ctx);
}
END_TEST

/* Whoever ignores SIGCHLD has no children to wait for. */
START_TEST(ends_without_status)
{
    signal(SIGCHLD, SIG_IGN);
    ctx = nm_context_new();
    assert_ends(crash, 60, NM_INVALID, "x.h5: damaged: the HDF5 library crashed while reading it");
    nm_context_free(ctx);
}
END_TEST

/* Starting the process holds signals back; who asked for it gets them again. */
START_TEST(signals_come_as_before)
{
    sigset_t own, found;
    nm_cage cage;
    sigemptyset(&own);
    sigaddset(&own, SIGUSR1); /* held back by the program itself */
    pthread_sigmask(SIG_SETMASK, &own, NULL);
    ctx = nm_context_new();
    ck_assert_int_eq(nm_cage_start(ctx, "x.h5", MEMORY, stop, NULL, &cage), NM_OK);
    pthread_sigmask(SIG_SETMASK, NULL, &found);
    for (int s = 1; s < NSIG; s++)
        ck_assert_msg(sigismember(&found, s) == (s == SIGUSR1), "signal %d", s);
    nm_cage_end(&cage);
    nm_context_free(ctx);
}
END_TEST

/* ---- what it cannot do ------------------------------------------------------------------ */

enum { TRIES = 8 };
#ifdef NM_COVERAGE
enum { UNFILTERED = 1 }; /* what was covered is written by calls of the system */
#else
enum { UNFILTERED = SANITIZED }; /* the checker of addresses needs some */
#endif

static void try_all(void *arg, int sock, char *shared)
{
    int *open_before = arg, *can = (int *)shared;
    char byte;
    can[6] = read(*open_before, &byte, 1) == 1; /* a file of the parent's */
    can[7] = write(2, "", 0) == 0;
    can[0] = open("/etc/passwd", O_RDONLY) >= 0;
    can[1] = socket(AF_INET, SOCK_STREAM, 0) >= 0;
    can[2] = !UNFILTERED && fork() >= 0;
    can[3] = kill(getppid(), 0) == 0;
    can[4] = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
    can[5] = mmap(NULL, 2 * MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
    memcpy(shared + 4096, "numbers", 8);
    nm_cage_send(sock, &(nm_cage_answer){.status = NM_OK, .size = 2}, sizeof(nm_cage_answer));
    nm_cage_send(sock, "ok", 2);
}

START_TEST(nothing_but_reading)
{
    nm_cage cage;
    char *bytes;
    size_t size;
    int file = open("/etc/passwd", O_RDONLY);
    ctx = nm_context_new();
    ck_assert_int_eq(nm_cage_start(ctx, "x.h5", MEMORY, try_all, &file, &cage), NM_OK);
    nm_status status = nm_cage_ask(&cage, NULL, 0, 60, 100, &bytes, &size);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(ctx, 0));
    ck_assert(size == 2 && strcmp(bytes, "ok") == 0);
    for (int i = UNFILTERED ? 6 : 0; i < TRIES; i++)
        ck_assert_msg(!((int *)cage.shared)[i], "it can do what is number %d", i);
    ck_assert_str_eq(cage.shared + 4096, "numbers");
    nm_free(bytes);
    nm_cage_end(&cage);
    close(file);
    nm_context_free(ctx);
}
END_TEST

/* ---- what it says ----------------------------------------------------------------------- */

static void use_table(const nm_h5_table *t)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < t->entries; i++) {
        sum += strlen(t->pool + t->entry[i].path) + strlen(t->pool + t->entry[i].text);
        for (uint32_t n = 0; n < t->entry[i].notes; n++)
            sum += strlen(t->pool + t->note[t->entry[i].first_note + n].text);
        ck_assert(nm_h5_table_find(t, t->pool + t->entry[i].path) != NULL);
    }
    ck_assert(nm_h5_table_find(t, "/none of it") == NULL && sum < (size_t)1 << 40);
}

/* Each byte of the table as any other: it is refused, or can be used. */
START_TEST(tables_are_not_believed)
{
    char bytes[1024], changed[1024];
    size_t size = make_table(bytes);
    nm_h5_table t;
    int refused = 0;
    ctx = nm_context_new();
    ck_assert_int_eq(nm_h5_table_take(ctx, "x.h5", bytes, size, 536, &t), NM_OK);
    use_table(&t);
    nm_h5_table_free(&t);
    ck_assert_int_eq(nm_h5_table_take(ctx, "x.h5", bytes, size, 535, &t), NM_INVALID); /* its values end there */
    nm_h5_table_free(&t);
    nm_rng r = nm_rng_stream(1, "test", "table");
    for (int k = 0; k < 8 * (int)size; k++) {
        size_t length = k % 16 ? size : nm_rng_below(&r, (uint32_t)size);
        memcpy(changed, bytes, size);
        changed[k / 8] = (char)(changed[k / 8] ^ (1 << k % 8));
        nm_errors_clear(ctx);
        nm_status status = nm_h5_table_take(ctx, "x.h5", changed, length, 536, &t);
        ck_assert(status == NM_OK || status == NM_INVALID);
        if (status == NM_OK)
            use_table(&t);
        refused += status != NM_OK;
        nm_h5_table_free(&t);
    }
    ck_assert_int_gt(refused, (int)size);
    nm_context_free(ctx);
}
END_TEST

SUITE("h5_cage", ends_are_told, failures_of_the_machine, ends_without_status, signals_come_as_before,
      nothing_but_reading, tables_are_not_believed)
