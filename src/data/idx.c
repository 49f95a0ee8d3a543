/* Reading IDX files through zlib, which reads plain files too. */
#include "idx.h"

#include "alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { UNSIGNED_BYTES = 8, PATH_ROOM = 4096 };

static nm_status read_failed(nm_context *ctx, gzFile f, const char *path, size_t expected, size_t found)
{
    int code;
    const char *text = gzerror(f, &code);
    if (code != Z_OK && code != Z_BUF_ERROR)
        return nm_fail(ctx, code == Z_ERRNO ? NM_FAILED : NM_INVALID, "%s: cannot read: %s", path,
                       code == Z_ERRNO ? strerror(errno) : text);
    return nm_fail(ctx, NM_INVALID, "%s: cut short: expected %zu bytes of content, found %zu", path, expected, found);
}

/* Exactly `size` bytes, of which `before` came earlier. */
static nm_status read_exactly(nm_context *ctx, gzFile f, const char *path, void *to, size_t size, size_t before)
{
    size_t done = 0;
    while (done < size) {
        unsigned piece = size - done < 1u << 30 ? (unsigned)(size - done) : 1u << 30;
        int got = gzread(f, (char *)to + done, piece);
        if (got <= 0)
            return read_failed(ctx, f, path, before + size, before + done);
        done += (size_t)got;
    }
    return NM_OK;
}

static nm_status read_header(nm_context *ctx, gzFile f, const char *path, int rank, uint32_t *extent)
{
    unsigned char head[16];
    NM_TRY(read_exactly(ctx, f, path, head, 4, 0));
    if (head[0] || head[1] || head[2] != UNSIGNED_BYTES || head[3] != rank)
        return nm_fail(ctx, NM_INVALID, "%s: not IDX %s: expected magic 0000%02x%02x, found %02x%02x%02x%02x", path,
                       rank == 3 ? "images" : "labels", UNSIGNED_BYTES, rank, head[0], head[1], head[2], head[3]);
    NM_TRY(read_exactly(ctx, f, path, head + 4, 4 * (size_t)rank, 4));
    for (int i = 0; i < rank; i++) {
        const unsigned char *b = head + 4 + 4 * i;
        extent[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    return NM_OK;
}

static nm_status nothing_more(nm_context *ctx, gzFile f, const char *path, size_t size)
{
    char extra;
    int got = gzread(f, &extra, 1);
    if (got > 0)
        return nm_fail(ctx, NM_INVALID, "%s: longer than its header says: expected %zu bytes of content", path, size);
    int code; /* a gzipped file may end before its checksum: then the read of nothing is an error too */
    gzerror(f, &code);
    return got < 0 || code != Z_OK ? read_failed(ctx, f, path, size, size) : NM_OK;
}

/* FOLDER/STEM, or FOLDER/STEM.gz. */
static nm_status open_either(nm_context *ctx, const char *folder, const char *stem, char path[PATH_ROOM], gzFile *f)
{
    snprintf(path, PATH_ROOM, "%s/%s", folder, stem);
    if (access(path, F_OK) != 0)
        snprintf(path, PATH_ROOM, "%s/%s.gz", folder, stem);
    *f = gzopen(path, "rb");
    if (!*f)
        return nm_fail(ctx, errno == ENOENT ? NM_INVALID : NM_FAILED, "%s/%s(.gz): cannot open: %s", folder, stem,
                       strerror(errno));
    gzbuffer(*f, 1 << 17);
    return NM_OK;
}

static nm_status images(nm_context *ctx, gzFile f, const char *path, nm_samples *samples)
{
    uint32_t extent[3];
    NM_TRY(read_header(ctx, f, path, 3, extent));
    if (extent[0] > 1u << 28 || extent[1] < 1 || extent[1] > 4096 || extent[2] < 1 || extent[2] > 4096)
        return nm_fail(ctx, NM_INVALID, "%s: its header says %u images of %ux%u: not believable", path, extent[0],
                       extent[1], extent[2]);
    samples->count = (int)extent[0];
    samples->shape = (nm_shape){(int)extent[1], (int)extent[2], 1};
    size_t size = (size_t)samples->count * nm_shape_size(samples->shape);
    samples->pixels = nm_alloc(ctx, size + 1, 1);
    if (!samples->pixels)
        return NM_FAILED;
    NM_TRY(read_exactly(ctx, f, path, samples->pixels, size, 16));
    return nothing_more(ctx, f, path, size + 16);
}

static nm_status labels(nm_context *ctx, gzFile f, const char *path, nm_samples *samples)
{
    uint32_t count = 0;
    NM_TRY(read_header(ctx, f, path, 1, &count));
    if (count != (uint32_t)samples->count)
        return nm_fail(ctx, NM_INVALID, "%s: expected %d labels, one for each image; its header says %u", path,
                       samples->count, count);
    samples->labels = nm_alloc(ctx, (size_t)count + 1, sizeof *samples->labels);
    uint8_t *bytes = nm_alloc(ctx, (size_t)count + 1, 1);
    nm_status status = samples->labels && bytes ? read_exactly(ctx, f, path, bytes, count, 8) : NM_FAILED;
    for (uint32_t i = 0; status == NM_OK && i < count; i++)
        samples->labels[i] = bytes[i];
    nm_free(bytes);
    return status == NM_OK ? nothing_more(ctx, f, path, count + 8) : status;
}

nm_status nm_idx_images(nm_context *ctx, const char *folder, const char *stem, nm_samples *samples)
{
    char path[PATH_ROOM];
    gzFile f;
    NM_TRY(open_either(ctx, folder, stem, path, &f));
    nm_status status = images(ctx, f, path, samples);
    gzclose(f);
    return status;
}

nm_status nm_idx_labels(nm_context *ctx, const char *folder, const char *stem, nm_samples *samples)
{
    char path[PATH_ROOM];
    gzFile f;
    NM_TRY(open_either(ctx, folder, stem, path, &f));
    nm_status status = labels(ctx, f, path, samples);
    gzclose(f);
    return status;
}

nm_status nm_idx_file(nm_context *ctx, const char *path, nm_samples *samples)
{
    gzFile f = gzopen(path, "rb");
    if (!f)
        return nm_fail(ctx, errno == ENOENT ? NM_INVALID : NM_FAILED, "%s: cannot open: %s", path, strerror(errno));
    nm_status status = images(ctx, f, path, samples);
    gzclose(f);
    return status;
}
