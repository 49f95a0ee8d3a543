/* A process that is alone, plug-ins that are not there, and waiting, on an MPI that the test plays:
 * what other processes really do is in tests/mpi. */
#include "processes.h"

#include "clock.h"
#include "cpus.h"
#include "group.h"
#include "launch_variables.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- alone --------------------------------------------------------------------------------- */

START_TEST(alone)
{
    nm_processes *p;
    clear_launch_variables();
    ck_assert(nm_processes_start(ctx, &p) == NM_OK && p == NULL);
    ck_assert(nm_processes_rank(p) == 0 && nm_processes_count(p) == 1 && nm_processes_on_host(p) == 1);
    ck_assert_str_eq(nm_processes_name(p, 0), "process 0");
    int number = 7;
    size_t offset[] = {0, sizeof number};
    nm_processes_set_patience(p, 1);
    nm_processes_set_stop(p, &number, 0);
    ck_assert(nm_processes_agree(p, "text", "x") == NM_OK);
    ck_assert(nm_processes_gather(p, &number, offset) == NM_OK && number == 7);
    ck_assert(nm_processes_broadcast(p, &number, sizeof number, 0) == NM_OK && number == 7);
    ck_assert(nm_processes_traffic(p).bytes == 0);
    ck_assert(nm_processes_end(p) == NM_OK);
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1); /* mpirun -n 1 */
    setenv("NORMA_PLUGINS", "/nowhere", 1);
    ck_assert(nm_processes_start(ctx, &p) == NM_OK && p == NULL);
}
END_TEST

START_TEST(alone_it_is_bound_to_nothing)
{
    cpu_set_t before, after;
    nm_place place;
    int threads;
    unsetenv("NORMA_BIND");
    ck_assert(nm_cpus_allowed(&before));
    ck_assert(nm_processes_bind(ctx, NULL, &place, &threads) == NM_OK);
    ck_assert(nm_cpus_allowed(&after) && CPU_EQUAL(&before, &after) && CPU_EQUAL(&before, &place.cpus));
    ck_assert(place.sharing == 1 && !place.launched && threads == nm_threads_default());
    setenv("NORMA_BIND", "core", 1);
    ck_assert(nm_processes_bind(ctx, NULL, &place, &threads) == NM_INVALID);
    ck_assert_str_eq(nm_error_message(ctx, 0), "NORMA_BIND is 'core': it may be on or off");
}
END_TEST

static void check_no_plugin(const char *size, const char *words)
{
    nm_processes *p;
    nm_errors_clear(ctx);
    setenv("NORMA_PLUGINS", "/nowhere", 1);
    ck_assert(nm_processes_start(ctx, &p) == NM_INVALID && p == NULL);
    ck_assert_int_eq(nm_error_count(ctx), 1);
    ck_assert_msg(strstr(nm_error_message(ctx, 0), size) && strstr(nm_error_message(ctx, 0), words), "%s",
                  nm_error_message(ctx, 0));
}

START_TEST(no_plugin)
{
    nm_processes *p;
    clear_launch_variables();
    setenv("OMPI_COMM_WORLD_SIZE", "4", 1);
    check_no_plugin("4 processes", "install libopenmpi-dev");
    setenv("OMPI_COMM_WORLD_LOCAL_RANK", "1", 1); /* one of a machine tells */
    nm_errors_clear(ctx);
    ck_assert(nm_processes_start(ctx, &p) == NM_INVALID && nm_error_count(ctx) == 0);
    clear_launch_variables();
    setenv("PMI_SIZE", "3", 1);
    setenv("MPI_LOCALRANKID", "0", 1);
    check_no_plugin("3 processes", "install libmpich-dev");
    clear_launch_variables();
    setenv("SLURM_STEP_NUM_TASKS", "5", 1);
    check_no_plugin("5 processes", "srun --mpi=pmix");
}
END_TEST

/* ---- an MPI that the test plays ------------------------------------------------------------ */

static const double never = 1e9;
static double delay;   /* seconds until a receive is complete */
static int send_error; /* what sends return */
static struct {
    void *data;
    const void *answer;
    size_t size;
    double begun;
} received[8]; /* by the peer */

