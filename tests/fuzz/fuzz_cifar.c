/* The archive of CIFAR-10. */
#include "fuzz_dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    return fuzz_dataset("cifar10", "cifar-10-binary.tar.gz", bytes, size);
}
