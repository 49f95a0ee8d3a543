/* HDF5 files of data. The HDF5 library reads them in a child: what is looked for is what the parent
 * makes of its answers. */
#include "fuzz_dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    return fuzz_dataset("hdf5", "x.h5", bytes, size);
}
