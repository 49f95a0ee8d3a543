/* Images in folders, one for each class: PATH/train/CLASS/… and PATH/test/CLASS/…, or
 * PATH/CLASS/…, of which every fifth image of a class, by name, is kept for testing. All take
 * the height, width and channels of the form, which are those of the network. Without a network:
 * the size of the first image, and one channel where the first images of all classes are grey.
 * Nothing is passed over without a word. */
#include "alloc.h"
#include "image.h"
#include "image_folder.h"
#include "sources.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CLASSES = 65536, HOLD_OUT = 5 };

/* An image of the data set. */
typedef struct entry {
    char *path;
    int label;
    bool first, test; /* first of its class in the training split */
    nm_shape shape;   /* by its header */
} entry;

typedef struct collection {
    nm_image_reader reader;
    const nm_data_form *form;
    nm_dataset *out;
    nm_names classes;
    entry *entries;
    int count, capacity;
    int passed_over;
    char first_passed_over[512];
    nm_shape shape; /* that all images are brought to */
} collection;

/* ---- finding the images -------------------------------------------------------------------- */

static void images_pass_over(collection *c, const char *path, const nm_names *names)
{
    if (names->count && c->passed_over == 0)
        snprintf(c->first_passed_over, sizeof c->first_passed_over, "%s/%s", path, names->name[0]);
    c->passed_over += names->count;
}

static void report_passed_over(const collection *c)
{
    if (c->passed_over)
        nm_log(c->reader.ctx,
               "%s: %d file%s or folder%s passed over (read are .png, .jpg, .webp, .tif and .gif files that lie in the "
               "folder of a class); the first is %s",
               c->out->found, c->passed_over, c->passed_over == 1 ? "" : "s", c->passed_over == 1 ? " was" : "s were",
               c->first_passed_over);
}

/* Takes e.path. */
static nm_status images_add_entry(collection *c, entry e)
{
    nm_context *ctx = c->reader.ctx;
    nm_status status = e.path ? nm_image_probe(&c->reader, e.path, &e.shape) : NM_FAILED;
    if (status == NM_OK && c->count == c->capacity) {
        int capacity = c->capacity ? 2 * c->capacity : 256;
        entry *more = nm_alloc(ctx, (size_t)capacity, sizeof *more);
        if (more && c->count)
            memcpy(more, c->entries, (size_t)c->count * sizeof *more);
        if (more) {
            nm_free(c->entries);
            c->entries = more;
            c->capacity = capacity;
        }
        status = more ? NM_OK : NM_FAILED;
    }
    if (status != NM_OK) {
        nm_free(e.path);
        return status;
    }
    c->entries[c->count++] = e;
    return NM_OK;
}

/* The images of one class in one split. In the training split each class must have some. */
static nm_status add_class(collection *c, const char *root, int label, bool test, bool hold_out)
{
    nm_context *ctx = c->reader.ctx;
    nm_image_folder in;
    char *path = nm_format(ctx, "%s/%s", root, c->classes.name[label]);
    if (!path)
        return NM_FAILED;
    nm_status status = nm_image_folder_list(ctx, path, &in);
    if (status != NM_OK) {
        nm_free(path);
        return status;
    }
    images_pass_over(c, path, &in.others);
    images_pass_over(c, path, &in.folders);
    if (in.images.count == 0 && !test)
        status = nm_fail(ctx, NM_INVALID, "%s: no " NM_IMAGE_FORMATS " images there%s", path,
                         in.folders.count ? ", only folders; images of a class lie in its folder itself"
                                          : "; add some or remove the folder");
    for (int i = 0; i < in.images.count && status == NM_OK; i++)
        status = images_add_entry(c, (entry){.path = nm_format(ctx, "%s/%s", path, in.images.name[i]),
                                             .label = label,
                                             .first = !test && i == 0,
                                             .test = test || (hold_out && i % HOLD_OUT == HOLD_OUT - 1)});
    nm_image_folder_free(&in);
    nm_free(path);
    return status;
}

