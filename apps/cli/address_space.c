/* Refuses a limit of address space (ulimit -v) or data (ulimit -d) that is too small for OpenBLAS.
 * While OpenBLAS is loaded, before main, it takes a buffer for each thread, and where there is no
 * memory for one it tries for ever. Functions in .preinit_array run before those of libraries. */
#include "norma/norma.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFER = 128 << 20, MOST = 1024 }; /* bytes of one of OpenBLAS's buffers, at most */

/* `environ` is not set yet. */
static int number_in(char **env, const char *name)
{
    size_t length = strlen(name);
    for (; *env; env++)
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
            return atoi(*env + length + 1);
    return 0;
}

/* As OpenBLAS counts them. */
static int count_threads(char **env)
{
    cpu_set_t set;
    int threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_CONF);
    static const char *const names[] = {"OMP_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS"};
    int asked = 0;
    for (int i = 0; i < 3; i++) {
        int number = number_in(env, names[i]);
        asked = number > 0 ? number : asked;
    }
    threads = asked && asked < threads ? asked : threads;
    return threads < 1 ? 1 : threads < MOST ? threads : MOST;
}

static void check_address_space(int argc, char **argv, char **env)
{
    (void)argc;
    (void)argv;
    void *probe[MOST + 1];
    int threads = count_threads(env), count = 0;
    while (count <= threads && (probe[count] = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                                    -1, 0)) != MAP_FAILED)
        count++;
    for (int i = 0; i < count; i++)
        munmap(probe[i], BUFFER);
    if (count > threads)
        return;
    char text[512];
    int length =
        snprintf(text, sizeof text,
                 "norma: the limit of address space or data (ulimit -v, ulimit -d) is too small: OpenBLAS needs "
                 "%d MiB for %d thread%s, and found %d MiB; raise the limit%s\n",
                 (threads + 1) * (BUFFER >> 20), threads, threads == 1 ? "" : "s", count * (BUFFER >> 20),
                 threads == 1 ? "" : ", or set OMP_NUM_THREADS=1");
    if (write(STDERR_FILENO, text, (size_t)length) < length)
        _exit(NM_FAILED);
    _exit(NM_FAILED);
}

typedef void first_function(int argc, char **argv, char **env);
__attribute__((section(".preinit_array"), used)) static first_function *const check = check_address_space;
