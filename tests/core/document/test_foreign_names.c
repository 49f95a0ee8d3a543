/* Other frameworks' names: what they are called here exists, and each is answered in its place. */
#include "foreign_names.h"
#include "layer.h"
#include "network.h"
#include "optimizer.h"
#include "option.h"
#include "parse.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>

static bool in_table(const nm_option *table, const char *name)
{
    return nm_option_find(table, name) != NULL;
}

static bool is_some_option(const char *name)
{
    static const char *const of_train[] = {"batch",    "eval_batch", "epochs",     "steps",    "l2",   "optimizer",
                                           "schedule", "warmup",     "clip_norm",  "augment",  "data", "seed",
                                           "limit",    "save_every", "eval_every", "init_from"};
    for (int i = 0; i < nm_types(ctx, NM_LAYER)->count; i++)
        if (in_table(((const nm_layer_type *)nm_types(ctx, NM_LAYER)->types[i])->options, name))
            return true;
    for (int i = 0; i < nm_types(ctx, NM_LOSS)->count; i++)
        if (in_table(((const nm_loss_type *)nm_types(ctx, NM_LOSS)->types[i])->options, name))
            return true;
    for (int i = 0; i < nm_types(ctx, NM_OPTIMIZER)->count; i++)
        if (in_table(((const nm_optimizer_type *)nm_types(ctx, NM_OPTIMIZER)->types[i])->options, name))
            return true;
    for (int i = 0; i < nm_types(ctx, NM_SCHEDULE)->count; i++)
        if (in_table(((const nm_schedule_type *)nm_types(ctx, NM_SCHEDULE)->types[i])->options, name))
            return true;
    for (size_t i = 0; i < sizeof of_train / sizeof *of_train; i++)
        if (strcmp(of_train[i], name) == 0)
            return true;
    return false;
}

START_TEST(the_names_exist)
{
    for (int i = 0; i < nm_foreign_count; i++) {
        const nm_foreign_name *f = &nm_foreign_names[i];
        ck_assert_msg(f->name || f->remark, "'%s' has neither a name nor a remark", f->word);
        if (!f->name || f->kind == NM_FOREIGN_KEY || f->kind == NM_FOREIGN_VALUE)
            continue;
        bool there = f->kind == NM_FOREIGN_LAYER       ? nm_type_find(ctx, NM_LAYER, f->name) != NULL
                     : f->kind == NM_FOREIGN_LOSS      ? nm_type_find(ctx, NM_LOSS, f->name) != NULL
                     : f->kind == NM_FOREIGN_OPTIMIZER ? nm_type_find(ctx, NM_OPTIMIZER, f->name) != NULL
                     : f->kind == NM_FOREIGN_SCHEDULE  ? nm_type_find(ctx, NM_SCHEDULE, f->name) != NULL
                                                       : is_some_option(f->name);
        ck_assert_msg(there, "'%s' stands for '%s', which there is not", f->word, f->name);
    }
    int kinds[7] = {0};
    for (int i = 0; i < nm_foreign_count; i++)
        kinds[nm_foreign_names[i].kind]++;
    ck_assert_int_ge(kinds[NM_FOREIGN_LAYER], 100);
    ck_assert_int_ge(kinds[NM_FOREIGN_OPTION], 100);
}
END_TEST

