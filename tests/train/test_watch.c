/* Watched units, against percentiles that are computed here. */
#include "train_support.h"

#include <math.h>

static int ascending(const void *a, const void *b)
{
    real x = *(const real *)a, y = *(const real *)b;
    return (x > y) - (x < y);
}

/* c1 reads the images: their percentiles can be had from the loader alone. */
/* A line of the first convolution's watched unit against the percentiles of the batch it saw;
 * returns what stands behind it. */
static char *check_percentiles(char *line, int step, const real *x, size_t count)
{
    static const double ranks[] = {0.15, 0.5, 0.85};
    int at, unit;
    double p[3];
    real *sorted = nm_alloc(ctx, count, sizeof *sorted);
    memcpy(sorted, x, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, ascending);
    ck_assert_int_eq(sscanf(line, "%d,c1,%d,%lf,%lf,%lf", &at, &unit, &p[0], &p[1], &p[2]), 5);
    ck_assert(at == step && unit == 0);
    for (int k = 0; k < 3; k++) {
        size_t low = (size_t)floor(ranks[k] * (double)(count - 1));
        ck_assert(p[k] >= (double)sorted[low] - 1e-6 && p[k] <= (double)sorted[low + 1] + 1e-6);
    }
    nm_free(sorted);
    return strchr(line, '\n') + 1;
}

START_TEST(watched_input)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_network *net = network_and_data(SMALL_MODEL, &data, &norm);
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL,
                              SETTINGS("train.watch=[c1/0, logits/3]", "train.watch_every=4", "train.steps=12"), &r));
    free_result(&r);
    size_t size;
    char *text = content(in_folder("run/watch.csv"), &size), *line = text + 28;
    ck_assert_int_eq(strncmp(text, "step,layer,unit,p15,p50,p85\n", 28), 0);
    nm_loader *loader = loader_of(&data->train, &norm, 321, 32, true);
    for (int step = 1; step <= 12; step++) {
        const nm_loaded *b = nm_loader_next(loader);
        while (b->n < 32) /* the single sample at the end of the epoch */
            b = nm_loader_next(loader);
        if (step % 4)
            continue;
        int at, unit;
        double p[3];
        line = check_percentiles(line, step, b->x, 32 * 28 * 28);
        ck_assert_int_eq(sscanf(line, "%d,logits,%d,%lf,%lf,%lf", &at, &unit, &p[0], &p[1], &p[2]), 5);
        ck_assert(at == step && unit == 3 && p[0] <= p[1] && p[1] <= p[2] && p[0] >= 0);
        line = strchr(line, '\n') + 1;
    }
    ck_assert_int_eq(*line, '\0'); /* two rows at each of three steps */
    nm_loader_free(loader);
    nm_free(text);
    nm_network_free(net);
    nm_normalisation_free(&norm);
    nm_dataset_free(data);
}
END_TEST

SUITE_WITH("watch", with_folder, watched_input)
