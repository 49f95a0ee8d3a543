/* Settings that have no effect are reported, each once and with the reason; at the presets nothing
 * is.
 */
#include "train_support.h"

static char logged[8192];

static void keep_log(void *arg, const char *line)
{
    (void)arg;
    strncat(logged, line, sizeof logged - strlen(logged) - 2);
    strcat(logged, "\n");
}

static const char *reported(const char *const *settings)
{
    static int runs;
    nm_train_result r;
    char name[32];
    snprintf(name, sizeof name, "run%d", runs++);
    logged[0] = '\0';
    nm_context_set_log(ctx, keep_log, NULL);
    ck_assert_done(train_with(SMALL_MODEL, in_folder(name), false, NULL, settings, &r));
    free_result(&r);
    return logged;
}

/* 10 steps an epoch. */
START_TEST(each_is_told)
{
    static const struct {
        const char *settings[4], *line;
    } cases[] = {
        {{"train.epochs=1", "train.steps=4"}, "'epochs' has no effect: steps: 4"},
        {{"train.epochs=10", "train.steps=4"}, "'epochs' has no effect"}, /* the preset, but given */
        {{"train.epochs=1", "train.eval_every=11"}, "'eval_every' has no effect: training ends after 10 steps"},
        {{"train.epochs=1", "train.save_every=11s"}, "'save_every' has no effect"},
        {{"train.epochs=1", "train.save_every=2e"}, "'save_every' has no effect"},
        {{"train.epochs=1", "train.keep=5"}, "'keep' has no effect: only 4 checkpoints"},
        {{"train.epochs=1", "train.watch_every=3"}, "'watch_every' has no effect: no unit is watched"},
        {{"train.epochs=1", "train.watch_every=11", "train.watch=c1/0"}, "'watch_every' has no effect: training ends"},
        {{"train.epochs=1", "train.population_batches=3"}, "'population_batches' has no effect"},
        {{"train.epochs=1", "train.limit=400"}, "'limit' has no effect: the data has 400"},
        {{"train.epochs=1", "train.batch=400", "train.save_every=1s"}, "'batch' has no effect: there are 321"},
        {{"train.epochs=1", "train.micro_batch=32"}, "'micro_batch' has no effect"},
        {{"train.epochs=1", "train.optimizer=adam", "train.momentum=0.5"},
         "'momentum' has no effect: the optimizer adam"},
        {{"train.epochs=1", "train.lr=0.2"}, "the optimizer's own 'lr' has no effect: lr: 0.2"},
        {{"train.epochs=1", "train.momentum=0.2"}, "the optimizer's own 'momentum' has no effect"},
        {{"train.epochs=1", "train.optimizer={sgd: {nesterov: on}}"}, "'nesterov' has no effect"},
        {{"train.epochs=1", "train.schedule=step"}, "'schedule' has no effect: the learning rate stays"},
        {{"train.epochs=2", "train.schedule={step: {milestones: [1, 7]}}"},
         "the schedule is cut short: training ends "
         "with epoch 2, before the milestone 7"},
        {{"train.epochs=2", "train.schedule={step: {milestones: [1], every: 2}}"}, "the schedule's 'every'"},
        {{"train.epochs=1", "train.warmup=10"}, "'warmup' is cut short: training ends after 10 steps"},
        {{"train.epochs=1", "train.warmup=1"}, "'warmup' is cut short: of one step"},
        {{"train.epochs=1", "train.l2=0", "train.l2_all=true"}, "'l2_all' has no effect: l2 is 0"},
        {{"train.epochs=1", "train.without=[dropout, lrn]"},
         "'without' has no effect: the network has no layer of type lrn"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *all = reported(cases[i].settings);
        ck_assert_msg(strstr(all, cases[i].line), "case %zu: '%s' is not in '%s'", i, cases[i].line, all);
        ck_assert_msg(strchr(all, '\n') == strrchr(all, '\n'), "case %zu: more than one line: %s", i, all);
    }
}
END_TEST

START_TEST(what_has_an_effect_is_not)
{
    static const char *const cases[][6] = {
        {NULL},
        {"train.epochs=1", "train.eval_every=10", "train.save_every=10s", "train.keep=1"},
        {"train.epochs=1", "train.watch=c1/0", "train.watch_every=10"},
        {"train.epochs=1", "train.limit=399", "train.batch=399", "train.micro_batch=64", "train.save_every=1s"},
        {"train.epochs=1", "train.optimizer={sgd: {momentum: 0.9, nesterov: true}}", "train.lr=0.01",
         "train.l2_all=on"},
        {"train.epochs=2", "train.schedule={step: {milestones: [1]}}", "train.warmup=2", "train.without=dropout"},
        {"train.epochs=1", "c1.batchnorm.statistics=population", "train.population_batches=3"},
        {"train.epochs=1", "train.limit=32", "train.save_every=1e", "train.schedule=cosine"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(!*reported(cases[i]), "case %zu: %s", i, logged);
}
END_TEST

/* Planning decides: with dry plans of the network with and without the setting. */
START_TEST(rules_of_planning)
{
    const char *all = reported(SETTINGS("train.steps=1", "train.exact=on", "train.no_fuse=on", "train.recompute=on"));
    ck_assert_msg(strstr(all, "'exact' has no effect: no layer"), "%s", all);
    ck_assert_msg(!strstr(all, "'no_fuse'"), "%s", all); /* the batch norm's relu would be done with it */
    nm_train_result r;
    logged[0] = '\0';
    ck_assert_done(
        train_with("input: {height: 28, width: 28, channels: 1}\nlayers: [{dense: {units: 10}}]\n"
                   "loss: softmax_ce\ntrain: {data: mnist, steps: 1, recompute: on, no_fuse: on, storage: bf16}\n",
                   NULL, false, NULL, NULL, &r));
    free_result(&r);
    ck_assert_msg(strstr(logged, "'recompute' has no effect") && strstr(logged, "'no_fuse' has no effect") &&
                      strstr(logged, "'storage' has no effect: nothing in this network"),
                  "%s", logged);
    all = reported(SETTINGS("train.steps=1", "train.exact=on", "train.storage=bf16"));
    ck_assert_msg(strstr(all, "'storage' has no effect: with 'exact'"), "%s", all);
}
END_TEST

SUITE_WITH("idle", with_folder, each_is_told, what_has_an_effect_is_not, rules_of_planning)
