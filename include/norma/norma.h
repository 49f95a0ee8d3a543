/* norma: training convolutional networks on CPUs.
 *
 * Read this file from top to bottom and you know the library.
 *
 *     nm_context *ctx = nm_context_new();
 *     nm_network *net = NULL;
 *     if (nm_network_load(ctx, "mnist-cnn", &net) != NM_OK)
 *         fprintf(stderr, "%s\n", nm_error_message(ctx, 0));
 *
 * A function that can fail returns nm_status; the reasons are then in the context. Objects are freed by
 * the function named beside them, and NULL may be freed. An object must not be used by two threads at once;
 * different contexts may be. Nothing in the library prints or ends the process. */
#ifndef NORMA_H
#define NORMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NM_API __attribute__((visibility("default")))
#else
#define NM_API
#endif

#define NM_VERSION "0.1.0"
NM_API const char *nm_version(void);

/* ---- status and messages ---- */

/* The numbers are the program's exit statuses too. */
typedef enum nm_status {
    NM_OK = 0,
    NM_FAILED = 1,   /* failed at work: I/O, memory */
    NM_INVALID = 2,  /* wrong usage or wrong input file */
    NM_DIVERGED = 3, /* the loss became NaN or infinite */
} nm_status;

typedef struct nm_context nm_context;

/* NULL only when there is no memory. Free with nm_context_free. */
NM_API nm_context *nm_context_new(void);
NM_API void nm_context_free(nm_context *ctx);

/* The messages of the last call that failed (several where several errors were found), from 0. */
NM_API int nm_error_count(const nm_context *ctx);
NM_API const char *nm_error_message(const nm_context *ctx, int index);
NM_API void nm_errors_clear(nm_context *ctx);

/* Threads for whatever runs in this context; 0 (preset): the physical cores that the process may use. No result depends on it. */
NM_API void nm_context_set_threads(nm_context *ctx, int threads);
NM_API int nm_context_threads(const nm_context *ctx);

/* Receives warnings and progress lines, without a newline. Preset: none. */
typedef void nm_log_function(void *arg, const char *line);
NM_API void nm_context_set_log(nm_context *ctx, nm_log_function *log, void *arg);

#ifdef __cplusplus
}
#endif

#endif
