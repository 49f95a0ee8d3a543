/* SHA-256 through libmd. */
#include "digest.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <sha2.h>

void nm_digest(const nm_bytes *blocks, int count, char text[NM_DIGEST_SIZE])
{
    SHA2_CTX state;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256Init(&state);
    for (int i = 0; i < count; i++)
        SHA256Update(&state, blocks[i].bytes, blocks[i].size);
    SHA256Final(digest, &state);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}
