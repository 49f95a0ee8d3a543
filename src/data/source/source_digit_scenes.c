/* Scenes of drawn digits, for segmentation: 48x48 images with up to four digits beside each other,
 * noise, and a label for each pixel: 0 the background, 1 to 10 the digits 0 to 9. Needs no files;
 * the same bits everywhere. */
#include "digits.h"
#include "sources.h"

#include <string.h>

enum {
    SIDE = 48,
    TRAIN = 3000,
    TEST = 500,
    INK = 96,   /* a pixel at least so bright belongs to the digit */
    TRIES = 20, /* for a place where it covers no other */
};

/* Whether the digit with its corner at (top, left) would cover a pixel of another one. */
static bool digit_scenes_covers(const uint8_t *digit, int top, int left, const int32_t *labels)
{
    for (int h = 0; h < NM_DIGIT_SIDE; h++)
        for (int w = 0; w < NM_DIGIT_SIDE; w++) {
            int y = top + h, x = left + w;
            bool inside = y >= 0 && y < SIDE && x >= 0 && x < SIDE;
            if (inside && digit[h * NM_DIGIT_SIDE + w] >= INK && labels[y * SIDE + x])
                return true;
        }
    return false;
}

/* Pastes a digit with its corner at (top, left), which may lie outside. */
static void paste(const uint8_t *digit, int32_t label, int top, int left, uint8_t *scene, int32_t *labels)
{
    for (int h = 0; h < NM_DIGIT_SIDE; h++)
        for (int w = 0; w < NM_DIGIT_SIDE; w++) {
            int y = top + h, x = left + w;
            uint8_t ink = digit[h * NM_DIGIT_SIDE + w];
            if (y < 0 || y >= SIDE || x < 0 || x >= SIDE)
                continue;
            if (ink > scene[y * SIDE + x])
                scene[y * SIDE + x] = ink;
            if (ink >= INK)
                labels[y * SIDE + x] = label;
        }
}

static void draw_scene(nm_rng *r, uint8_t *scene, int32_t *labels)
{
    uint8_t digit[NM_DIGIT_SIDE * NM_DIGIT_SIDE];
    memset(scene, 0, SIDE * SIDE);
    memset(labels, 0, SIDE * SIDE * sizeof *labels);
    int count = 2 + (int)nm_rng_below(r, 3);
    for (int i = 0; i < count; i++) {
        int value = (int)nm_rng_below(r, 10), top = 0, left = 0, tries = 0;
        nm_draw_digit(r, value, digit);
        do { /* a free place; a digit that finds none is left out */
            top = (int)nm_rng_below(r, SIDE - 20) - 4;
            left = (int)nm_rng_below(r, SIDE - 20) - 4;
        } while (++tries < TRIES && digit_scenes_covers(digit, top, left, labels));
        if (tries < TRIES)
            paste(digit, value + 1, top, left, scene, labels);
    }
    nm_add_noise(r, scene, SIDE * SIDE);
}

static nm_status digit_scenes_fill(nm_context *ctx, nm_samples *samples, int count, const char *split)
{
    samples->shape = (nm_shape){SIDE, SIDE, 1};
    samples->pixel_labels = true;
    NM_TRY(nm_samples_make(ctx, samples, count, samples->shape));
    nm_rng r = nm_rng_stream(0, "digit-scenes", split);
    for (int i = 0; i < count; i++) {
        nm_rng_seek(&r, (uint32_t)i, 0);
        draw_scene(&r, samples->pixels + (size_t)i * SIDE * SIDE, samples->labels + (size_t)i * SIDE * SIDE);
    }
    return NM_OK;
}

static nm_status digit_scenes_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    static const char *const names[] = {"background", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    (void)path;
    NM_TRY(digit_scenes_fill(ctx, &out->train, TRAIN, "train"));
    NM_TRY(digit_scenes_fill(ctx, &out->test, TEST, "test"));
    return nm_dataset_set_classes(ctx, out, names, 11);
}

extern const nm_source_type nm_source_digit_scenes;
const nm_source_type nm_source_digit_scenes = {
    .name = "digit-scenes",
    .help = "scenes of drawn digits with a label per pixel, 3,000 + 500 of 48x48; generated, needs no files",
    .generated = true,
    .fetch = "nothing: it is generated",
    .open = digit_scenes_open,
};
