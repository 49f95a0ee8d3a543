/* Resampling. Each pixel of the result is a weighted mean of a rectangle of the source, its
 * weights a product of one over the rows and one over the columns: `area` weighs by the covered
 * part (where it shrinks, OpenCV's INTER_AREA), `bilinear` by a triangle around the pixel's
 * centre, as wide as the larger of the two pixels (PIL's and torchvision's antialiased
 * BILINEAR). Where the image grows both are bilinear between pixel centres. */
#include "image.h"

#include "alloc.h"

#include <math.h>
#include <string.h>

/* Along one axis, for each pixel of the result the source's pixels first .. first + count - 1
 * and their weights. */
typedef struct axis {
    int size, most;
    int *first, *count;     /* [size] */
    double *weight, *total; /* [size][most], [size] */
} axis;

static double weigh(int resize, double start, double ratio, int t, int s)
{
    if (resize == NM_RESIZE_AREA && ratio > 1) {
        double low = fmax(start + t * ratio, s), high = fmin(start + (t + 1) * ratio, s + 1);
        return fmax(0, high - low);
    }
    double centre = start + (t + 0.5) * ratio - 0.5;
    /* Not divided by the triangle's width: exact where the ratio is a whole number. */
    return fmax(0, fmax(ratio, 1) - fabs(centre - s));
}

static void free_axis(axis *a)
{
    nm_free(a->first);
    nm_free(a->count);
    nm_free(a->weight);
    nm_free(a->total);
}

/* Of a source of `source` pixels, the part from `start` of `size` * `ratio`. */
static nm_status make_axis(nm_context *ctx, int resize, int source, double start, double ratio, int size, axis *a)
{
    double reach = fmax(ratio, 1);
    *a = (axis){.size = size, .most = 2 * (int)ceil(reach) + 3};
    a->first = nm_alloc(ctx, (size_t)size, sizeof *a->first);
    a->count = nm_alloc(ctx, (size_t)size, sizeof *a->count);
    a->weight = nm_alloc(ctx, (size_t)size * (size_t)a->most, sizeof *a->weight);
    a->total = nm_alloc(ctx, (size_t)size, sizeof *a->total);
    if (!a->first || !a->count || !a->weight || !a->total)
        return NM_FAILED;
    for (int t = 0; t < size; t++) {
        double centre = start + (t + 0.5) * ratio - 0.5;
        int low = (int)floor(centre - reach), high = (int)ceil(centre + reach);
        for (int s = low < 0 ? 0 : low; s <= high && s < source && a->count[t] < a->most; s++) {
            double weight = weigh(resize, start, ratio, t, s);
            if (weight <= 0)
                continue;
            if (a->count[t] == 0)
                a->first[t] = s;
            a->weight[t * a->most + a->count[t]++] = weight;
            a->total[t] += weight;
        }
    }
    return NM_OK;
}

/* The rows of the source that one row of the result is made of, weighed and added:
 * sum[from.w][c]. */
static void add_rows(const axis *rows, int t, nm_shape from, const uint8_t *pixels, double *sum)
{
    size_t width = (size_t)from.w * (size_t)from.c;
    memset(sum, 0, width * sizeof *sum);
    for (int k = 0; k < rows->count[t]; k++) {
        const uint8_t *row = pixels + (size_t)(rows->first[t] + k) * width;
        double weight = rows->weight[t * rows->most + k];
        for (size_t i = 0; i < width; i++)
            sum[i] += weight * row[i];
    }
}

static void add_columns(const axis *columns, double total, int channels, const double *sum, uint8_t *to)
{
    for (int t = 0; t < columns->size; t++)
        for (int c = 0; c < channels; c++) {
            const double *from = sum + (size_t)columns->first[t] * (size_t)channels + c;
            const double *weight = columns->weight + (size_t)t * (size_t)columns->most;
            double value = 0;
            for (int k = 0; k < columns->count[t]; k++)
                value += weight[k] * from[(size_t)k * (size_t)channels];
            *to++ = (uint8_t)(value / (total * columns->total[t]) + 0.5);
        }
}

nm_status nm_image_resize(nm_context *ctx, const nm_image_rules *rules, nm_shape a, const uint8_t *from, nm_shape b,
                          uint8_t *to)
{
    if (nm_shape_same(a, b)) {
        memcpy(to, from, nm_shape_size(a));
        return NM_OK;
    }
    double down = (double)a.h / b.h, across = (double)a.w / b.w;
    if (rules->fit == NM_FIT_CROP) /* the shorter side fills, the longer one is cut at both ends */
        down = across = fmin(down, across);
    axis rows = {0}, columns = {0};
    nm_status status = make_axis(ctx, rules->resize, a.h, (a.h - down * b.h) / 2, down, b.h, &rows);
    if (status == NM_OK)
        status = make_axis(ctx, rules->resize, a.w, (a.w - across * b.w) / 2, across, b.w, &columns);
    double *sum = status == NM_OK ? nm_alloc(ctx, (size_t)a.w * (size_t)a.c, sizeof *sum) : NULL;
    for (int t = 0; sum && t < b.h; t++) {
        add_rows(&rows, t, a, from, sum);
        add_columns(&columns, rows.total[t], a.c, sum, to + (size_t)t * (size_t)b.w * (size_t)b.c);
    }
    nm_free(sum);
    free_axis(&rows);
    free_axis(&columns);
    return sum ? NM_OK : NM_FAILED;
}
