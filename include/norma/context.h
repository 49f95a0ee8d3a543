/* norma: the context of all calls: status, messages, threads, log. Every other header includes it.
 *
 *     nm_context *ctx = nm_context_new();
 *     nm_context_set_threads(ctx, 2);
 *     if (nm_model_load(ctx, "mnist-cnn", &model) != NM_OK)
 *         for (int i = 0; i < nm_error_count(ctx); i++)
 *             fprintf(stderr, "%s\n", nm_error_message(ctx, i));
 *     nm_context_free(ctx);
 *
 * A function that can fail returns nm_status; the reasons are then in the context. A context, and
 * what was made with it, must not be used by two threads at once; different contexts may be.
 *
 * Before version 1.0 functions and structs may change with any release: what was compiled against
 * one version is to be compiled again for the next. Structs that begin with `size` are set by the
 * initialiser named beside them, NM_…_INIT, which fills it in: a library of a later version then
 * knows which fields the program was compiled with. */
#ifndef NORMA_CONTEXT_H
#define NORMA_CONTEXT_H

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
    NM_DIVERGED = 3, /* the loss became NaN or infinite, or a network gives such numbers */
} nm_status;

typedef struct nm_context nm_context;

/* NULL only when there is no memory. Free with nm_context_free. */
NM_API nm_context *nm_context_new(void);
NM_API void nm_context_free(nm_context *ctx);

/* The messages of the last call that failed (several where several errors were found), from 0. */
NM_API int nm_error_count(const nm_context *ctx);
NM_API const char *nm_error_message(const nm_context *ctx, int index);
NM_API void nm_errors_clear(nm_context *ctx);

/* Threads for whatever runs in this context; 0 (preset): the physical cores that the process may
 * use. No result depends on it. */
NM_API void nm_context_set_threads(nm_context *ctx, int threads);
NM_API int nm_context_threads(const nm_context *ctx);

/* Bytes that the content of one file of others may take once it is unpacked: of an image the
 * decoded pixels and what decoding needs beside them, of an IDX file or an archive all that is in
 * it. What takes more is refused before the memory is taken. 0: the preset, 256 MiB. */
NM_API void nm_context_set_max_memory(nm_context *ctx, size_t bytes);
NM_API size_t nm_context_max_memory(const nm_context *ctx);

/* Receives warnings and progress lines, without a newline. Preset: none. */
typedef void nm_log_function(void *arg, const char *line);
NM_API void nm_context_set_log(nm_context *ctx, nm_log_function *log, void *arg);

#ifdef __cplusplus
}
#endif

#endif
