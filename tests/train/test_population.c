/* Population statistics, against averages over the loader's batches that are computed here. */
#include "train_support.h"

/* A batch norm that reads the images: its population statistics are averages over the loader's
 * batches. The second one keeps its running statistics. */
#define POPULATION_MODEL                                                                                               \
    "input: {height: 28, width: 28, channels: 1}\nlayers:\n"                                                           \
    "- {name: bn, batchnorm: {statistics: population}}\n- {name: d1, dense: {units: 12}}\n"                            \
    "- {name: run, batchnorm: {}}\n- relu\n- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"                   \
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
    ck_assert_done(nm_checkpoint_open(ctx, path, &c));
    ck_assert_done(nm_checkpoint_network(ctx, c, &net));
    nm_checkpoint_free(c);
    return net;
}

START_TEST(population_statistics)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_train_result r;
    nm_network *net = network_and_data(POPULATION_MODEL, &data, &norm);
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
    ck_assert_mem_eq(state_of(net, "run/running_mean"), state_of(plain, "run/running_mean"), 12 * sizeof(real));
    ck_assert(state_of(net, "bn/running_mean")[0] != state_of(plain, "bn/running_mean")[0]);
    nm_network_free(plain);
    nm_network_free(net);
    nm_normalisation_free(&norm);
    nm_dataset_free(data);
}
END_TEST

SUITE_WITH("population", with_folder, population_statistics)
