/* Whether a process is the one that had its number at some time. */
#include "process.h"

#include "run_suite.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

START_TEST(since_when)
{
    double now = (double)time(NULL);
    ck_assert(nm_process_lives_since((long)getpid(), now));
    ck_assert(nm_process_lives_since((long)getppid(), now));
    ck_assert(!nm_process_lives_since((long)getpid(), now - 3600)); /* the suite is younger */
    ck_assert(nm_process_lives_since(1, now) || getpid() == 1);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    ck_assert(nm_process_lives_since((long)child, now + 10));
    ck_assert(!nm_process_lives_since((long)child, now - 100));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert(!nm_process_lives_since((long)child, now));
}
END_TEST

SUITE("process", since_when)
