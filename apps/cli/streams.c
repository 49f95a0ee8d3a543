/* The three standard streams, and the signals of those that cannot be written. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A descriptor that is closed would go to the first file that is opened: what is printed, and what
 * libraries and children of this process print, would be written into it. */
static void hold_descriptors(void)
{
    /* nothing can be written to this stdout: whoever closed it hears of what is lost */
    static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        if (open("/dev/null", modes[fd]) != fd) /* the lowest that is free: those below are open */
            _exit(NM_FAILED);
    }
}

static void on_failed_write(int number)
{
    (void)number;
}

/* So that writing fails, with EPIPE or EFBIG, and what it means is decided where it was written: a
 * file has its message and its old content stays, a log line is lost. By a handler, as programs
 * that this one starts get the preset back; where these signals are ignored they stay so. */
static void catch_failed_writes(void)
{
    static const int signals[] = {SIGPIPE, SIGXFSZ};
    struct sigaction action = {.sa_handler = on_failed_write, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 2; i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

/* However the program ends, argp's exit after --help too. Network file systems tell only at the end
 * that the disk is full. */
static void close_output(int status, void *arg)
{
    (void)arg;
    bool failed_before = ferror(stdout);
    errno = 0;
    bool fails_now = fclose(stdout) != 0;
    if (!failed_before && !fails_now)
        return;
    fprintf(stderr, "norma: standard output: cannot write: %s; what was printed is not complete\n",
            fails_now ? strerror(errno) : "it is full, or its reader has gone");
    if (status == 0)
        _exit(NM_FAILED);
}

void prepare_streams(void)
{
    hold_descriptors();
    catch_failed_writes();
    if (on_exit(close_output, NULL) != 0)
        exit(NM_FAILED);
}
