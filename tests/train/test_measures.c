/* What is measured along the way, against the same computed here: short batches, watched units, population
 * statistics. */
#include "train_support.h"

#include "evaluate.h"
#include "loader.h"

#include <math.h>

/* The loader of a training run of SMALL_MODEL, or of the test split. */
static nm_loader *loader_of(const nm_samples *samples, const nm_normalisation *norm, int limit, int batch,
                            bool shuffle)
{
    nm_loader_settings settings = {.samples = samples,
                                   .limit = limit,
                                   .batch = batch,
                                   .shuffle = shuffle,
                                   .normalisation = *norm,
                                   .seed = 7};
    nm_loader *loader;
    ck_assert_done(nm_loader_new(ctx, &settings, &loader));
    return loader;
}

/* No dropout and no batch norm: one sample's loss does not depend on the others. */
#define PLAIN_MODEL                                                                                          \
    "input: {height: 28, width: 28, channels: 1}\nlayers:\n- {name: d1, dense: {units: 12}}\n- relu\n"       \
    "- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"                                               \
    "train: {data: mnist, batch: 32, limit: 321, epochs: 1, seed: 7, lr: 0}\n"

static nm_network *network(const char *text, nm_dataset **data, nm_normalisation *norm)
{
    nm_network *net;
    nm_strings none = {0};
    ck_assert_done(nm_network_build(ctx, parse_model(text), &none, &net));
    nm_network_initialise(net, 7);
    ck_assert_done(nm_dataset_open(ctx, "mnist", data));
    nm_dataset_normalisation(&(*data)->train, norm);
    return net;
}

START_TEST(every_sample_weighs_the_same)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_network *net = network(PLAIN_MODEL, &data, &norm);
    static const int batches[] = {1, 7, 64, 101};
    nm_evaluation first = {0};
    for (int i = 0; i < 4; i++) { /* 101 samples: 14 batches of 7 and one of 3 */
        nm_evaluation e;
        ck_assert_done(nm_evaluate(ctx, net, &data->train, 101, batches[i], &norm, false, &e));
        ck_assert_int_eq(e.samples, 101);
        int sum = 0, right = 0;
        for (int t = 0; t < 10; t++)
            for (int p = 0; p < 10; p++) {
                sum += e.confusion[10 * t + p];
                right += t == p ? e.confusion[10 * t + p] : 0;
            }
        ck_assert_int_eq(sum, 101);
        ck_assert(e.accuracy == right / 101.0);
        if (i == 0)
            first = e;
        else {
            ck_assert_double_eq_tol(e.loss, first.loss, 1e-6 * first.loss);
            ck_assert(e.accuracy == first.accuracy);
            nm_free(e.confusion);
        }
    }
    nm_free(first.confusion);
    /* a rate of zero: the mean training loss of the epoch, with its short batch of one, is the evaluation's
     */
    nm_evaluation e;
    nm_train_result r;
    ck_assert_done(nm_evaluate(ctx, net, &data->train, 321, 250, &norm, false, &e));
    ck_assert_done(train_with(PLAIN_MODEL, NULL, false, NULL, NULL, &r));
    ck_assert_uint_eq(r.step, 11);
    ck_assert_double_eq_tol(r.history[0].train_loss, e.loss, 1e-6 * e.loss);
    ck_assert(r.history[0].train_accuracy == e.accuracy);
    free_result(&r);
    nm_free(e.confusion);
    nm_network_free(net);
    nm_dataset_free(data);
}
END_TEST

/* ---- watched units -------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    real x = *(const real *)a, y = *(const real *)b;
    return (x > y) - (x < y);
}

/* c1 reads the images: their percentiles can be had from the loader alone. */
START_TEST(watched_input)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_network *net = network(SMALL_MODEL, &data, &norm);
    nm_train_result r;
    ck_assert_done(
        train_with(SMALL_MODEL, in_folder("run"), false, NULL,
                   SETTINGS("train.watch=[c1/0, logits/3]", "train.watch_every=4", "train.steps=12"), &r));
    free_result(&r);
    size_t size;
    char *text = content(in_folder("run/watch.csv"), &size), *line = text;
    ck_assert_int_eq(strncmp(text, "step,layer,unit,p15,p50,p85\n", 28), 0);
    nm_loader *loader = loader_of(&data->train, &norm, 321, 32, true);
    int rows = 0;
    for (int step = 1; step <= 12; step++) {
        const nm_loaded *b = nm_loader_next(loader);
        while (b->n < 32) /* the single sample at the end of the epoch */
            b = nm_loader_next(loader);
        if (step % 4)
            continue;
        size_t count = 32 * 28 * 28;
        real *sorted = nm_alloc(ctx, count, sizeof *sorted);
        memcpy(sorted, b->x, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, ascending);
        int at, unit;
        double p[3];
        line = strchr(line, '\n') + 1;
        ck_assert_int_eq(sscanf(line, "%d,c1,%d,%lf,%lf,%lf", &at, &unit, &p[0], &p[1], &p[2]), 5);
        ck_assert(at == step && unit == 0);
        static const double ranks[] = {0.15, 0.5, 0.85};
        for (int k = 0; k < 3; k++) {
            size_t low = (size_t)floor(ranks[k] * (double)(count - 1));
            ck_assert(p[k] >= (double)sorted[low] - 1e-6 && p[k] <= (double)sorted[low + 1] + 1e-6);
        }
        line = strchr(line, '\n') + 1;
        ck_assert_int_eq(sscanf(line, "%d,logits,%d,%lf,%lf,%lf", &at, &unit, &p[0], &p[1], &p[2]), 5);
        ck_assert(at == step && unit == 3 && p[0] <= p[1] && p[1] <= p[2] && p[0] >= 0);
        nm_free(sorted);
        rows += 2;
    }
    ck_assert_int_eq(rows, 6);
    ck_assert_ptr_null(strchr(strchr(line, '\n') + 1, '\n'));
    nm_loader_free(loader);
    nm_free(text);
    nm_network_free(net);
    nm_dataset_free(data);
}
END_TEST

