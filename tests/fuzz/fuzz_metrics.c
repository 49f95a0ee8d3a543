/* metrics.csv, and the same bytes as watch.csv. */
#include "fuzz.h"
#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    nm_context *ctx = fuzz_context();
    table rows = {0};
    fuzz_file("metrics.csv", bytes, size);
    fuzz_judge(ctx, read_metrics(ctx, fuzz_file(NULL, NULL, 0), &rows));
    free_table(&rows);
    nm_context_free(ctx);
    return 0;
}
