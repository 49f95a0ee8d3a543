/* The arms of a comparison are paired: the same seed gives the same initial values in every shared
 * parameter and the same batches, augmented alike, whatever other layers there are. */
#include "train_run.h"
#include "train_support.h"

#define AUGMENTED "train.augment=[flip, pad-crop=2, affine=0.5, cutout=4]"
enum { STEPS = 25 }; /* two epochs and a half */

typedef struct arm {
    int params;
    char name[16][32], value[16][NM_DIGEST_SIZE];
    char batches[NM_DIGEST_SIZE];
} arm;

static void digest_params(const nm_network *net, arm *out)
{
    out->params = net->params;
    ck_assert_int_le(net->params, 16);
    for (int i = 0; i < net->params; i++) {
        const nm_param *p = &net->param[i];
        snprintf(out->name[i], sizeof out->name[i], "%s", p->name);
        nm_digest(&(nm_bytes){nm_param_values(net, p), p->count * sizeof(real)}, 1, out->value[i]);
    }
}

static void digest_batches(const nm_train_run *t, arm *out)
{
    char chain[NM_DIGEST_SIZE] = "";
    size_t sample = nm_shape_size(t->data->train.shape);
    for (int i = 0; i < STEPS; i++) {
        const nm_loaded *b = nm_train_run_next(t, t->loader);
        size_t n = (size_t)b->n;
        nm_bytes blocks[] = {{chain, strlen(chain)},
                             {b->indices, n * sizeof *b->indices},
                             {b->labels, n * sizeof *b->labels},
                             {b->x, n * sample * sizeof *b->x}};
        char next[NM_DIGEST_SIZE];
        nm_digest(blocks, 4, next);
        strcpy(chain, next);
    }
    strcpy(out->batches, chain);
}

static void start(const char *text, const char *const *settings, arm *out)
{
    nm_yaml *document = parse_model(text);
    for (; *settings; settings++) {
        char key[64];
        const char *equals = strchr(*settings, '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - *settings), *settings);
        ck_assert_done(nm_document_set(ctx, document, key, equals + 1));
    }
    nm_train_request request = {.document = document};
    nm_train_result result = {0};
    nm_train_run t;
    ck_assert_done(nm_train_run_open(ctx, &request, &t, &result));
    digest_params(t.net, out);
    digest_batches(&t, out);
    nm_train_run_close(&t);
    free_result(&result);
    nm_yaml_free(document);
}

static int shared_params(const arm *a, const arm *b, bool same)
{
    int shared = 0;
    for (int i = 0; i < a->params; i++)
        for (int k = 0; k < b->params; k++) {
            if (strcmp(a->name[i], b->name[k]) != 0)
                continue;
            shared++;
            if (same)
                ck_assert_msg(strcmp(a->value[i], b->value[k]) == 0, "%s differs", a->name[i]);
        }
    return shared;
}

START_TEST(with_and_without_batchnorm)
{
    static arm with, without;
    start(SMALL_MODEL, SETTINGS(AUGMENTED), &with);
    start(SMALL_MODEL, SETTINGS(AUGMENTED, "train.without=[batchnorm]"), &without);
    ck_assert_int_eq(shared_params(&with, &without, true), 6); /* weight and bias of three layers */
    ck_assert_str_eq(with.batches, without.batches);
    ck_assert_int_gt(with.params, without.params);
}
END_TEST

START_TEST(another_layer_shifts_nothing)
{
    static arm small, larger;
    char text[2048];
    const char *at = strstr(SMALL_MODEL, "- {name: d1");
    snprintf(text, sizeof text,
             "%.*s- {name: extra, conv: {filters: 4, kernel: 3, pad: same}}\n- dropout: {rate: 0.5}\n%s",
             (int)(at - SMALL_MODEL), SMALL_MODEL, at);
    start(SMALL_MODEL, SETTINGS(AUGMENTED), &small);
    start(text, SETTINGS(AUGMENTED), &larger);
    ck_assert_int_eq(larger.params, small.params + 2);
    ck_assert_int_eq(shared_params(&small, &larger, true), small.params);
    ck_assert_str_eq(small.batches, larger.batches);
}
END_TEST

/* So that the digests above mean something. */
START_TEST(another_seed_changes_all)
{
    static arm a, b;
    start(SMALL_MODEL, SETTINGS(AUGMENTED), &a);
    start(SMALL_MODEL, SETTINGS(AUGMENTED, "train.seed=8"), &b);
    ck_assert_int_eq(shared_params(&a, &b, false), a.params);
    ck_assert_str_ne(a.batches, b.batches);
    for (int i = 0; i < a.params; i++)
        if (strcmp(a.name[i], "c1/weight") == 0)
            ck_assert_str_ne(a.value[i], b.value[i]);
}
END_TEST

SUITE_WITH("paired runs", with_folder, with_and_without_batchnorm, another_layer_shifts_nothing,
           another_seed_changes_all)