static const struct {
    const char *text, *message;
} cases[] = {
    {"Conv2d: {filters: 2}", "unknown layer type 'Conv2d': norma calls it 'conv'"},
    {"CONV2D: {filters: 2}", "unknown layer type 'CONV2D': norma calls it 'conv'"},
    {"nn.Conv2d: {filters: 2}", "unknown layer type 'nn.Conv2d': norma calls it 'conv'"},
    {"keras.layers.Dense: {units: 2}", "unknown layer type 'keras.layers.Dense': norma calls it 'dense'"},
    {"InnerProduct: {units: 2}", "unknown layer type 'InnerProduct': norma calls it 'dense'"},
    {"BatchNorm2d: {}", "unknown layer type 'BatchNorm2d': norma calls it 'batchnorm'"},
    {"MaxPool2d: {size: 2}", "unknown layer type 'MaxPool2d': norma calls it 'maxpool'"},
    {"Dropout2d: {rate: 0.5}", "unknown layer type 'Dropout2d': norma calls it 'spatial_dropout'"},
    {"ConvTranspose2d: {filters: 2}", "unknown layer type 'ConvTranspose2d': norma calls it 'deconv'"},
    {"AdaptiveAvgPool2d: {size: 1}", "norma calls it 'adaptive_avgpool' (gap is the same for size: 1)"},
    {"ReLU: {}", "unknown layer type 'ReLU': norma calls it 'relu'"},
    {"Flatten: {}", "unknown layer type 'Flatten': norma calls it 'flatten'"},
    {"Conv: {filters: 2}", "unknown layer type 'Conv': norma calls it 'conv'"},
    {"MaxPoll2d: {size: 2}", "unknown layer type 'MaxPoll2d' (did you mean 'maxpool'?)"},
    {"conv: {filters: 2, kernel_size: 3}", "unknown option 'kernel_size': norma calls it 'kernel'"},
    {"maxpool: {size: 2, kernel_size: 3}", "unknown option 'kernel_size': norma calls it 'size'"},
    {"conv: {filters: 2, Padding: 3}", "unknown option 'Padding': norma calls it 'pad'"},
    {"conv: {out_channels: 2}", "unknown option 'out_channels': norma calls it 'filters'"},
    {"conv: {Filters: 2}", "unknown option 'Filters': norma calls it 'filters'"},
    {"dense: {out_features: 2}", "unknown option 'out_features': norma calls it 'units'"},
    {"conv: {filters: 2, in_channels: 3}",
     "unknown option 'in_channels': norma finds it from the layer above: leave it out"},
    {"batchnorm: {momentum: 0.1}",
     "unknown option 'momentum': norma calls it 'rate' (the same meaning as PyTorch's; Keras's and Caffe's is 1 - "
     "rate)"},
    {"batchnorm: {eps: 0.1}", "unknown option 'eps': norma calls it 'epsilon'"},
    {"leaky: {negative_slope: 0.1}", "unknown option 'negative_slope': norma calls it 'slope'"},
    {"dropout: {p: 0.1}", "unknown option 'p': norma calls it 'rate'"},
    {"relu: {inplace: true}", "unknown option 'inplace': nothing is done in place: leave it out"},
    {"conv: {filters: 2, init: kaiming_normal}", "found 'kaiming_normal': norma calls it 'he_normal'"},
    {"conv: {filters: 2, activation: ReLU}", "unknown layer type 'ReLU': norma calls it 'relu'"},
    {"conv: {filters: 2, \"kernel:3\": }", "unknown option 'kernel:3'"},
};

START_TEST(told_in_its_place)
{
    nm_yaml *document;
    nm_network *net;
    char model[512];
    snprintf(model, sizeof model, "input: {height: 12, width: 12, channels: 6}\nlayers:\n- {name: c, %s}\n",
             cases[_i].text);
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", model, strlen(model), &document), NM_OK);
    ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_INVALID);
    bool found = false;
    for (int i = 0; i < nm_error_count(ctx); i++)
        found = found || strstr(nm_error_message(ctx, i), cases[_i].message);
    ck_assert_msg(found, "expected '%s', found '%s'", cases[_i].message, nm_error_message(ctx, 0));
}
END_TEST

static const char *const losses[][2] = {
    {"crossentropy", "softmax_ce"},
    {"CrossEntropyLoss", "softmax_ce"},
    {"categorical_crossentropy", "softmax_ce"},
    {"sparse_categorical_crossentropy", "softmax_ce"},
    {"BCEWithLogitsLoss", "sigmoid_ce"},
    {"MSELoss", "mse"},
    {"mae", "l1"},
    {"Huber", "smooth_l1"},
    {"MSE", "mse"},
};

START_TEST(losses_and_keys)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        nm_yaml *document;
        nm_network *net;
        char model[512], message[128];
        snprintf(model, sizeof model, "input: {channels: 6}\nlayers: [relu]\nloss: %s\ncriterion: x\n", losses[i][0]);
        snprintf(message, sizeof message, "m:3:7: unknown loss '%s': norma calls it '%s'", losses[i][0], losses[i][1]);
        nm_errors_clear(ctx);
        ck_assert_int_eq(nm_yaml_parse(ctx, "m", model, strlen(model), &document), NM_OK);
        ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_INVALID);
        ck_assert_str_eq(nm_error_message(ctx, 0), "m:4:1: unknown key 'criterion': norma calls it 'loss'");
        ck_assert_str_eq(nm_error_message(ctx, 1), message);
    }
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, told_in_its_place, 0, (int)(sizeof cases / sizeof *cases));
}

SUITE_WITH("foreign names", set_up, the_names_exist, losses_and_keys)