static int play_send(const void *data, size_t bytes, int to, int tag, nm_mpi_request *request)
{
    (void)data, (void)bytes, (void)to, (void)tag;
    *request = 0;
    return send_error;
}

static int play_receive(void *data, size_t bytes, int from, int tag, nm_mpi_request *request)
{
    (void)tag;
    received[from].data = data;
    received[from].size = bytes;
    received[from].begun = nm_clock();
    *request = (nm_mpi_request)from;
    return 0;
}

static int play_test(nm_mpi_request *request, bool *done)
{
    *done = *request == 0 || nm_clock() >= received[*request].begun + delay;
    if (*done && *request && received[*request].answer)
        memcpy(received[*request].data, received[*request].answer, received[*request].size);
    return 0;
}

static void play_text(int error, char text[NM_MPI_TEXT])
{
    snprintf(text, NM_MPI_TEXT, "error %d", error);
}

/* Process 0 of three. */
static nm_processes *play(void)
{
    static const nm_mpi_plugin plugin = {
        .name = "MPI", .send = play_send, .receive = play_receive, .test = play_test, .error_text = play_text};
    static char name[3][NM_PROCESS_NAME] = {"process 0", "process 1 on host a", "process 2 on host b"};
    static char text[3][NM_AGREE_TEXT];
    static nm_message message[6];
    static size_t offset[4];
    static nm_processes p;
    memset(text, 0, sizeof text);
    memset(message, 0, sizeof message);
    p = (nm_processes){.ctx = ctx,
                       .mpi = &plugin,
                       .count = 3,
                       .name = name,
                       .text = text,
                       .message = message,
                       .offset = offset,
                       .patience = 45};
    delay = 0;
    send_error = 0;
    return &p;
}

static const char *message_of_last(void)
{
    return nm_error_message(ctx, nm_error_count(ctx) - 1);
}

/* A text as it is sent. */
static void pack(nm_processes *p, const char *text, char packed[NM_AGREE_TEXT])
{
    received[1].answer = received[2].answer = NULL;
    nm_status status = nm_processes_agree(p, "settings", text); /* with whatever the others sent before */
    (void)status;
    memcpy(packed, p->text[0], NM_AGREE_TEXT);
    nm_errors_clear(ctx);
}

/* Process 2 has what process 0 has; process 1 has `answer`. */
static nm_status agree_with(nm_processes *p, const char *text, const char *answer)
{
    char own[NM_AGREE_TEXT], theirs[NM_AGREE_TEXT];
    pack(p, text, own);
    pack(p, answer, theirs);
    received[1].answer = theirs;
    received[2].answer = own;
    nm_status status = nm_processes_agree(p, "settings", text);
    received[1].answer = received[2].answer = NULL;
    return status;
}

