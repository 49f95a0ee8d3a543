/* Plain or gzipped files, through zlib. */
#include "packed.h"

#include "file.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

nm_status nm_packed_open(nm_context *ctx, const char *path, nm_packed *out)
{
    int fd;
    *out = (nm_packed){.ctx = ctx, .path = path};
    NM_TRY(nm_file_open(ctx, path, &fd));
    errno = 0;
    if (!(out->stream = gzdopen(fd, "rb"))) {
        nm_fail(ctx, NM_FAILED, "%s: cannot open: %s", path, errno ? strerror(errno) : "out of memory");
        close(fd);
        return NM_FAILED;
    }
    gzbuffer(out->stream, 1 << 17);
    return NM_OK;
}

void nm_packed_close(nm_packed *file)
{
    if (file->stream)
        gzclose(file->stream);
    file->stream = NULL;
}

/* The content ended, or what is there cannot be unpacked. */
static nm_status ended(const nm_packed *file, const char *what, size_t expected)
{
    int code;
    const char *text = gzerror(file->stream, &code), *reason = text;
    if (code == Z_ERRNO)
        return nm_fail(file->ctx, NM_FAILED, "%s: cannot read: %s", file->path, strerror(errno));
    if (strncmp(text, file->path, strlen(file->path)) == 0 && text[strlen(file->path)] == ':')
        reason = text + strlen(file->path) + 2; /* zlib has named the file already */
    if (code == Z_MEM_ERROR)
        return nm_fail(file->ctx, NM_FAILED, "%s: cannot read: %s", file->path, reason);
    if (code != Z_OK && code != Z_BUF_ERROR)
        return nm_fail(file->ctx, NM_INVALID, "%s: damaged after %zu bytes of content: %s", file->path, file->done,
                       reason);
    const char *packed = code == Z_BUF_ERROR ? " (the gzip file ends too early)" : "";
    if (expected && file->done >= expected)
        return nm_fail(file->ctx, NM_INVALID,
                       "%s: cut short: all %zu bytes of content are found, but the gzip file ends within the checksum "
                       "expected behind them",
                       file->path, expected);
    if (expected)
        return nm_fail(file->ctx, NM_INVALID, "%s: cut short%s%s: expected %zu bytes of content, found %zu%s",
                       file->path, *what ? " in " : "", what, expected, file->done, packed);
    return nm_fail(file->ctx, NM_INVALID, "%s: cut short%s%s after %zu bytes of content%s", file->path,
                   *what ? " in " : "", what, file->done, packed);
}

nm_status nm_packed_check_size(const nm_packed *file, size_t size)
{
    size_t most = nm_context_max_memory(file->ctx), mebibytes = (size + (1 << 20) - 1) >> 20;
    if (size <= most)
        return NM_OK;
    return nm_fail(file->ctx, NM_INVALID,
                   "%s: its content takes %zu MiB or more; expected at most %zu: is it what it says? --max-memory %zu "
                   "allows it",
                   file->path, mebibytes, most >> 20, mebibytes);
}

nm_status nm_packed_read(nm_packed *file, void *to, size_t size, const char *what, size_t expected)
{
    char passed_over[4096];
    NM_TRY(nm_packed_check_size(file, file->done + size));
    for (size_t done = 0; done < size;) {
        size_t most = to ? 1u << 30 : sizeof passed_over, left = size - done;
        int got = gzread(file->stream, to ? (char *)to + done : passed_over, (unsigned)(left < most ? left : most));
        if (got <= 0)
            return ended(file, what, expected);
        done += (size_t)got;
        file->done += (size_t)got;
    }
    return NM_OK;
}

/* A gzip file ends with the size of its content. Where it does not, other bytes follow, which zlib
 * passes over. */
static void report_rest(const nm_packed *file)
{
    FILE *f = nm_file_stream(file->path);
    unsigned char magic[2], b[4];
    bool gzip = f && fread(magic, 1, 2, f) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    if (gzip && fseek(f, -4, SEEK_END) == 0 && fread(b, 1, 4, f) == 4) {
        uint32_t size = (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
        if (size != (uint32_t)file->done)
            nm_log(file->ctx, "%s: more follows its gzip data; what is no gzip data itself is ignored", file->path);
    }
    if (f)
        fclose(f);
}

nm_status nm_packed_more(nm_packed *file, bool *more)
{
    gzFile stream = file->stream;
    int code, got = gzgetc(stream);
    *more = got >= 0;
    if (*more) {
        gzungetc(got, stream);
        return NM_OK;
    }
    gzerror(stream, &code); /* a gzip file may end before its checksum: the read of nothing is an error then */
    if (code != Z_OK)
        return ended(file, "", file->done);
    report_rest(file);
    return NM_OK;
}
