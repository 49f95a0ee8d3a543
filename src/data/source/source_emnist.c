/* EMNIST (Cohen et al. 2017): letters and digits in six parts, each of four IDX files and a mapping
 * from labels to characters. Its images lie on their side: they are stored column by column, and
 * are turned here as one writes. */
#include "alloc.h"
#include "file.h"
#include "idx.h"
#include "sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where the mapping file is missing, the characters are known. */
typedef struct part {
    const char *name, *characters;
} part;

#define DIGITS "0123456789"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
static const part parts[] = {
    {"letters", CAPITALS},
    {"balanced", DIGITS CAPITALS "abdefghnqrt"},
    {"byclass", DIGITS CAPITALS "abcdefghijklmnopqrstuvwxyz"},
    {"bymerge", DIGITS CAPITALS "abdefghnqrt"},
    {"digits", DIGITS},
    {"mnist", DIGITS},
};
enum { PARTS = sizeof parts / sizeof *parts, MOST_NAME = 64 };

/* ---- which part ---------------------------------------------------------------------------- */

static nm_status find_part(nm_context *ctx, const char *path, int p, char **folder)
{
    char stem[MOST_NAME];
    snprintf(stem, sizeof stem, "emnist-%s-train-images-idx3-ubyte", parts[p].name);
    return nm_find_idx_folder(ctx, path, stem, folder);
}

/* The part that the end of a path names: "letters", "emnist-letters",
 * "emnist-letters-train-images-idx3-ubyte.gz"; -1: none. */
static int named_part(const char *end)
{
    if (strncmp(end, "emnist-", 7) == 0)
        end += 7;
    for (int p = 0; p < PARTS; p++) {
        size_t length = strlen(parts[p].name);
        if (strncmp(end, parts[p].name, length) == 0 && (!end[length] || end[length] == '-'))
            return p;
    }
    return -1;
}

/* The parts that are in `path`: how many, the last one and its folder, and their names for a
 * message. */
static nm_status list_parts(nm_context *ctx, const char *path, int *count, int *which, char **folder, char names[128])
{
    names[0] = '\0';
    for (int p = 0; p < PARTS; p++) {
        char *found;
        NM_TRY(find_part(ctx, path, p, &found));
        if (!found)
            continue;
        nm_free(*folder);
        *folder = found;
        *which = p;
        size_t used = strlen(names);
        snprintf(names + used, 128 - used, "%s%s", (*count)++ ? ", " : "", parts[p].name);
    }
    return NM_OK;
}

static nm_status choose(nm_context *ctx, const char *path, int *which, char **folder)
{
    char names[128];
    int count = 0;
    char *outer = nm_strdup(ctx, path), *slash = outer ? strrchr(outer, '/') : NULL;
    int named = outer ? named_part(slash ? slash + 1 : outer) : -1;
    *folder = NULL;
    nm_status status = outer ? NM_OK : NM_FAILED;
    if (slash)
        *slash = '\0';
    for (int i = 0; i < 2 && status == NM_OK && named >= 0 && !*folder; i++)
        status = find_part(ctx, i == 0 ? path : slash ? outer : ".", named, folder);
    *which = named;
    if (status == NM_OK && !*folder)
        status = list_parts(ctx, path, &count, which, folder, names);
    nm_free(outer);
    NM_TRY(status);
    if (count > 1)
        return nm_fail(ctx, NM_INVALID,
                       "%s: it has several parts of EMNIST: %s; expected one to be named: --data emnist:%s/%s", path,
                       names, path, parts[*which].name);
    if (*folder)
        return NM_OK;
    return nm_fail(
        ctx, NM_INVALID,
        "%s: expected the files of a part of EMNIST there (letters, balanced, byclass, bymerge, digits or mnist), "
        "such as emnist-letters-train-images-idx3-ubyte.gz",
        path);
}

/* ---- classes ------------------------------------------------------------------------------- */

/* Lines of a label, from 0 or 1 on, and the codes of its characters, the first of which is the
 * name: "1 65 97". `names` has *count characters; 0: there is no such file. */
