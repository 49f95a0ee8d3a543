/* Reading IDX files. */
#include "idx.h"

#include "alloc.h"
#include "packed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { UNSIGNED_BYTES = 8 };

static nm_status read_header(nm_packed *f, int rank, uint32_t *extent)
{
    unsigned char head[16];
    NM_TRY(nm_packed_read(f, head, 4, "", 4 + 4 * (size_t)rank));
    if (head[0] || head[1] || head[2] != UNSIGNED_BYTES || head[3] != rank)
        return nm_fail(f->ctx, NM_INVALID, "%s: not IDX %s: expected magic 0000%02x%02x, found %02x%02x%02x%02x%s",
                       f->path, rank == 3 ? "images" : "labels", UNSIGNED_BYTES, rank, head[0], head[1], head[2],
                       head[3], head[0] == '<' ? ": this is a page of a web site; fetch the file itself" : "");
    NM_TRY(nm_packed_read(f, head + 4, 4 * (size_t)rank, "", 4 + 4 * (size_t)rank));
    for (int i = 0; i < rank; i++) {
        const unsigned char *b = head + 4 + 4 * i;
        extent[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    return NM_OK;
}

static nm_status nothing_more(nm_packed *f)
{
    bool more;
    NM_TRY(nm_packed_more(f, &more));
    return more ? nm_fail(f->ctx, NM_INVALID, "%s: longer than its header says: expected %zu bytes of content", f->path,
                          f->done)
                : NM_OK;
}

/* ---- finding a file ------------------------------------------------------------------------ */

/* The kind of what is at `path`: S_IFREG, S_IFDIR …; 0: nothing. */
static mode_t kind_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_mode & S_IFMT : 0;
}

/* STEM, or with a dot before its "idx", as Kaggle has it. */
static char *other_spelling(nm_context *ctx, const char *stem)
{
    char *name = nm_strdup(ctx, stem), *at = name ? strstr(name, "-idx") : NULL;
    if (at)
        *at = '.';
    return name;
}

/* FOLDER/NAME or FOLDER/NAME.gz as a file; *path NULL: neither is there. */
static nm_status find_named(nm_context *ctx, const char *folder, const char *name, char **path)
{
    static const char *const ends[] = {"", ".gz"};
    *path = NULL;
    for (int i = 0; i < 2 && !*path; i++) {
        if (!(*path = nm_format(ctx, "%s/%s%s", folder, name, ends[i])))
            return NM_FAILED;
        if (kind_of(*path) == S_IFDIR || kind_of(*path) == 0) {
            nm_free(*path);
            *path = NULL;
        }
    }
    return NM_OK;
}

/* Likewise in FOLDER, or in a folder in it that is called as the file is: so do some archives
 * unpack. */
nm_status nm_idx_find(nm_context *ctx, const char *folder, const char *stem, char **path)
{
    *path = NULL;
    char *other = other_spelling(ctx, stem);
    const char *names[] = {stem, other};
    nm_status status = other ? NM_OK : NM_FAILED;
    for (int i = 0; i < 2 && status == NM_OK && !*path; i++)
        status = find_named(ctx, folder, names[i], path);
    for (int i = 0; i < 4 && status == NM_OK && !*path; i++) {
        char *inner = nm_format(ctx, "%s/%s", folder, names[i / 2]);
        status = inner ? find_named(ctx, inner, names[i % 2], path) : NM_FAILED;
        nm_free(inner);
    }
    nm_free(other);
    return status;
}

static nm_status open_stem(nm_context *ctx, const char *folder, const char *stem, char **path, nm_packed *f)
{
    *f = (nm_packed){0};
    NM_TRY(nm_idx_find(ctx, folder, stem, path));
    if (!*path)
        return nm_fail(ctx, NM_INVALID, "%s/%s(.gz): cannot open: %s", folder, stem, strerror(ENOENT));
    return nm_packed_open(ctx, *path, f);
}

/* ---- reading ------------------------------------------------------------------------------- */

static nm_status images(nm_packed *f, nm_samples *samples)
{
    nm_context *ctx = f->ctx;
    uint32_t extent[3];
    NM_TRY(read_header(f, 3, extent));
    if (extent[0] > 1u << 28 || extent[1] < 1 || extent[1] > 4096 || extent[2] < 1 || extent[2] > 4096)
        return nm_fail(ctx, NM_INVALID, "%s: its header says %u images of %ux%u: not believable", f->path, extent[0],
                       extent[1], extent[2]);
    samples->count = (int)extent[0];
    samples->shape = (nm_shape){(int)extent[1], (int)extent[2], 1};
    size_t size = (size_t)samples->count * nm_shape_size(samples->shape);
    NM_TRY(nm_packed_check_size(f, size + 16));
    samples->pixels = nm_alloc(ctx, size + 1, 1);
    if (!samples->pixels)
        return NM_FAILED;
    NM_TRY(nm_packed_read(f, samples->pixels, size, "", size + 16));
    return nothing_more(f);
}

static nm_status labels(nm_packed *f, nm_samples *samples)
{
    nm_context *ctx = f->ctx;
    uint32_t count = 0;
    NM_TRY(read_header(f, 1, &count));
    if (count != (uint32_t)samples->count)
        return nm_fail(ctx, NM_INVALID, "%s: expected %d labels, one for each image; its header says %u", f->path,
                       samples->count, count);
    NM_TRY(nm_packed_check_size(f, (size_t)count * (sizeof *samples->labels + 1)));
    samples->labels = nm_alloc(ctx, (size_t)count + 1, sizeof *samples->labels);
    uint8_t *bytes = nm_alloc(ctx, (size_t)count + 1, 1);
    nm_status status = samples->labels && bytes ? nm_packed_read(f, bytes, count, "", (size_t)count + 8) : NM_FAILED;
    for (uint32_t i = 0; status == NM_OK && i < count; i++)
        samples->labels[i] = bytes[i];
    nm_free(bytes);
    return status == NM_OK ? nothing_more(f) : status;
}

nm_status nm_idx_images(nm_context *ctx, const char *folder, const char *stem, nm_samples *samples)
{
    char *path = NULL;
    nm_packed f;
    nm_status status = open_stem(ctx, folder, stem, &path, &f);
    if (status == NM_OK)
        status = images(&f, samples);
    nm_packed_close(&f);
    nm_free(path);
    return status;
}

nm_status nm_idx_labels(nm_context *ctx, const char *folder, const char *stem, nm_samples *samples)
{
    char *path = NULL;
    nm_packed f;
    nm_status status = open_stem(ctx, folder, stem, &path, &f);
    if (status == NM_OK)
        status = labels(&f, samples);
    nm_packed_close(&f);
    nm_free(path);
    return status;
}

nm_status nm_idx_file(nm_context *ctx, const char *path, nm_samples *samples)
{
    nm_packed f;
    nm_status status = nm_packed_open(ctx, path, &f);
    if (status == NM_OK)
        status = images(&f, samples);
    nm_packed_close(&f);
    return status;
}
