/* CIFAR-10 and CIFAR-100 (Krizhevsky 2009), binary version: records of a label (CIFAR-100: coarse, then fine label) and
 * 3072 bytes, red, green and blue planes of 32x32. A folder with the .bin files (or with the folder or archive that
 * holds them), or the .tar.gz itself, which is read in place. */
#include "alloc.h"
#include "sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, TAR_BLOCK = 512, PATH_ROOM = 4096, MOST_FILES = 6 };

typedef struct variant {
    const char *name, *folder, *archive; /* as they unpack, as they are fetched */
    int label_bytes, classes, files;     /* the last file is the test split */
    const char *file[MOST_FILES];
    int samples[MOST_FILES];
    const char *const *class_names;
} variant;

static const char *const classes10[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};

static const char *const classes100[] = {
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl",
    "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair",
    "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin",
    "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp",
    "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck",
    "pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television",
    "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf",
    "woman", "worm"};

static const variant cifar10 = {"cifar10",
                                "cifar-10-batches-bin",
                                "cifar-10-binary.tar.gz",
                                1,
                                10,
                                6,
                                {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                                 "data_batch_5.bin", "test_batch.bin"},
                                {10000, 10000, 10000, 10000, 10000, 10000},
                                classes10};
static const variant cifar100 = {
    "cifar100", "cifar-100-binary", "cifar-100-binary.tar.gz", 2, 100, 2,
    {"train.bin", "test.bin"}, {50000, 10000}, classes100};

/* Where the next record goes. */
typedef struct reader {
    nm_context *ctx;
    const variant *v;
    nm_dataset *out;
    bool seen[MOST_FILES];
} reader;

static nm_status too_short(reader *r, gzFile f, const char *where, const char *file, size_t expected, size_t found)
{
    int code;
    const char *text = gzerror(f, &code);
    if (code != Z_OK && code != Z_BUF_ERROR)
        return nm_fail(r->ctx, code == Z_ERRNO ? NM_FAILED : NM_INVALID, "%s: cannot read: %s", where,
                       code == Z_ERRNO ? strerror(errno) : text);
    return nm_fail(r->ctx, NM_INVALID, "%s: %s is cut short: expected %zu bytes, found %zu", where, file, expected,
                   found);
}

