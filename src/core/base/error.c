/* The context: messages, threads, log, types. */
#include "error.h"

#include "alloc.h"
#include "cpus.h"
#include "printable.h"
#include "registry.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MESSAGES = 64, MESSAGE_SIZE = 2048 };

struct nm_context {
    int count;
    bool ran_out_of_memory; /* one of the messages says so */
    char *messages[MAX_MESSAGES];
    int threads;
    size_t max_memory;
    nm_log_function *log;
    void *log_arg;
    nm_type_list types[NM_TYPE_KINDS];
};

/* What is reported when there is no memory for the message itself. */
static char no_memory[] = "out of memory";

const char *nm_version(void)
{
    return NM_VERSION;
}

nm_context *nm_context_bare(void)
{
    return calloc(1, sizeof(nm_context));
}

void nm_context_free(nm_context *ctx)
{
    if (!ctx)
        return;
    nm_errors_clear(ctx);
    for (int kind = 0; kind < NM_TYPE_KINDS; kind++) {
        free(ctx->types[kind].names);
        free(ctx->types[kind].types);
    }
    free(ctx);
}

nm_type_list *nm_types(const nm_context *ctx, nm_type_kind kind)
{
    return (nm_type_list *)&ctx->types[kind];
}

int nm_error_count(const nm_context *ctx)
{
    return ctx->count;
}

const char *nm_error_message(const nm_context *ctx, int index)
{
    return index >= 0 && index < ctx->count ? ctx->messages[index] : "";
}

bool nm_errors_full(const nm_context *ctx)
{
    return ctx->count == MAX_MESSAGES;
}

void nm_errors_drop(nm_context *ctx, int first)
{
    for (int i = first; i < ctx->count; i++)
        if (ctx->messages[i] != no_memory)
            free(ctx->messages[i]);
    ctx->count = first < ctx->count ? first : ctx->count;
}

void nm_errors_clear(nm_context *ctx)
{
    nm_errors_drop(ctx, 0);
    ctx->ran_out_of_memory = false;
}

void nm_context_set_threads(nm_context *ctx, int threads)
{
    ctx->threads = threads;
}

int nm_context_threads(const nm_context *ctx)
{
    return ctx->threads > 0 ? ctx->threads : nm_threads_default();
}

void nm_context_set_max_memory(nm_context *ctx, size_t bytes)
{
    ctx->max_memory = bytes;
}

size_t nm_context_max_memory(const nm_context *ctx)
{
    return ctx->max_memory ? ctx->max_memory : (size_t)256 << 20;
}

void nm_context_set_log(nm_context *ctx, nm_log_function *log, void *arg)
{
    ctx->log = log;
    ctx->log_arg = arg;
}

/* One line, whatever the names and paths in it hold. */
static void write_message(char text[MESSAGE_SIZE], const char *fmt, va_list args)
{
    char raw[MESSAGE_SIZE];
    vsnprintf(raw, sizeof raw, fmt, args);
    nm_text_escape(text, MESSAGE_SIZE, raw);
}

void nm_log(nm_context *ctx, const char *fmt, ...)
{
    if (!ctx->log)
        return;
    char line[MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    write_message(line, fmt, args);
    va_end(args);
    ctx->log(ctx->log_arg, line);
}

nm_status nm_fail(nm_context *ctx, nm_status status, const char *fmt, ...)
{
    if (ctx->count == MAX_MESSAGES)
        return status;
    char text[MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    write_message(text, fmt, args);
    va_end(args);
    for (int i = 0; i < ctx->count; i++)
        if (strcmp(ctx->messages[i], text) == 0)
            return status; /* what several layers share is reported once */
    char *copy = strdup(text);
    ctx->messages[ctx->count++] = copy ? copy : no_memory;
    return status;
}

void nm_errors_place(nm_context *ctx, int first, const char *place)
{
    for (int i = first; i < ctx->count; i++) {
        char raw[MESSAGE_SIZE], text[MESSAGE_SIZE];
        snprintf(raw, sizeof raw, "%s: %s", place, ctx->messages[i]);
        nm_text_escape(text, sizeof text, raw);
        char *copy = strdup(text);
        if (!copy)
            continue; /* the message without its place */
        if (ctx->messages[i] != no_memory)
            free(ctx->messages[i]);
        ctx->messages[i] = copy;
    }
}

nm_status nm_fail_memory(nm_context *ctx, size_t bytes)
{
    ctx->ran_out_of_memory = true;
    return nm_fail(ctx, NM_FAILED, "out of memory: %zu bytes could not be had", bytes);
}

nm_status nm_failed_status(const nm_context *ctx)
{
    return ctx->ran_out_of_memory ? NM_FAILED : NM_INVALID;
}

/* Optimal string alignment (edits and swaps of neighbours). */
static int edit_distance(const char *a, const char *b)
{
    enum { MOST = 40 };
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > MOST || m > MOST)
        return MOST;
    int d[MOST + 1][MOST + 1];
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= m; j++) {
            int best = d[i - 1][j - 1] + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            bool swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swap && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

const char *nm_nearest(const char *word, const char *const *candidates, int count)
{
    const char *best = NULL;
    int least = 2 + (int)strlen(word) / 4;
    for (int i = 0; i < count; i++) {
        int distance = edit_distance(word, candidates[i]);
        if (distance < least) {
            least = distance;
            best = candidates[i];
        }
    }
    for (int i = 0; i < count && !best; i++) /* a beginning of it: softmax for softmax_ce */
        if (strlen(word) >= 3 && strncmp(word, candidates[i], strlen(word)) == 0)
            best = candidates[i];
    return best;
}

const char *nm_did_you_mean(char text[NM_HINT], const char *word, const char *const *candidates, int count)
{
    enum { MOST_LISTED = 24 };
    const char *near = nm_nearest(word, candidates, count);
    size_t used = 0;
    *text = '\0';
    if (near)
        snprintf(text, NM_HINT, " (did you mean '%s'?)", near);
    for (int i = 0; !near && i < count && count <= MOST_LISTED && used < NM_HINT; i++)
        used += (size_t)snprintf(text + used, NM_HINT - used, "%s%s", i ? ", " : "; known are ", candidates[i]);
    return text;
}
