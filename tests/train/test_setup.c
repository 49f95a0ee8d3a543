/* Setting up: wrong settings, all reported at once; initial values, shared by the arms of a
 * comparison or taken over. */
#include "parse.h"
#include "train_support.h"

START_TEST(wrong_settings)
{
    static const struct {
        const char *setting, *word;
    } cases[] = {
        {"train.lr=fast", "option 'lr' must be a number"},
        {"train.lr=-0.5", "'lr' must be a number"},
        {"train.lrate=1", "unknown option 'lrate'"},
        {"train.epochs=0", "option 'epochs' must be a whole number"},
        {"train.save_every=soon", "'save_every' must be a number of steps (200s) or epochs (1e); found 'soon'"},
        {"train.freeze=nobody/*", "no parameter is called like 'nobody/*'"},
        {"train.freeze='*'", "all are frozen"},
        {"train.without=batchnorn", "no layer type 'batchnorn'"},
        {"train.watch=c1", "expected LAYER/UNIT, found 'c1'"},
        {"train.watch=c9/0", "there is no layer 'c9'"},
        {"train.watch=input/0", "nothing is read by the input 'input'"},
        {"train.watch=c1/1", "reads units 0 to 0, found 1"},
        {"train.optimizer=sgdd", "unknown optimizer 'sgdd' (did you mean 'sgd'?)"},
        {"train.optimizer={sgd: {momentun: 0.9}}", "unknown option 'momentun'"},
        {"train.schedule=cosin", "unknown schedule 'cosin' (did you mean 'cosine'?)"},
        {"train.data=nowhere", "nowhere"},
        {"train.augment=flop", "flop"},
        {"train.init_from=nothing.h5", "nothing.h5: cannot open"},
        {"input.height=30", "expected images of 30x28x1; the data has 28x28x1"},
        {"logits.units=9", "has 9 classes; the data has 10"},
        {"c1.filtres=3", "did you mean 'filters'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nm_train_result r;
        nm_status status = train_with(SMALL_MODEL, in_folder("run"), false, NULL, SETTINGS(cases[i].setting), &r);
        ck_assert_msg(status == NM_INVALID, "%s gave status %d", cases[i].setting, status);
        assert_message(WORDS(cases[i].word));
        ck_assert_msg(access(in_folder("run"), F_OK) != 0, "%s left a run directory", cases[i].setting);
    }
}
END_TEST

/* Several errors, of the settings and of the layers, in one run. */
START_TEST(all_errors_at_once)
{
    nm_train_result r;
    ck_assert_int_eq(train_with(SMALL_MODEL, NULL, false, NULL,
                                SETTINGS("train.lr=fast", "train.epochs=0", "c1.filtres=3", "d1.units=0"), &r),
                     NM_INVALID);
    assert_message(WORDS("'lr'", "'epochs'", "'filtres'", "'units'"));
}
END_TEST

static void digest_param(const nm_network *net, const nm_param *param, char text[NM_DIGEST_SIZE])
{
    nm_digest(&(nm_bytes){nm_param_values(net, param), param->count * sizeof(real)}, 1, text);
}

/* With and without batch norm every shared weight starts with the same values. */
START_TEST(paired_arms)
{
    nm_network *net[2];
    char word[] = "batchnorm", *words[] = {word};
    for (int i = 0; i < 2; i++) {
        nm_strings without = {i, words};
        ck_assert_done(nm_network_build(ctx, parse_model(SMALL_MODEL), &without, &net[i]));
        nm_network_initialise(net[i], 3);
    }
    int shared = 0;
    for (int i = 0; i < net[1]->params; i++) {
        const nm_param *param = &net[1]->param[i];
        int other = nm_network_find_param(net[0], param->name);
        if (other < 0)
            continue;
        char a[NM_DIGEST_SIZE], b[NM_DIGEST_SIZE];
        digest_param(net[1], param, a);
        digest_param(net[0], &net[0]->param[other], b);
        ck_assert_msg(strcmp(a, b) == 0, "%s starts differently", param->name);
        shared++;
    }
    ck_assert_int_ge(shared, 4); /* three weights and the last bias at least */
    ck_assert_int_lt(nm_network_find_param(net[1], "c1.batchnorm/scale"), 0);
    nm_network_initialise(net[1], 4);
    char a[NM_DIGEST_SIZE], b[NM_DIGEST_SIZE];
    digest_param(net[1], &net[1]->param[nm_network_find_param(net[1], "c1/weight")], a);
    digest_param(net[0], &net[0]->param[nm_network_find_param(net[0], "c1/weight")], b);
    ck_assert_str_ne(a, b); /* the comparison can fail */
    nm_network_free(net[0]);
    nm_network_free(net[1]);
}
END_TEST

/* The digest of a new model is over the names and first values of all parameters, in order. */
START_TEST(digest_of_first_values)
{
    nm_train_result r;
    nm_network *net;
    nm_strings none = {0};
    char expected[NM_DIGEST_SIZE];
    ck_assert_done(nm_network_build(ctx, parse_model(SMALL_MODEL), &none, &net));
    nm_network_initialise(net, 7);
    nm_bytes blocks[64];
    ck_assert_int_le(2 * net->params, 64);
    for (int i = 0; i < net->params; i++) {
        const nm_param *param = &net->param[i];
        blocks[2 * i] = (nm_bytes){param->name, strlen(param->name) + 1};
        blocks[2 * i + 1] = (nm_bytes){nm_param_values(net, param), param->count * sizeof(real)};
    }
    nm_digest(blocks, 2 * net->params, expected);
    nm_network_free(net);
    ck_assert_done(train_with(SMALL_MODEL, NULL, false, NULL, SETTINGS("train.steps=1"), &r));
    ck_assert_str_eq(r.model_digest, expected);
    free_result(&r);
}
END_TEST

START_TEST(frozen_and_taken_over)
{
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("a"), false, NULL, SETTINGS("train.steps=6"), &r));
    free_result(&r);
    char from[600];
    snprintf(from, sizeof from, "train.init_from=%s", in_folder("a/last.h5"));
    ck_assert_done(train_with(SMALL_MODEL, in_folder("b"), true, NULL,
                              SETTINGS(from, "train.freeze=[c1/*, d1/weight]", "train.steps=6", "train.seed=9"), &r));
    free_result(&r);
    nm_network *net[2];
    for (int i = 0; i < 2; i++) {
        nm_checkpoint *c;
        ck_assert_done(nm_checkpoint_open(ctx, in_folder(i ? "b/last.h5" : "a/last.h5"), &c));
        ck_assert_done(nm_checkpoint_network(ctx, c, &net[i]));
        nm_checkpoint_free(c);
    }
    for (int i = 0; i < net[0]->params; i++) {
        const nm_param *p = &net[0]->param[i];
        bool frozen = strncmp(p->name, "c1/", 3) == 0 || strcmp(p->name, "d1/weight") == 0;
        bool same = memcmp(nm_param_values(net[0], p), nm_param_values(net[1], &net[1]->param[i]),
                           p->count * sizeof(real)) == 0;
        ck_assert_msg(same == frozen, "%s", p->name);
    }
    nm_network_free(net[0]);
    nm_network_free(net[1]);
}
END_TEST