/* One file's records from the stream's present place. */
static nm_status read_records(reader *r, gzFile f, const char *where, int index)
{
    const variant *v = r->v;
    bool test = index == v->files - 1;
    nm_samples *samples = test ? &r->out->test : &r->out->train;
    int first = 0, record = v->label_bytes + PIXELS;
    for (int i = 0; !test && i < index; i++)
        first += v->samples[i];
    unsigned char bytes[2 + PIXELS];
    for (int i = 0; i < v->samples[index]; i++) {
        int got = gzread(f, bytes, (unsigned)record);
        if (got != record)
            return too_short(r, f, where, v->file[index], (size_t)v->samples[index] * (size_t)record,
                             (size_t)i * (size_t)record + (size_t)(got > 0 ? got : 0));
        samples->labels[first + i] = bytes[v->label_bytes - 1];
        uint8_t *to = samples->pixels + (size_t)(first + i) * PIXELS;
        const unsigned char *planes = bytes + v->label_bytes;
        for (int p = 0; p < PLANE; p++)
            for (int c = 0; c < 3; c++)
                *to++ = planes[c * PLANE + p];
    }
    r->seen[index] = true;
    return NM_OK;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static long octal(const unsigned char *text, int size)
{
    long value = 0;
    for (int i = 0; i < size && text[i]; i++)
        if (text[i] >= '0' && text[i] <= '7')
            value = value * 8 + text[i] - '0';
    return value;
}

static nm_status skip(reader *r, gzFile f, const char *path, long size)
{
    unsigned char block[TAR_BLOCK];
    for (; size > 0; size -= TAR_BLOCK)
        if (gzread(f, block, TAR_BLOCK) != TAR_BLOCK)
            return too_short(r, f, path, "the archive", (size_t)size, 0);
    return NM_OK;
}

/* Reads on to the end of the packed stream, where its checksum is. */
static nm_status finish(reader *r, gzFile f, const char *path)
{
    unsigned char block[TAR_BLOCK];
    int code, got;
    while ((got = gzread(f, block, TAR_BLOCK)) > 0)
        ;
    gzerror(f, &code);
    return got < 0 || code != Z_OK ? too_short(r, f, path, "the archive", TAR_BLOCK, 0) : NM_OK;
}

/* The archive's members one after another: a 512-byte header (name at 0, size in octal at 124), then content. */
static nm_status read_members(reader *r, gzFile f, const char *path)
{
    unsigned char head[TAR_BLOCK];
    for (;;) {
        int got = gzread(f, head, TAR_BLOCK);
        if (got == 0 || (got == TAR_BLOCK && head[0] == 0))
            return finish(r, f, path);
        if (got != TAR_BLOCK)
            return too_short(r, f, path, "the archive", TAR_BLOCK, (size_t)(got > 0 ? got : 0));
        if (memcmp(head + 257, "ustar", 5) != 0)
            return nm_fail(r->ctx, NM_INVALID, "%s: not a tar archive: expected 'ustar' in the header", path);
        char name[101];
        memcpy(name, head, 100);
        name[100] = '\0';
        long size = octal(head + 124, 12), used = 0;
        for (int i = 0; i < r->v->files; i++) {
            if (strcmp(base_name(name), r->v->file[i]) != 0 || r->seen[i])
                continue;
            used = (long)r->v->samples[i] * (r->v->label_bytes + PIXELS);
            if (size != used)
                return nm_fail(r->ctx, NM_INVALID, "%s: %s: expected %ld bytes, found %ld", path, name, used, size);
            NM_TRY(read_records(r, f, path, i));
            unsigned rest = (unsigned)((TAR_BLOCK - used % TAR_BLOCK) % TAR_BLOCK);
            if (rest && gzread(f, head, rest) != (int)rest)
                return too_short(r, f, path, "the archive", rest, 0);
            break;
        }
        if (!used)
            NM_TRY(skip(r, f, path, size));
    }
}

static nm_status read_file(reader *r, const char *path, int index)
{
    struct stat info;
    long expected = (long)r->v->samples[index] * (r->v->label_bytes + PIXELS);
    if (stat(path, &info) != 0)
        return nm_fail(r->ctx, NM_INVALID, "%s: %s", path, strerror(errno));
    if (info.st_size != expected)
        return nm_fail(r->ctx, NM_INVALID, "%s: expected %ld bytes (%d records), found %ld", path, expected,
                       r->v->samples[index], (long)info.st_size);
    gzFile f = gzopen(path, "rb");
    if (!f)
        return nm_fail(r->ctx, NM_FAILED, "%s: cannot open: %s", path, strerror(errno));
    gzbuffer(f, 1 << 17);
    nm_status status = read_records(r, f, path, index);
    gzclose(f);
    return status;
}

static nm_status read_archive(reader *r, const char *path)
{
    gzFile f = gzopen(path, "rb");
    if (!f)
        return nm_fail(r->ctx, NM_FAILED, "%s: cannot open: %s", path, strerror(errno));
    gzbuffer(f, 1 << 17);
    nm_status status = read_members(r, f, path);
    gzclose(f);
    for (int i = 0; status == NM_OK && i < r->v->files; i++)
        if (!r->seen[i])
            status = nm_fail(r->ctx, NM_INVALID, "%s: the archive holds no %s", path, r->v->file[i]);
    return status;
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static nm_status read_folder(reader *r, const char *folder)
{
    char path[PATH_ROOM];
    const char *inner[] = {"", r->v->folder};
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/%s/%s", folder, inner[k], r->v->file[0]);
        if (!exists(path))
            continue;
        for (int i = 0; i < r->v->files; i++) {
            snprintf(path, sizeof path, "%s/%s%s%s", folder, inner[k], *inner[k] ? "/" : "", r->v->file[i]);
            NM_TRY(read_file(r, path, i));
        }
        return NM_OK;
    }
    snprintf(path, sizeof path, "%s/%s", folder, r->v->archive);
    if (exists(path))
        return read_archive(r, path);
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
