/* What the targets share. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[512];

static void remove_folder(void)
{
    if (*path)
        unlink(path);
    rmdir(folder);
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size)
{
    if (!*folder) {
        snprintf(folder, sizeof folder, "/tmp/norma-fuzz-XXXXXX");
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
