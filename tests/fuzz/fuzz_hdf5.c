/* HDF5 files of data. The HDF5 library reads them in a child: what is looked for is what the parent
 * makes of its answers. */
#include "alloc.h"
#include "fuzz.h"
#include "sources.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    nm_context *ctx = fuzz_context();
    nm_dataset *data = NULL;
    char spec[512] = "hdf5:";
    strncat(spec, fuzz_file("x.h5", bytes, size), sizeof spec - sizeof "hdf5:");
    fuzz_judge(ctx, nm_dataset_open(ctx, spec, NULL, &data));
    nm_dataset_free(data);
    nm_context_free(ctx);
    return 0;
}
