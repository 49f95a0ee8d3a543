/* SHA-256 through libmd. */
#include "digest.h"

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include <sha2.h>

static void write_digest(SHA2_CTX *state, char text[NM_DIGEST_SIZE])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256Final(digest, state);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

void nm_digest(const nm_bytes *blocks, int count, char text[NM_DIGEST_SIZE])
{
    SHA2_CTX state;
    SHA256Init(&state);
    for (int i = 0; i < count; i++)
        SHA256Update(&state, blocks[i].bytes, blocks[i].size);
    write_digest(&state, text);
}

bool nm_digest_file(int fd, uint64_t from, uint64_t size, char text[NM_DIGEST_SIZE])
{
    enum { AT_ONCE = 1 << 18 };
    uint8_t block[AT_ONCE];
    SHA2_CTX state;
    SHA256Init(&state);
    for (uint64_t end = from + size; from < end;) {
        ssize_t got = pread(fd, block, end - from < AT_ONCE ? end - from : AT_ONCE, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = 0;
        if (got <= 0)
            return false;
        SHA256Update(&state, block, (size_t)got);
        from += (uint64_t)got;
    }
    write_digest(&state, text);
    return true;
}
