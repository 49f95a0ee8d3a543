#include "image_folder.h"

#include "alloc.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- names --------------------------------------------------------------------------------- */

void nm_names_free(nm_names *names)
{
    for (int i = 0; i < names->count; i++)
        nm_free(names->name[i]);
    nm_free(names->name);
    *names = (nm_names){0};
}

nm_status nm_names_add(nm_context *ctx, nm_names *names, const char *name)
{
    if (names->count == names->capacity) {
        int capacity = names->capacity ? 2 * names->capacity : 64;
        char **more = nm_alloc(ctx, (size_t)capacity, sizeof *more);
        if (!more)
            return NM_FAILED;
        if (names->count)
            memcpy(more, names->name, (size_t)names->count * sizeof *more);
        nm_free(names->name);
        names->name = more;
        names->capacity = capacity;
    }
    if (!(names->name[names->count] = nm_strdup(ctx, name)))
        return NM_FAILED;
    names->count++;
    return NM_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_names(nm_names *names)
{
    if (names->count)
        qsort(names->name, (size_t)names->count, sizeof *names->name, by_name);
}

/* ---- a folder ------------------------------------------------------------------------------ */

static bool is_named_as_image(const char *name)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".gif"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot, ends[i]) == 0)
            return true;
    return false;
}

static bool is_left_behind(const char *name)
{
    return strncmp(name, "._", 2) == 0 || strcmp(name, ".DS_Store") == 0 || strcasecmp(name, "Thumbs.db") == 0 ||
           strcasecmp(name, "desktop.ini") == 0;
}

bool nm_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Puts an entry into the list where it belongs. */
static nm_status add_entry(nm_context *ctx, const char *path, const char *name, nm_image_folder *out)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_left_behind(name))
        return NM_OK;
    char *below = nm_format(ctx, "%s/%s", path, name);
    if (!below)
        return NM_FAILED;
    bool folder = nm_is_folder(below);
    nm_free(below);
    nm_names *to = &out->others;
    if (*name != '.' && folder)
        to = &out->folders;
    else if (*name != '.' && is_named_as_image(name))
        to = &out->images;
    return nm_names_add(ctx, to, name);
}

nm_status nm_image_folder_list(nm_context *ctx, const char *path, nm_image_folder *out)
{
    struct dirent *entry;
    DIR *d = opendir(path);
    *out = (nm_image_folder){0};
    if (!d)
        return nm_fail(ctx, errno == ENOENT || errno == ENOTDIR ? NM_INVALID : NM_FAILED, "%s: cannot be listed: %s",
                       path, strerror(errno));
    nm_status status = NM_OK;
    while (status == NM_OK && (entry = readdir(d)))
        status = add_entry(ctx, path, entry->d_name, out);
    closedir(d);
    sort_names(&out->images);
    sort_names(&out->folders);
    sort_names(&out->others);
    if (status != NM_OK)
        nm_image_folder_free(out);
    return status;
}

void nm_image_folder_free(nm_image_folder *folder)
{
    nm_names_free(&folder->images);
    nm_names_free(&folder->folders);
    nm_names_free(&folder->others);
}

/* ---- splits -------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(name, *words) == 0)
            return true;
    return false;
}

static const char *const validation_names[] = {"val", "valid", "validation", NULL};

static nm_status take_splits(nm_context *ctx, const char *path, const nm_image_folder *in, nm_image_splits *out)
{
    const char *validation = NULL, *other = NULL;
    bool test = false;
    int others = 0;
    for (int i = 0; i < in->folders.count; i++) {
        const char *name = in->folders.name[i];
        if (is_one_of(name, validation_names)) {
            validation = validation ? validation : name;
        } else if (strcmp(name, "test") == 0) {
            test = true;
        } else if (strcmp(name, "train") != 0) {
            other = other ? other : name;
            others++;
        }
    }
    if (validation && test)
        nm_log(ctx, "%s: %s/ is not used: test/ is the test split, and there is no third one", path, validation);
    else if (validation)
        nm_log(ctx, "%s: there is no test/: %s/ is used as the test split", path, validation);
    if (others)
        nm_log(ctx, "%s: beside train/, %d folder%s not read, such as %s", path, others, others == 1 ? " is" : "s are",
               other);
    out->train = nm_format(ctx, "%s/train", path);
    if (test || validation)
        out->test = nm_format(ctx, "%s/%s", path, test ? "test" : validation);
    return out->train && (out->test || !(test || validation)) ? NM_OK : NM_FAILED;
}

nm_status nm_image_splits_find(nm_context *ctx, const char *path, nm_image_splits *out)
{
    nm_image_folder in;
    bool train = false;
    const char *alone = NULL; /* a split's name where there is no train/ */
    *out = (nm_image_splits){0};
    NM_TRY(nm_image_folder_list(ctx, path, &in));
    for (int i = 0; i < in.folders.count; i++) {
        train = train || strcmp(in.folders.name[i], "train") == 0;
        if (strcmp(in.folders.name[i], "test") == 0 || is_one_of(in.folders.name[i], validation_names))
            alone = in.folders.name[i];
    }
    nm_status status = NM_OK;
    if (train) {
        status = take_splits(ctx, path, &in, out);
    } else if (alone) {
        status =
            nm_fail(ctx, NM_INVALID,
                    "%s: there is a folder %s, but no folder train beside it; expected train/CLASS and test/CLASS, "
                    "or CLASS alone",
                    path, alone);
    } else {
        out->hold_out = true;
        out->train = nm_strdup(ctx, path);
        status = out->train ? NM_OK : NM_FAILED;
    }
    nm_image_folder_free(&in);
    return status;
}

void nm_image_splits_free(nm_image_splits *splits)
{
    nm_free(splits->train);
    nm_free(splits->test);
}
