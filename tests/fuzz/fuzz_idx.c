/* IDX files, plain and gzipped: as images and as labels. */
#include "alloc.h"
#include "fuzz.h"
#include "idx.h"

static void read_as(nm_status (*read)(nm_context *, const char *, nm_samples *), const char *path)
{
    nm_context *ctx = fuzz_context();
    nm_samples samples = {0};
    fuzz_judge(ctx, read(ctx, path, &samples));
    nm_free(samples.pixels);
    nm_free(samples.labels);
    nm_context_free(ctx);
}

static nm_status labels(nm_context *ctx, const char *path, nm_samples *samples)
{
    (void)path;
    samples->count = 3;
    samples->shape = (nm_shape){2, 2, 1};
    return nm_idx_labels(ctx, fuzz_file(NULL, NULL, 0), "x-idx", samples);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file("x-idx", bytes, size);
    read_as(nm_idx_file, path);
    read_as(labels, path);
    return 0;
}
