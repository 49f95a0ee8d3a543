/* The archive of CIFAR-10. */
#include "alloc.h"
#include "fuzz.h"
#include "sources.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    nm_context *ctx = fuzz_context();
    nm_dataset *data = NULL;
    char spec[512] = "cifar10:";
    strncat(spec, fuzz_file("cifar-10-binary.tar.gz", bytes, size), sizeof spec - sizeof "cifar10:");
    fuzz_judge(ctx, nm_dataset_open(ctx, spec, NULL, &data));
    nm_dataset_free(data);
    nm_context_free(ctx);
    return 0;
}
