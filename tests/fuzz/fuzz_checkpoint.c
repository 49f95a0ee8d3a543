/* Checkpoints behind a right digest: what HDF5 and the reader make of it. */
#include "digest.h"
#include "fuzz.h"
#include "h5.h"
#include "train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nm_status open_all(nm_context *ctx, const char *path)
{
    nm_checkpoint *checkpoint;
    nm_network *net = NULL;
    NM_TRY(nm_checkpoint_open(ctx, path, &checkpoint));
    nm_status status = nm_checkpoint_network(ctx, checkpoint, &net);
    nm_network_free(net);
    nm_checkpoint_free(checkpoint);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    nm_context *ctx = fuzz_context();
    char digest[NM_DIGEST_SIZE];
    size_t body = size > NM_H5_USER_BLOCK ? size - NM_H5_USER_BLOCK : 0;
    char *file = calloc(1, NM_H5_USER_BLOCK + body + 1);
    if (!file)
        abort();
    if (body)
        memcpy(file + NM_H5_USER_BLOCK, bytes + NM_H5_USER_BLOCK, body);
    nm_digest(&(nm_bytes){file + NM_H5_USER_BLOCK, body}, 1, digest);
    snprintf(file, NM_H5_USER_BLOCK, "%sbytes %zu\nsha256 %s\n", NM_H5_MARK, body, digest);
    const char *path = fuzz_file("x.h5", (const uint8_t *)file, NM_H5_USER_BLOCK + body);
    fuzz_judge(ctx, open_all(ctx, path));
    free(file);
    nm_context_free(ctx);
    return 0;
}
