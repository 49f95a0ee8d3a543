/* CIFAR-10 and CIFAR-100 (Krizhevsky 2009), binary version: records of a label (CIFAR-100: coarse,
 * then fine label) and 3072 bytes, red, green and blue planes of 32x32. A folder with the .bin
 * files (or with the folder or archive that holds them), or the .tar.gz itself, which is read in
 * place. */
#include "alloc.h"
#include "cifar_classes.h"
#include "packed.h"
#include "sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, TAR_BLOCK = 512, MOST_FILES = 6 };

typedef struct variant {
    const char *name, *folder, *archive;                      /* as they unpack, as they are fetched */
    const char *python_folder, *python_archive, *python_file; /* of the other version, which is refused */
    int label_bytes, label_at;                                /* bytes of labels in a record, which of them */
    int classes, files;                                       /* the last file is the test split */
    const char *file[MOST_FILES];
    int samples[MOST_FILES];
    const char *const *class_names;
} variant;

static const variant cifar10 = {.name = "cifar10",
                                .folder = "cifar-10-batches-bin",
                                .archive = "cifar-10-binary.tar.gz",
                                .python_folder = "cifar-10-batches-py",
                                .python_archive = "cifar-10-python.tar.gz",
                                .python_file = "data_batch_1",
                                .label_bytes = 1,
                                .classes = 10,
                                .files = 6,
                                .file = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                                         "data_batch_5.bin", "test_batch.bin"},
                                .samples = {10000, 10000, 10000, 10000, 10000, 10000},
                                .class_names = nm_cifar10_classes};

#define CIFAR100                                                                                                       \
    .name = "cifar100", .folder = "cifar-100-binary", .archive = "cifar-100-binary.tar.gz",                            \
    .python_folder = "cifar-100-python", .python_archive = "cifar-100-python.tar.gz", .python_file = "train",          \
    .label_bytes = 2, .files = 2, .file = {"train.bin", "test.bin"}, .samples = {50000, 10000}
static const variant cifar100 = {CIFAR100, .label_at = 1, .classes = 100, .class_names = nm_cifar100_classes};
static const variant cifar100_coarse = {CIFAR100, .label_at = 0, .classes = 20,
                                        .class_names = nm_cifar100_coarse_classes};

/* Where the next record goes. */
typedef struct reader {
    nm_context *ctx;
    const variant *v;
    nm_dataset *out;
    bool seen[MOST_FILES];
} reader;

static size_t file_size(const variant *v, int index)
{
    return (size_t)v->samples[index] * (size_t)(v->label_bytes + PIXELS);
}

static nm_status refuse_python(const reader *r, const char *path)
{
    return nm_fail(
        r->ctx, NM_INVALID,
        "%s: the Python version of CIFAR (pickled); expected the binary version, %s: datasets/fetch-%s gets it", path,
        r->v->archive, r->v->name);
}

/* One file's records from the stream's present place. */
static nm_status read_records(reader *r, nm_packed *f, int index)
{
    const variant *v = r->v;
    bool test = index == v->files - 1;
    nm_samples *samples = test ? &r->out->test : &r->out->train;
    int first = 0;
    for (int i = 0; !test && i < index; i++)
        first += v->samples[i];
    unsigned char bytes[2 + PIXELS];
    size_t end = f->done + file_size(v, index);
    for (int i = 0; i < v->samples[index]; i++) {
        NM_TRY(nm_packed_read(f, bytes, (size_t)(v->label_bytes + PIXELS), v->file[index], end));
        samples->labels[first + i] = bytes[v->label_at];
        uint8_t *to = samples->pixels + (size_t)(first + i) * PIXELS;
        const unsigned char *planes = bytes + v->label_bytes;
        for (int p = 0; p < PLANE; p++)
            for (int c = 0; c < 3; c++)
                *to++ = planes[c * PLANE + p];
    }
    r->seen[index] = true;
    return NM_OK;
}

/* ---- archives ------------------------------------------------------------------------------ */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static size_t octal(const unsigned char *text, int size)
{
    size_t value = 0;
    for (int i = 0; i < size && text[i]; i++)
        if (text[i] >= '0' && text[i] <= '7')
            value = value * 8 + (size_t)(text[i] - '0');
    return value;
}

/* Reads on to the end of the packed stream, where its checksum is. */
static nm_status finish(nm_packed *f)
{
    bool more = true;
    NM_TRY(nm_packed_more(f, &more));
    while (more) {
        NM_TRY(nm_packed_read(f, NULL, 1, "", 0));
        NM_TRY(nm_packed_more(f, &more));
    }
    return NM_OK;
}

