/* Drawn digits with noise. Needs no files, has the same bits everywhere, and is learnt to about 99
 * %. */
#include "digits.h"
#include "sources.h"

enum { SIDE = NM_DIGIT_SIDE, TRAIN = 10000, TEST = 2000, CLASSES = 10 };

static nm_status digits_fill(nm_context *ctx, nm_samples *samples, int count, const char *split)
{
    NM_TRY(nm_samples_make(ctx, samples, count, (nm_shape){SIDE, SIDE, 1}));
    nm_rng r = nm_rng_stream(0, "digits", split);
    for (int i = 0; i < count; i++) {
        nm_rng_seek(&r, (uint32_t)i, 0);
        samples->labels[i] = (int32_t)nm_rng_below(&r, CLASSES);
        nm_draw_digit(&r, samples->labels[i], samples->pixels + (size_t)i * SIDE * SIDE);
        nm_add_noise(&r, samples->pixels + (size_t)i * SIDE * SIDE, SIDE * SIDE);
    }
    return NM_OK;
}

static nm_status digits_open(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out)
{
    (void)form;
    (void)path;
    NM_TRY(digits_fill(ctx, &out->train, TRAIN, "train"));
    NM_TRY(digits_fill(ctx, &out->test, TEST, "test"));
    return nm_dataset_set_classes(ctx, out, NULL, CLASSES);
}

extern const nm_source_type nm_source_digits;
const nm_source_type nm_source_digits = {
    .name = "digits",
    .help = "drawn digits, 10,000 + 2,000 of 28x28; generated, needs no files",
    .generated = true,
    .fetch = "nothing: it is generated",
    .open = digits_open,
};