static nm_status add_training(collection *c, const nm_image_splits *splits)
{
    nm_context *ctx = c->reader.ctx;
    nm_image_folder in;
    NM_TRY(nm_image_folder_list(ctx, splits->train, &in));
    images_pass_over(c, splits->train, &in.images);
    images_pass_over(c, splits->train, &in.others);
    c->classes = in.folders;
    in.folders = (nm_names){0};
    nm_image_folder_free(&in);
    if (c->classes.count < 2 || c->classes.count > MOST_CLASSES)
        return nm_fail(ctx, NM_INVALID, "%s: expected a folder for each class, two or more; found %d", splits->train,
                       c->classes.count);
    for (int k = 0; k < c->classes.count; k++)
        NM_TRY(add_class(c, splits->train, k, false, splits->hold_out));
    return NM_OK;
}

static int find_class(const collection *c, const char *name)
{
    for (int k = 0; k < c->classes.count; k++)
        if (strcmp(c->classes.name[k], name) == 0)
            return k;
    return -1;
}

static nm_status check_test_classes(const collection *c, const nm_image_splits *splits, const nm_names *folders)
{
    nm_status status = NM_OK;
    char hint[NM_HINT];
    for (int i = 0; i < folders->count; i++)
        if (find_class(c, folders->name[i]) < 0)
            status = nm_fail(
                c->reader.ctx, NM_INVALID, "%s/%s: there is no class of that name in %s%s", splits->test,
                folders->name[i], splits->train,
                nm_did_you_mean(hint, folders->name[i], (const char *const *)c->classes.name, c->classes.count));
    return status;
}

static nm_status add_test(collection *c, const nm_image_splits *splits)
{
    nm_image_folder in;
    NM_TRY(nm_image_folder_list(c->reader.ctx, splits->test, &in));
    images_pass_over(c, splits->test, &in.images);
    images_pass_over(c, splits->test, &in.others);
    nm_status status = check_test_classes(c, splits, &in.folders);
    for (int i = 0; i < in.folders.count && status == NM_OK; i++)
        status = add_class(c, splits->test, find_class(c, in.folders.name[i]), true, false);
    nm_image_folder_free(&in);
    return status;
}

static nm_status report_absent_classes(const collection *c)
{
    int absent = 0, first = 0;
    bool *tested = nm_alloc(c->reader.ctx, (size_t)c->classes.count, sizeof *tested);
    if (!tested)
        return NM_FAILED;
    for (int i = 0; i < c->count; i++)
        tested[c->entries[i].label] |= c->entries[i].test;
    for (int k = 0; k < c->classes.count; k++) {
        first = tested[k] || absent ? first : k;
        absent += !tested[k];
    }
    if (absent && absent < c->classes.count) /* all of them: there is no test split */
        nm_log(c->reader.ctx, "%s: %d of %d classes have no image in the test split; the first is %s", c->out->found,
               absent, c->classes.count, c->classes.name[first]);
    nm_free(tested);
    return NM_OK;
}

/* ---- their shape --------------------------------------------------------------------------- */

/* Whether red, green and blue are equal everywhere. */
static nm_status find_grey(const collection *c, const entry *e, bool *grey)
{
    nm_image_reader uncounted = {.ctx = c->reader.ctx, .rules = c->reader.rules};
    nm_shape rgb = {e->shape.h, e->shape.w, 3};
    uint8_t *pixels = nm_alloc(c->reader.ctx, nm_shape_size(rgb), 1);
    nm_status status = pixels ? nm_image_read(&uncounted, e->path, rgb, pixels) : NM_FAILED;
    *grey = true;
    for (size_t i = 0; status == NM_OK && *grey && i < nm_shape_size(rgb); i += 3)
        *grey = pixels[i] == pixels[i + 1] && pixels[i] == pixels[i + 2];
    nm_free(pixels);
    return status;
}