/* Whatever allocation fails, the run fails with a message, and nothing is left behind (the
 * sanitizer sees).
 */
START_TEST(no_memory)
{
    nm_train_result r;
    const char *const *settings = SETTINGS("train.steps=2", "train.watch=c1/0", "train.keep=0");
    nm_alloc_fail_at(0);
    ck_assert_done(train_with(SMALL_MODEL, in_folder("first"), false, NULL, settings, &r));
    long needed = nm_alloc_count();
    free_result(&r);
    ck_assert_int_gt(needed, 100);
    for (long k = 1; k <= needed; k += needed / 150 + 1) {
        char name[32];
        snprintf(name, sizeof name, "k%ld", k);
        nm_yaml *document = parse_model(SMALL_MODEL);
        for (int i = 0; i < 3; i++)
            ck_assert_done(nm_document_set(ctx, document,
                                           i == 0   ? "train.steps"
                                           : i == 1 ? "train.watch"
                                                    : "train.keep",
                                           i == 0   ? "2"
                                           : i == 1 ? "c1/0"
                                                    : "0"));
        nm_train_request request = {.document = document, .run = in_folder(name)};
        nm_alloc_fail_at(k);
        nm_status status = nm_train(ctx, &request, &r);
        nm_alloc_fail_at(0);
        if (status != NM_OK)
            assert_message(WORDS("out of memory"));
        free_result(&r);
        nm_yaml_free(document);
    }
}
END_TEST

/* Without memory there is no text of what a document does, and none that was freed. */
START_TEST(no_memory_for_the_effect)
{
    nm_yaml *document = parse_model(SMALL_MODEL);
    nm_train_request request = {.document = document};
    char *effect = NULL;
    nm_alloc_fail_at(0);
    ck_assert_done(nm_train_check(ctx, &request, true, &effect));
    long needed = nm_alloc_count();
    nm_free(effect);
    for (long k = 1; k <= needed; k++) {
        effect = NULL;
        nm_alloc_fail_at(k);
        nm_status status = nm_train_check(ctx, &request, true, &effect);
        nm_alloc_fail_at(0);
        ck_assert_msg((status == NM_OK) == (effect != NULL), "allocation %ld of %ld: status %d", k, needed, status);
        nm_errors_clear(ctx);
        nm_free(effect);
    }
    nm_yaml_free(document);
}
END_TEST

SUITE_WITH("setup", with_folder, wrong_settings, all_errors_at_once, paired_arms, digest_of_first_values,
           frozen_and_taken_over, no_memory, no_memory_for_the_effect)
