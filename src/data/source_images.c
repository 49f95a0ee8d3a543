/* Images in folders, one for each class: PATH/train/CLASS/… and PATH/test/CLASS/…, or PATH/CLASS/…, of which every fifth
 * image of a class, by name, is kept for testing. PNG and JPEG; other files are passed over. All take the size of the
 * first; where the first images of all classes are grey, the data has one channel. */
#include "alloc.h"
#include "image.h"
#include "sources.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATH_ROOM = 4096, MOST_CLASSES = 65536, HOLD_OUT = 5 };

/* ---- listing ------------------------------------------------------------------------------------------- */

typedef struct listing {
    int count, room;
    char **name;
} listing;

static void free_listing(listing *l)
{
    for (int i = 0; i < l->count; i++)
        nm_free(l->name[i]);
    nm_free(l->name);
    *l = (listing){0};
}

static nm_status add(nm_context *ctx, listing *l, const char *name)
{
    if (l->count == l->room) {
        int room = l->room ? 2 * l->room : 64;
        char **more = nm_alloc(ctx, (size_t)room, sizeof *more);
        if (!more)
            return NM_FAILED;
        if (l->count)
            memcpy(more, l->name, (size_t)l->count * sizeof *more);
        nm_free(l->name);
        l->name = more;
        l->room = room;
    }
    if (!(l->name[l->count] = nm_strdup(ctx, name)))
        return NM_FAILED;
    l->count++;
    return NM_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_image(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The folders, or the images, in `path`, by name; hidden ones are passed over. */
static nm_status list(nm_context *ctx, const char *path, bool folders, listing *out)
{
    char below[PATH_ROOM];
    struct dirent *entry;
    DIR *d = opendir(path);
    if (!d)
        return nm_fail(ctx, errno == ENOENT || errno == ENOTDIR ? NM_INVALID : NM_FAILED, "%s: cannot be listed: %s", path,
                       strerror(errno));
    nm_status status = NM_OK;
    while (status == NM_OK && (entry = readdir(d))) {
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && (folders ? is_folder(below) : is_image(entry->d_name)))
            status = add(ctx, out, entry->d_name);
    }
    closedir(d);
    if (out->count)
        qsort(out->name, (size_t)out->count, sizeof *out->name, by_name);
    return status;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

typedef struct reader {
    nm_context *ctx;
    nm_dataset *out;
    listing classes;
    nm_shape shape; /* c 0: not known yet */
} reader;

/* Grey where red, green and blue are equal everywhere. */
static bool is_grey(const uint8_t *rgb, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++)
        if (rgb[3 * i] != rgb[3 * i + 1] || rgb[3 * i] != rgb[3 * i + 2])
            return false;
    return true;
}

/* Size by the first image, channels by the first one of each class. */
static nm_status find_shape(reader *r, const char *root)
{
    bool grey = true;
    for (int c = 0; c < r->classes.count; c++) {
        char path[PATH_ROOM], file[2 * PATH_ROOM];
        listing files = {0};
        uint8_t *pixels = NULL;
        nm_shape s;
        snprintf(path, sizeof path, "%s/%s", root, r->classes.name[c]);
        nm_status status = list(r->ctx, path, false, &files);
        if (status == NM_OK && files.count == 0)
            status = nm_fail(r->ctx, NM_INVALID, "%s: no PNG or JPEG images there", path);
        if (status == NM_OK) {
            snprintf(file, sizeof file, "%s/%s", path, files.name[0]);
            status = nm_image_read(r->ctx, file, 3, &s, &pixels);
        }
        free_listing(&files);
        NM_TRY(status);
        r->shape = c == 0 ? s : r->shape;
        grey = grey && is_grey(pixels, (size_t)s.h * (size_t)s.w);
        nm_free(pixels);
    }
    r->shape.c = grey ? 1 : 3;
    return NM_OK;
}

static nm_status read_image(reader *r, const char *file, nm_samples *to, int label)
{
    nm_shape found;
    uint8_t *pixels;
    NM_TRY(nm_image_read(r->ctx, file, r->shape.c, &found, &pixels));
    uint8_t *place = to->pixels + (size_t)to->count * nm_shape_size(r->shape);
    if (nm_shape_same(found, r->shape))
        memcpy(place, pixels, nm_shape_size(found));
    else
        nm_image_resize(found, pixels, r->shape, place);
    nm_free(pixels);
    to->labels[to->count++] = label;
    return NM_OK;
}

/* One pass counts (samples have no room yet), one reads. `held` takes every fifth image, where it is given. */
static nm_status walk(reader *r, const char *root, bool reading, nm_samples *to, nm_samples *held)
{
    for (int c = 0; c < r->classes.count; c++) {
        char path[PATH_ROOM], file[2 * PATH_ROOM];
        listing files = {0};
        snprintf(path, sizeof path, "%s/%s", root, r->classes.name[c]);
        if (!is_folder(path)) /* a class that the test split has no images of */
            continue;
        nm_status status = list(r->ctx, path, false, &files);
        for (int i = 0; i < files.count && status == NM_OK; i++) {
            nm_samples *split = held && i % HOLD_OUT == HOLD_OUT - 1 ? held : to;
            snprintf(file, sizeof file, "%s/%s", path, files.name[i]);
            if (reading)
                status = read_image(r, file, split, c);
            else
                split->count++;
        }
        free_listing(&files);
        NM_TRY(status);
    }
    return NM_OK;
}

static nm_status make_room(reader *r, nm_samples *samples)
{
    NM_TRY(nm_samples_make(r->ctx, samples, samples->count, r->shape));
    samples->count = 0; /* counted again as they are read */
    return NM_OK;
}

static nm_status read_all(reader *r, const char *path)
{
    char train[PATH_ROOM], test[PATH_ROOM];
    snprintf(train, sizeof train, "%s/train", path);
    snprintf(test, sizeof test, "%s/test", path);
    bool split = is_folder(train);
    const char *root = split ? train : path;
    NM_TRY(list(r->ctx, root, true, &r->classes));
    if (r->classes.count < 2 || r->classes.count > MOST_CLASSES)
        return nm_fail(r->ctx, NM_INVALID, "%s: expected a folder for each class, two or more; found %d", root,
                       r->classes.count);
    NM_TRY(find_shape(r, root));
    NM_TRY(nm_dataset_set_classes(r->ctx, r->out, (const char *const *)r->classes.name, r->classes.count));
    nm_samples *held = split ? NULL : &r->out->test;
    for (int reading = 0; reading < 2; reading++) {
        NM_TRY(walk(r, root, reading, &r->out->train, held));
        if (split && is_folder(test))
            NM_TRY(walk(r, test, reading, &r->out->test, NULL));
        if (!reading) {
            NM_TRY(make_room(r, &r->out->train));
            NM_TRY(make_room(r, &r->out->test));
        }
    }
    return NM_OK;
}

static nm_status open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    reader r = {.ctx = ctx, .out = out};
    nm_status status = read_all(&r, path);
    free_listing(&r.classes);
    return status;
}

extern const nm_source_type nm_source_images;
const nm_source_type nm_source_images = {
    .name = "images",
    .help = "PNG and JPEG files in a folder for each class: PATH/train/CLASS, PATH/test/CLASS, or PATH/CLASS",
    .needs_path = true,
    .fetch = "your own images",
    .open = open,
};
