/* Mean and deviation of pixels, and what they make of a pixel. */
#include "normalisation.h"

#include "alloc.h"
#include "dataset.h"

#include <string.h>

nm_status nm_normalisation_init(nm_context *ctx, int channels, nm_normalisation *out)
{
    *out = (nm_normalisation){.channels = channels};
    out->mean = nm_alloc(ctx, (size_t)channels + 1, sizeof *out->mean);
    out->deviation = nm_alloc(ctx, (size_t)channels + 1, sizeof *out->deviation);
    if (!out->mean || !out->deviation) {
        nm_normalisation_free(out);
        return NM_FAILED;
    }
    for (int c = 0; c < channels; c++)
        out->deviation[c] = 1;
    return NM_OK;
}

nm_status nm_normalisation_copy(nm_context *ctx, const nm_normalisation *from, nm_normalisation *out)
{
    *out = (nm_normalisation){0};
    if (from->channels == 0)
        return NM_OK;
    NM_TRY(nm_normalisation_init(ctx, from->channels, out));
    memcpy(out->mean, from->mean, (size_t)from->channels * sizeof *out->mean);
    memcpy(out->deviation, from->deviation, (size_t)from->channels * sizeof *out->deviation);
    return NM_OK;
}

void nm_normalisation_free(nm_normalisation *n)
{
    nm_free(n->mean);
    nm_free(n->deviation);
    *n = (nm_normalisation){0};
}

bool nm_normalisation_same(const nm_normalisation *a, const nm_normalisation *b)
{
    size_t size = (size_t)a->channels * sizeof *a->mean;
    return a->channels == b->channels &&
           (size == 0 || (memcmp(a->mean, b->mean, size) == 0 && memcmp(a->deviation, b->deviation, size) == 0));
}

/* ---- pixels to numbers --------------------------------------------------------------------- */

nm_status nm_pixel_table_new(nm_context *ctx, const nm_normalisation *n, int channels, bool binary, real **table)
{
    *table = NULL;
    if (!binary && n->channels == 0)
        return nm_fail(ctx, NM_INVALID,
                       "mean and deviation of the training images are not known: expected a checkpoint that training "
                       "wrote (with /train/mean and /train/deviation); found one with parameters only");
    if (!binary && n->channels != channels)
        return nm_fail(ctx, NM_INVALID, "mean and deviation are of %d channels, the images have %d", n->channels,
                       channels);
    if (!(*table = nm_alloc(ctx, 256 * (size_t)channels, sizeof **table)))
        return NM_FAILED;
    for (int c = 0; c < channels; c++)
        for (int value = 0; value < 256; value++)
            (*table)[c * 256 + value] =
                binary ? (real)(value >= 128) : (real)((value / 255.0 - n->mean[c]) / n->deviation[c]);
    return NM_OK;
}

void nm_normalise(const real *table, int channels, const uint8_t *pixels, size_t size, real *to)
{
    if (channels == 1) {
        for (size_t i = 0; i < size; i++)
            to[i] = table[pixels[i]];
        return;
    }
    size_t across = (size_t)channels;
    for (size_t i = 0; i < size; i += across)
        for (size_t c = 0; c < across; c++)
            to[i + c] = table[c * 256 + pixels[i + c]];
}

/* ---- mean and deviation -------------------------------------------------------------------- */

/* Sums over pixels, by channel: whole numbers, so that they are exact. */
typedef struct sums {
    int channels;
    uint64_t *sum, *squares;
} sums;

static void add_one_by_one(const uint8_t *p, size_t pixels, sums *to)
{
    for (size_t i = 0; i < pixels; i++, p += to->channels)
        for (int c = 0; c < to->channels; c++) {
            to->sum[c] += p[c];
            to->squares[c] += (uint64_t)p[c] * p[c];
        }
}

/* As many pixels abreast as have 128 values, each value of them into sums of its own, so that
 * vector code adds them whatever the number of channels. At most 65536 times: that many squares of
 * 255 fit 32 bits. */
enum { ABREAST = 128, MOST_TIMES = 65536 };

static void add_abreast(const uint8_t *p, size_t times, int width, sums *to)
{
    uint32_t sum[ABREAST] = {0}, squares[ABREAST] = {0};
    for (size_t i = 0; i < times; i++, p += width)
        for (int k = 0; k < width; k++) {
            sum[k] += p[k];
            squares[k] += (uint32_t)p[k] * p[k];
        }
    for (int k = 0; k < width; k++) {
        to->sum[k % to->channels] += sum[k];
        to->squares[k % to->channels] += squares[k];
    }
}

static void add_all(const uint8_t *p, size_t pixels, sums *to)
{
    size_t across = (size_t)to->channels, abreast = ABREAST / across, done = 0;
    while (abreast > 0 && pixels - done >= abreast) {
        size_t times = (pixels - done) / abreast;
        times = times < MOST_TIMES ? times : MOST_TIMES;
        add_abreast(p + done * across, times, (int)(abreast * across), to);
        done += times * abreast;
    }
    add_one_by_one(p + done * across, pixels - done, to);
}

nm_status nm_dataset_normalisation(nm_context *ctx, const nm_samples *train, nm_normalisation *out)
{
    size_t pixels = (size_t)train->count * (size_t)train->shape.h * (size_t)train->shape.w;
    sums all = {.channels = train->shape.c};
    NM_TRY(nm_normalisation_init(ctx, all.channels, out));
    if (!(all.sum = nm_alloc(ctx, 2 * (size_t)all.channels + 1, sizeof *all.sum))) {
        nm_normalisation_free(out);
        return NM_FAILED;
    }
    all.squares = all.sum + all.channels;
    add_all(train->pixels, pixels, &all);
    for (int c = 0; c < all.channels; c++) {
        double count = pixels ? (double)pixels : 1, mean = (double)all.sum[c] / count;
        double variance = ((double)all.squares[c] - (double)all.sum[c] * mean) / count;
        out->mean[c] = mean / 255;
        out->deviation[c] = variance > 0 ? __builtin_sqrt(variance) / 255 : 1;
    }
    nm_free(all.sum);
    return NM_OK;
}