static nm_status read_mapping(nm_context *ctx, const char *path, char names[MOST_NAME], int *count)
{
    char line[256];
    int first = 0, label, code;
    FILE *f = nm_file_stream(path);
    *count = 0;
    if (!f)
        return errno == ENOENT ? NM_OK : nm_fail(ctx, NM_FAILED, "%s: cannot open: %s", path, strerror(errno));
    nm_status status = NM_OK;
    while (status == NM_OK && fgets(line, sizeof line, f)) {
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        bool fits = sscanf(line, "%d %d", &label, &code) == 2 && *count < MOST_NAME && code > 32 && code < 127;
        if (fits && *count == 0)
            first = label == 1;
        if (fits && label == first + *count)
            names[(*count)++] = (char)code;
        else
            status = nm_fail(ctx, NM_INVALID, "%s: line %d: expected label %d and the code of its character", path,
                             *count + 1, first + *count);
    }
    fclose(f);
    return status;
}

static bool has_label(const nm_samples *s, int label)
{
    for (int i = 0; i < s->count; i++)
        if (s->labels[i] == label)
            return true;
    return false;
}

static nm_status emnist_name_classes(nm_context *ctx, const part *p, const char *folder, nm_dataset *out)
{
    char characters[MOST_NAME] = "", text[MOST_NAME][2] = {{0}};
    const char *names[MOST_NAME];
    int count;
    char *mapping = nm_format(ctx, "%s/emnist-%s-mapping.txt", folder, p->name);
    nm_status status = mapping ? read_mapping(ctx, mapping, characters, &count) : NM_FAILED;
    nm_free(mapping);
    NM_TRY(status);
    if (count == 0) {
        count = (int)strlen(p->characters);
        memcpy(characters, p->characters, (size_t)count);
    }
    /* letters count from 1, as they are published */
    int first = strcmp(p->name, "letters") == 0 && !has_label(&out->train, 0) && !has_label(&out->test, 0);
    for (int i = 0; i < out->train.count; i++)
        out->train.labels[i] -= first;
    for (int i = 0; i < out->test.count; i++)
        out->test.labels[i] -= first;
    for (int c = 0; c < count; c++) {
        text[c][0] = characters[c];
        names[c] = text[c];
    }
    return nm_dataset_set_classes(ctx, out, names, count);
}

/* ---- reading ------------------------------------------------------------------------------- */

static nm_status turn(nm_context *ctx, nm_samples *s)
{
    size_t h = (size_t)s->shape.h, w = (size_t)s->shape.w, size = h * w;
    uint8_t *one = nm_alloc(ctx, size, 1);
    if (!one)
        return NM_FAILED;
    for (int i = 0; i < s->count; i++) {
        uint8_t *image = s->pixels + (size_t)i * size;
        memcpy(one, image, size);
        for (size_t y = 0; y < w; y++)
            for (size_t x = 0; x < h; x++)
                image[y * h + x] = one[x * w + y];
    }
    s->shape = (nm_shape){(int)w, (int)h, 1};
    nm_free(one);
    return NM_OK;
}

static nm_status emnist_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    static const char *const ends[] = {"train-images-idx3", "train-labels-idx1", "test-images-idx3",
                                       "test-labels-idx1"};
    char stem[4][MOST_NAME], *folder = NULL;
    int which = -1;
    nm_status status = choose(ctx, path, &which, &folder);
    for (int i = 0; i < 4 && status == NM_OK; i++)
        snprintf(stem[i], MOST_NAME, "emnist-%s-%s-ubyte", parts[which].name, ends[i]);
    if (status == NM_OK)
        status = nm_open_idx_files(ctx, folder, &(nm_idx_files){stem[0], stem[1], stem[2], stem[3]}, out);
    if (status == NM_OK)
        status = turn(ctx, &out->train);
    if (status == NM_OK)
        status = turn(ctx, &out->test);
    if (status == NM_OK)
        status = emnist_name_classes(ctx, &parts[which], folder, out);
    if (status == NM_OK)
        nm_log(ctx, "%s: EMNIST %s, %d classes; images are turned as one writes", folder, parts[which].name,
               out->classes);
    nm_free(folder);
    return status;
}

extern const nm_source_type nm_source_emnist;
const nm_source_type nm_source_emnist = {
    .name = "emnist",
    .help = "handwritten letters and digits of 28x28, in six parts: emnist:FOLDER/letters, "
            "…/balanced, …/byclass, … (IDX files)",
    .part_in_path = true,
    .fetch = "gzip.zip from https://www.nist.gov/itl/products-and-services/emnist-dataset, unpacked",
    .open = emnist_open,
};