/* ---- population statistics -------------------------------------------------------------------------- */

/* A batch norm that reads the images: its population statistics are averages over the loader's batches. The
 * second one keeps its running statistics. */
#define POPULATION_MODEL                                                                                     \
    "input: {height: 28, width: 28, channels: 1}\nlayers:\n"                                                 \
    "- {name: bn, batchnorm: {statistics: population}}\n- {name: d1, dense: {units: 12}}\n"                  \
    "- {name: run, batchnorm: {}}\n- relu\n- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"         \
    "train: {data: mnist, batch: 32, limit: 321, epochs: 2, seed: 7, lr: 0.01, population_batches: 6}\n"

static const real *state_of(const nm_network *net, const char *name)
{
    int p = nm_network_find_param(net, name);
    ck_assert_msg(p >= 0, "%s", name);
    return nm_param_values(net, &net->param[p]);
}

static nm_network *trained(const char *path)
{
    nm_checkpoint *c;
    nm_network *net;
    nm_train_settings settings;
    ck_assert_done(nm_checkpoint_open(ctx, path, &c));
    ck_assert_done(nm_checkpoint_network(ctx, c, &net, &settings));
    nm_options_free(nm_train_options, &settings);
    nm_checkpoint_free(c);
    return net;
}

START_TEST(population_statistics)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_train_result r;
    nm_network *net = network(POPULATION_MODEL, &data, &norm);
    nm_network_free(net);
    ck_assert_done(train_with(POPULATION_MODEL, in_folder("run"), false, NULL, NULL, &r));
    free_result(&r);
    net = trained(in_folder("run/last.h5"));
    nm_loader *loader = loader_of(&data->train, &norm, 321, 32, true);
    for (int i = 0; i < 11; i++) /* the first epoch and its single sample */
        nm_loader_next(loader);
    double means = 0, variances = 0;
    for (int k = 0; k < 6; k++) {
        const nm_loaded *b = nm_loader_next(loader);
        ck_assert_uint_eq(b->epoch, 1);
        double mean = 0, square = 0, m = (double)b->n * 28 * 28;
        for (size_t i = 0; i < (size_t)b->n * 28 * 28; i++)
            mean += (double)b->x[i] / m;
        for (size_t i = 0; i < (size_t)b->n * 28 * 28; i++)
            square += ((double)b->x[i] - mean) * ((double)b->x[i] - mean);
        means += mean / 6;
        variances += square / m / 6 * (m / (m - 1));
    }
    ck_assert_double_eq_tol((double)state_of(net, "bn/running_mean")[0], means, 1e-5);
    ck_assert_double_eq_tol((double)state_of(net, "bn/running_var")[0], variances, 1e-5 * variances);
    nm_loader_free(loader);

    /* the other batch norm has what it would have had with running statistics everywhere */
    ck_assert_done(
        train_with(POPULATION_MODEL, in_folder("plain"), false, NULL, SETTINGS("bn.statistics=running"), &r));
    free_result(&r);
    nm_network *plain = trained(in_folder("plain/last.h5"));
    ck_assert_mem_eq(state_of(net, "run/running_mean"), state_of(plain, "run/running_mean"),
                     12 * sizeof(real));
    ck_assert(state_of(net, "bn/running_mean")[0] != state_of(plain, "bn/running_mean")[0]);
    nm_network_free(plain);
    nm_network_free(net);
    nm_dataset_free(data);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_folder, tear_down_folder);
}

SUITE_WITH("measures", set_up, every_sample_weighs_the_same, watched_input, population_statistics)
