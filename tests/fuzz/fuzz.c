/* What the targets share. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[512];

enum { MOST_MEMORY = 4 << 20 }; /* of what is unpacked: more of it shows nothing else, and takes a second */

nm_context *fuzz_context(void)
{
    nm_context *ctx = nm_context_new();
    if (!ctx)
        abort();
    nm_context_set_max_memory(ctx, MOST_MEMORY);
    return ctx;
}

static void remove_folder(void)
{
    if (*path)
        unlink(path);
    rmdir(folder);
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size)
{
    if (!*folder) {
        bool in_memory = access("/dev/shm", W_OK) == 0;
        snprintf(folder, sizeof folder, "%s/norma-fuzz-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
        if (!mkdtemp(folder))
            abort();
        atexit(remove_folder);
    }
    if (!name)
        return folder;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd) != 0)
        abort();
    return path;
}

void fuzz_judge(nm_context *ctx, nm_status status)
{
    if ((status == NM_OK) != (nm_error_count(ctx) == 0)) {
        fprintf(stderr, "status %d with %d messages: %s\n", (int)status, nm_error_count(ctx), nm_error_message(ctx, 0));
        abort();
    }
}
