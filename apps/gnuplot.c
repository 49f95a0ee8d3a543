/* Running gnuplot. */
#include "gnuplot.h"

#include "alloc.h"
#include "file.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int gnuplot_run(const char *path, const char *text)
{
    int ends[2];
    if (pipe(ends) != 0)
        return 1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (path)
            execlp("gnuplot", "gnuplot", path, (char *)NULL);
        else
            execlp("gnuplot", "gnuplot", "-", (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    for (size_t sent = 0, size = text ? strlen(text) : 0; child > 0 && sent < size;) {
        ssize_t wrote = write(ends[1], text + sent, size - sent);
        if (wrote <= 0)
            break;
        sent += (size_t)wrote;
    }
    close(ends[1]);
    int state = 0;
    if (child < 0 || waitpid(child, &state, 0) < 0)
        return 1;
    return WIFEXITED(state) ? WEXITSTATUS(state) : 1;
}

nm_status gnuplot_status(nm_context *ctx, int result)
{
    if (result == 0)
        return NM_OK;
    if (result == 127)
        return nm_fail(ctx, NM_FAILED,
                       "gnuplot is not installed, so no picture was drawn: apt-get install gnuplot-nox");
    return nm_fail(ctx, NM_FAILED, "gnuplot ended with status %d", result);
}

void put_quoted(FILE *f, char quote, const char *text)
{
    fputc(quote, f);
    for (; *text; text++) {
        if (*text == quote)
            fputc(quote, f);
        fputc(*text, f);
    }
    fputc(quote, f);
}

nm_status plot_write(nm_context *ctx, const char *prefix, const char *ending, const char *text, size_t size)
{
    char *path = nm_format(ctx, "%s.%s", prefix, ending);
    nm_status status = path ? nm_file_replace(ctx, path, &(nm_piece){text, size}, 1) : NM_FAILED;
    nm_free(path);
    return status;
}

nm_status plot_draw(nm_context *ctx, const char *prefix, bool *drawn)
{
    *drawn = false;
    char *script = nm_format(ctx, "%s.gp", prefix);
    if (!script)
        return NM_FAILED;
    int result = gnuplot_run(script, NULL);
    nm_free(script);
    if (result == 127) {
        nm_log(ctx, "gnuplot is not installed (apt-get install gnuplot-nox); 'gnuplot %s.gp' will draw the pictures",
               prefix);
        return NM_OK;
    }
    NM_TRY(gnuplot_status(ctx, result));
    *drawn = true;
    return NM_OK;
}
