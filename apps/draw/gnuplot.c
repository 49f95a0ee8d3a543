/* Running gnuplot. */
#include "gnuplot.h"

#include "escaped.h"
#include "fonts.h"

#include <norma/tools.h>

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* gnuplot's stdin is the other end of a pair of sockets: should it end early, sending fails and no
 * SIGPIPE ends norma. */
static void send_text(int to, const char *text)
{
    for (size_t sent = 0, size = text ? strlen(text) : 0; sent < size;) {
        ssize_t wrote = send(to, text + sent, size - sent, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            break;
        sent += (size_t)wrote;
    }
}

int gnuplot_run(const char *path, const char *text)
{
    int ends[2], state = 0;
    char *const words[] = {(char *)"gnuplot", (char *)"-d", (char *)(path ? path : "-"), NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return 1;
    fflush(NULL);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    int failed = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    if (!failed)
        send_text(ends[1], text);
    close(ends[1]);
    if (failed)
        return failed == ENOENT ? NO_GNUPLOT : 1;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(state) ? WEXITSTATUS(state) : 1;
}

nm_status gnuplot_status(nm_context *ctx, int result)
{
    if (result == 0)
        return NM_OK;
    if (result == NO_GNUPLOT)
        return nm_fail(ctx, NM_FAILED,
                       "gnuplot is not installed, so no picture was drawn: apt-get install gnuplot-nox");
    return nm_fail(ctx, NM_FAILED, "gnuplot ended with status %d", result);
}

const char *plain_path(const char *path)
{
    return *path == '/' ? "" : "./";
}

char *plot_path(nm_context *ctx, const char *fmt, ...)
{
    char *path = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&path, fmt, args) < 0) {
        nm_fail(ctx, NM_FAILED, "out of memory");
        path = NULL;
    }
    va_end(args);
    return path;
}

nm_status plot_write(nm_context *ctx, const char *prefix, const char *ending, const char *text, size_t size)
{
    char *path = plot_path(ctx, "%s.%s", prefix, ending);
    nm_status status = path ? nm_write_file(ctx, path, text, size) : NM_FAILED;
    free(path);
    return status;
}

/* What could not be drawn can be later; `missing` says what is needed. */
static nm_status draw_later(nm_context *ctx, const char *script, const char *missing)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,+=@%:";
    char *word = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&word, &size);
    if (!f)
        return nm_fail(ctx, NM_FAILED, "out of memory");
    if (script[strspn(script, plain)])
        put_shell_quoted(f, "", script);
    else
        fputs(script, f);
    fclose(f);
    nm_log(ctx, "%s; then this draws it: gnuplot %s", missing, word);
    free(word);
    return NM_OK;
}

nm_status plot_draw(nm_context *ctx, const char *prefix, bool *drawn)
{
    *drawn = false;
    char *script = plot_path(ctx, "%s%s.gp", plain_path(prefix), prefix);
    if (!script)
        return NM_FAILED;
    const char *missing = fonts_exist() ? NULL
                                        : "no font is installed, so no picture was drawn (apt-get install "
                                          "fonts-dejavu-core)";
    int result = missing ? 0 : gnuplot_run(script, NULL);
    if (result == NO_GNUPLOT)
        missing = "gnuplot is not installed, so no picture was drawn (apt-get install gnuplot-nox)";
    nm_status status = missing ? draw_later(ctx, script, missing) : NM_OK;
    free(script);
    if (missing)
        return status;
    NM_TRY(gnuplot_status(ctx, result));
    *drawn = true;
    fonts_report(ctx, prefix);
    return NM_OK;
}