static nm_status find_shape(collection *c)
{
    const nm_data_form *form = c->form;
    bool grey = true;
    c->shape = (nm_shape){form->height ? form->height : c->entries[0].shape.h,
                          form->width ? form->width : c->entries[0].shape.w, form->channels};
    for (int i = 0; !form->channels && grey && i < c->count; i++)
        if (c->entries[i].first)
            NM_TRY(find_grey(c, &c->entries[i], &grey));
    c->shape.c = form->channels ? form->channels : grey ? 1 : 3;
    return NM_OK;
}

/* What the machine has no memory for is refused before anything is decoded. */
static nm_status check_memory(const collection *c)
{
    double bytes = (double)c->count * c->shape.h * c->shape.w * c->shape.c;
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (memory <= 0 || bytes <= memory)
        return NM_OK;
    return nm_fail(c->reader.ctx, NM_INVALID,
                   "%s: %d images of " NM_SHAPE_FMT
                   " take %.1f GB; this machine has %.1f GB of memory. A network with a "
                   "smaller input has them resized to it",
                   c->out->found, c->count, NM_SHAPE_ARGS(c->shape), bytes / 1e9, memory / 1e9);
}

/* ---- reading ------------------------------------------------------------------------------- */

static nm_status read_images(collection *c)
{
    nm_samples *train = &c->out->train, *test = &c->out->test;
    int tests = 0;
    for (int i = 0; i < c->count; i++)
        tests += c->entries[i].test;
    NM_TRY(nm_samples_make(c->reader.ctx, train, c->count - tests, c->shape));
    NM_TRY(nm_samples_make(c->reader.ctx, test, tests, c->shape));
    train->count = test->count = 0; /* counted again as they are read */
    for (int i = 0; i < c->count; i++) {
        nm_samples *to = c->entries[i].test ? test : train;
        uint8_t *pixels = to->pixels + (size_t)to->count * nm_shape_size(c->shape);
        NM_TRY(nm_image_read(&c->reader, c->entries[i].path, c->shape, pixels));
        to->labels[to->count++] = c->entries[i].label;
    }
    return NM_OK;
}

static nm_status collect(collection *c, const char *path)
{
    nm_context *ctx = c->reader.ctx;
    nm_image_splits splits;
    nm_status status = nm_image_splits_find(ctx, path, &splits);
    if (status == NM_OK)
        status = add_training(c, &splits);
    if (status == NM_OK && splits.test)
        status = add_test(c, &splits);
    nm_image_splits_free(&splits);
    NM_TRY(status);
    report_passed_over(c);
    NM_TRY(report_absent_classes(c));
    NM_TRY(find_shape(c));
    NM_TRY(check_memory(c));
    NM_TRY(nm_dataset_set_classes(ctx, c->out, (const char *const *)c->classes.name, c->classes.count));
    NM_TRY(read_images(c));
    nm_image_report(&c->reader);
    if (!c->form->channels && c->reader.made_grey.count)
        nm_log(
            ctx,
            "%s: one channel, as the first image of each class is grey; a network with channels: 3 keeps the colours",
            path);
    return NM_OK;
}

static nm_status images_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    collection c = {.reader = {.ctx = ctx, .rules = form->images}, .form = form, .out = out};
    nm_status status = collect(&c, path);
    for (int i = 0; i < c.count; i++)
        nm_free(c.entries[i].path);
    nm_free(c.entries);
    nm_names_free(&c.classes);
    return status;
}

extern const nm_source_type nm_source_images;
const nm_source_type nm_source_images = {
    .name = "images",
    .help = NM_IMAGE_FORMATS " files in a folder for each class: PATH/train/CLASS, PATH/test/CLASS, or PATH/CLASS",
    .needs_path = true,
    .fetch = "your own images",
    .open = images_open,
};
