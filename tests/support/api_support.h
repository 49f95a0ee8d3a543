/* What tests of the own loop share: a network of a model's text, a small batch, parameters by
 * index. */
#ifndef API_SUPPORT_H
#define API_SUPPORT_H

#include <norma/training.h>

#include "train_support.h"

#include <math.h>

/* values: NULL, or keys of the model and their values, the last key NULL. */
static inline nm_network *network_with(const char *text, const char *const (*values)[2])
{
    nm_model *model;
    nm_network *net;
    ck_assert_done(nm_model_parse(ctx, text, &model));
    for (; values && (*values)[0]; values++)
        if ((*values)[1])
            ck_assert_done(nm_model_set(ctx, model, (*values)[0], (*values)[1]));
    ck_assert_done(nm_network_new(ctx, model, &net));
    nm_model_free(model);
    return net;
}

/* n samples of a wave, with labels of three classes: x [n][size], labels [n]. */
static inline nm_minibatch wave_batch(nm_real *x, int32_t *labels, int n, int size)
{
    nm_minibatch batch = NM_MINIBATCH_INIT;
    for (int i = 0; i < n * size; i++)
        x[i] = (nm_real)sin(i * 0.7);
    for (int i = 0; i < n; i++)
        labels[i] = i % 3;
    batch.n = n;
    batch.x = x;
    batch.labels = labels;
    return batch;
}

static inline nm_parameter parameter_at(const nm_network *net, int index)
{
    nm_parameter p = NM_PARAMETER_INIT;
    ck_assert_done(nm_network_parameter(ctx, net, index, &p));
    return p;
}

static inline nm_parameter parameter_named(const nm_network *net, const char *name)
{
    return parameter_at(net, nm_network_parameter_index(net, name));
}

#endif