START_TEST(who_differs)
{
    nm_processes *p = play();
    ck_assert(agree_with(p, "batch 64", "batch 64") == NM_OK);
    ck_assert(agree_with(p, "batch 64", "batch 65") == NM_FAILED);
    ck_assert_str_eq(message_of_last(), "settings: process 1 on host a has 'batch 65', process 0 has 'batch 64'");
    char text[3000], other[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    strcpy(other, text);
    ck_assert(agree_with(p, text, other) == NM_OK);
    other[sizeof other - 2] = 'y'; /* what is not told is compared all the same */
    ck_assert(agree_with(p, text, other) == NM_FAILED);
    ck_assert(nm_processes_traffic(p).messages > 0);
}
END_TEST

/* Waits that end, and what the patience becomes. */
START_TEST(patience_grows)
{
    nm_processes *p = play();
    int number[3] = {0};
    size_t offset[] = {0, 4, 8, 12};
    delay = 0.1;
    ck_assert(nm_processes_gather(p, number, offset) == NM_OK);
    ck_assert(p->longest > 0.05 && p->longest < 5);
    p->patience = 0.01; /* but ten times the longest wait is allowed */
    ck_assert(nm_processes_gather(p, number, offset) == NM_OK);
    nm_processes_set_patience(p, 0.01);
    ck_assert(nm_processes_gather(p, number, offset) == NM_FAILED);
}
END_TEST

static double seconds_until_failure(nm_processes *p)
{
    int number[3] = {0};
    size_t offset[] = {0, 4, 8, 12};
    delay = never;
    nm_errors_clear(ctx);
    double begun = nm_clock();
    ck_assert(nm_processes_gather(p, number, offset) == NM_FAILED);
    double seconds = nm_clock() - begun;
    ck_assert(nm_processes_gather(p, number, offset) == NM_FAILED); /* at once, without a second message */
    ck_assert(nm_processes_agree(p, "x", "x") == NM_FAILED);
    ck_assert_int_eq(nm_error_count(ctx), 1);
    return seconds;
}

START_TEST(nothing_comes)
{
    nm_processes *p = play();
    nm_processes_set_patience(p, 0.3);
    double seconds = seconds_until_failure(p);
    ck_assert_msg(seconds > 0.29 && seconds < 5, "%g", seconds);
    ck_assert_str_eq(message_of_last(),
                     "process 1 on host a, process 2 on host b have not answered for 0 s: they died or hang. The last "
                     "checkpoint is whole: start all processes again with --resume");
}
END_TEST

START_TEST(a_signal_stops)
{
    nm_processes *p = play();
    volatile int stop = 0;
    nm_processes_set_stop(p, &stop, 0);
    ck_assert(nm_processes_broadcast(p, NULL, 0, 0) == NM_OK);
    stop = 1;
    ck_assert(seconds_until_failure(p) < 5);
    ck_assert(strstr(message_of_last(), "stopped by a signal while waiting for process 1 on host a, process 2"));
    p = play();
    nm_processes_set_stop(p, &stop, 0.3);
    double seconds = seconds_until_failure(p);
    ck_assert_msg(seconds > 0.29 && seconds < 5, "%g", seconds);
}
END_TEST

START_TEST(mpi_fails)
{
    nm_processes *p = play();
    send_error = 17;
    seconds_until_failure(p);
    ck_assert_msg(strstr(message_of_last(), "process 1 on host a cannot be reached (MPI: error 17)"), "%s",
                  message_of_last());
}
END_TEST

static int advanced;
static void count_advance(void *arg)
{
    advanced += arg == &advanced;
}

/* What is under way is moved on in every wait, until it is taken out. */
START_TEST(progress_in_waits)
{
    nm_processes *p = play();
    int number[3] = {0};
    size_t offset[] = {0, 4, 8, 12};
    nm_wait_hook first = {count_advance, &advanced, NULL}, second = first;
    nm_wait_hook_add(p, &first);
    nm_wait_hook_add(p, &second);
    delay = 0.01;
    ck_assert(nm_processes_gather(p, number, offset) == NM_OK);
    ck_assert_int_ge(advanced, 4);
    nm_wait_hook_remove(p, &first);
    nm_wait_hook_remove(p, &second);
    advanced = 0;
    delay = 0.01;
    ck_assert(nm_processes_gather(p, number, offset) == NM_OK);
    ck_assert_int_eq(advanced, 0);
}
END_TEST

static void sleep_long(void *arg)
{
    (void)arg;
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
}

/* A process that was stopped for a while does not blame the others for it. */
START_TEST(time_in_which_it_did_not_run)
{
    nm_processes *p = play();
    int number[3] = {0};
    size_t offset[] = {0, 4, 8, 12};
    nm_wait_hook hook = {sleep_long, NULL, NULL};
    nm_wait_hook_add(p, &hook);
    nm_processes_set_patience(p, 0.6);
    delay = 1;
    ck_assert(nm_processes_gather(p, number, offset) == NM_OK);
}
END_TEST

SUITE_WITH("processes", with_context, alone, alone_it_is_bound_to_nothing, no_plugin, who_differs, patience_grows,
           nothing_comes, a_signal_stops, mpi_fails, progress_in_waits, time_in_which_it_did_not_run)