/* Content of a member of `size` bytes, and what fills its last block. */
static nm_status read_member(reader *r, nm_packed *f, const char *name, size_t size)
{
    for (int i = 0; i < r->v->files; i++) {
        if (strcmp(base_name(name), r->v->file[i]) != 0 || r->seen[i])
            continue;
        if (size != file_size(r->v, i))
            return nm_fail(r->ctx, NM_INVALID, "%s: %s: expected %zu bytes, found %zu", f->path, name,
                           file_size(r->v, i), size);
        NM_TRY(read_records(r, f, i));
        return nm_packed_read(f, NULL, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK, "the archive", 0);
    }
    if (size > 0 && strcmp(base_name(name), r->v->python_file) == 0)
        return refuse_python(r, f->path);
    return nm_packed_read(f, NULL, (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK, "the archive", 0);
}

/* The archive's members one after another: a 512-byte header (name at 0, size in octal at 124),
 * then content. */
static nm_status read_members(reader *r, nm_packed *f)
{
    unsigned char head[TAR_BLOCK];
    for (;;) {
        bool more;
        NM_TRY(nm_packed_more(f, &more));
        if (!more)
            return NM_OK;
        NM_TRY(nm_packed_read(f, head, TAR_BLOCK, "the archive", 0));
        if (head[0] == 0)
            return finish(f);
        if (memcmp(head + 257, "ustar", 5) != 0)
            return nm_fail(r->ctx, NM_INVALID, "%s: not a tar archive: expected 'ustar' in the header", f->path);
        char name[101];
        memcpy(name, head, 100);
        bool is_file = head[156] == '0' || head[156] == '\0'; /* not a header of extended attributes, a link … */
        name[is_file ? 100 : 0] = '\0';
        NM_TRY(read_member(r, f, name, octal(head + 124, 12)));
    }
}

static nm_status read_archive(reader *r, const char *path)
{
    nm_packed f;
    nm_status status = nm_packed_open(r->ctx, path, &f);
    if (status == NM_OK)
        status = read_members(r, &f);
    nm_packed_close(&f);
    for (int i = 0; status == NM_OK && i < r->v->files; i++)
        if (!r->seen[i])
            status = nm_fail(r->ctx, NM_INVALID, "%s: the archive holds no %s", path, r->v->file[i]);
    return status;
}

/* ---- folders ------------------------------------------------------------------------------- */

static nm_status read_file(reader *r, const char *path, int index)
{
    struct stat info;
    size_t expected = file_size(r->v, index);
    if (stat(path, &info) != 0)
        return nm_fail(r->ctx, NM_INVALID, "%s: %s", path, strerror(errno));
    if ((size_t)info.st_size != expected)
        return nm_fail(r->ctx, NM_INVALID, "%s: expected %zu bytes (%d records), found %ld", path, expected,
                       r->v->samples[index], (long)info.st_size);
    nm_packed f;
    nm_status status = nm_packed_open(r->ctx, path, &f);
    if (status == NM_OK)
        status = read_records(r, &f, index);
    nm_packed_close(&f);
    return status;
}

/* FOLDER/INNER/NAME where that exists, else NULL in *path. An empty `inner` is FOLDER itself. */
static nm_status cifar_find(const reader *r, const char *folder, const char *inner, const char *name, char **path)
{
    struct stat info;
    *path = nm_format(r->ctx, "%s/%s%s%s", folder, inner, *inner ? "/" : "", name);
    if (!*path)
        return NM_FAILED;
    if (stat(*path, &info) != 0) {
        nm_free(*path);
        *path = NULL;
    }
    return NM_OK;
}

static nm_status cifar_read_files(reader *r, const char *folder, const char *inner)
{
    nm_status status = NM_OK;
    for (int i = 0; i < r->v->files && status == NM_OK; i++) {
        char *path = nm_format(r->ctx, "%s/%s%s%s", folder, inner, *inner ? "/" : "", r->v->file[i]);
        status = path ? read_file(r, path, i) : NM_FAILED;
        nm_free(path);
    }
    return status;
}

static nm_status read_folder(reader *r, const char *folder)
{
    const char *inner[] = {"", r->v->folder};
    const char *python[] = {r->v->python_archive, r->v->python_folder, r->v->python_file};
    char *path;
    for (int k = 0; k < 2; k++) {
        NM_TRY(cifar_find(r, folder, inner[k], r->v->file[0], &path));
        nm_free(path);
        if (path)
            return cifar_read_files(r, folder, inner[k]);
    }
    NM_TRY(cifar_find(r, folder, "", r->v->archive, &path));
    if (path) {
        nm_status status = read_archive(r, path);
        nm_free(path);
        return status;
    }
    for (int k = 0; k < 3; k++) {
        struct stat info;
        NM_TRY(cifar_find(r, folder, "", python[k], &path));
        bool is = path && stat(path, &info) == 0 && (k == 1 || S_ISREG(info.st_mode));
        nm_status status = is ? refuse_python(r, path) : NM_OK;
        nm_free(path);
        NM_TRY(status);
    }
    return nm_fail(r->ctx, NM_INVALID, "%s: expected %s there, or %s, or %s", folder, r->v->file[0], r->v->folder,
                   r->v->archive);
}

static nm_status open_variant(nm_context *ctx, const char *path, const variant *v, nm_dataset *out)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return nm_fail(ctx, NM_INVALID, "%s: %s", path, strerror(errno));
    int train = 0;
    for (int i = 0; i < v->files - 1; i++)
        train += v->samples[i];
    NM_TRY(nm_samples_make(ctx, &out->train, train, (nm_shape){SIDE, SIDE, 3}));
    NM_TRY(nm_samples_make(ctx, &out->test, v->samples[v->files - 1], (nm_shape){SIDE, SIDE, 3}));
    NM_TRY(nm_dataset_set_classes(ctx, out, v->class_names, v->classes));
    reader r = {.ctx = ctx, .v = v, .out = out};
    if (strcmp(base_name(path), v->python_file) == 0 && !S_ISDIR(info.st_mode))
        return refuse_python(&r, path);
    return S_ISDIR(info.st_mode) ? read_folder(&r, path) : read_archive(&r, path);
}

nm_status nm_open_cifar10(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    return open_variant(ctx, path, &cifar10, out);
}

nm_status nm_open_cifar100(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    return open_variant(ctx, path, &cifar100, out);
}

nm_status nm_open_cifar100_coarse(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    return open_variant(ctx, path, &cifar100_coarse, out);
}
