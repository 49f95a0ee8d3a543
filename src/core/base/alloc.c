/* Memory: zeroed, aligned, and able to fail on demand in tests. */
#include "alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64 };
/* Blocks above this come straight from the kernel as zero pages: nothing is written before the
 * thread that uses a page touches it (first touch decides the memory node). */
static const size_t large = (size_t)1 << 20;

static atomic_long made, fail_at;

void nm_alloc_fail_at(long k)
{
    atomic_store(&made, 0);
    atomic_store(&fail_at, k);
}

long nm_alloc_count(void)
{
    return atomic_load(&made);
}

static bool fails_now(void)
{
    long number = atomic_fetch_add(&made, 1) + 1, k = atomic_load(&fail_at);
    return k > 0 && number >= k;
}

/* A block starts with its size: [size | padding to ALIGNMENT | payload]. */
void *nm_alloc(nm_context *ctx, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        nm_fail(ctx, NM_FAILED, "out of memory: %zu x %zu bytes are more than can be addressed", count, size);
        return NULL;
    }
    size_t whole = ALIGNMENT + (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *block = NULL;
    if (!fails_now()) {
        if (whole >= large) {
            block = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (block == MAP_FAILED)
                block = NULL;
#ifdef MADV_HUGEPAGE
            else
                madvise(block, whole, MADV_HUGEPAGE);
#endif
        } else {
            block = aligned_alloc(ALIGNMENT, whole);
            if (block)
                memset(block, 0, whole);
        }
    }
    if (!block) {
        (void)nm_fail_memory(ctx, bytes);
        return NULL;
    }
    memcpy(block, &whole, sizeof whole);
    return block + ALIGNMENT;
}

void nm_free(void *payload)
{
    if (!payload)
        return;
    char *block = (char *)payload - ALIGNMENT;
    size_t whole;
    memcpy(&whole, block, sizeof whole);
    if (whole >= large)
        munmap(block, whole);
    else
        free(block);
}

char *nm_strdup(nm_context *ctx, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = nm_alloc(ctx, size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

char *nm_format(nm_context *ctx, const char *fmt, ...)
{
    char none[1]; /* measured first */
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(none, sizeof none, fmt, args);
    va_end(args);
    char *text = nm_alloc(ctx, (size_t)length + 1, 1);
    if (!text)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)length + 1, fmt, args);
    va_end(args);
    return text;
}
