/* Choices by measuring: what is written into the document, what is remembered; and the rule that
 * sums be exact. */
#include "algorithm_choice.h"
#include "parse.h"
#include "run_suite.h"
#include "train.h"
#include "tune.h"

#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char model[] = "input: {height: 12, width: 12, channels: 16}\n"
                            "layers:\n"
                            "- {name: a, conv: {filters: 16, kernel: 3, pad: same}}\n"
                            "- relu\n"
                            "- {name: b, conv: {filters: 16, kernel: 3, pad: same}}\n"
                            "- relu\n"
                            "- {name: c, conv: {filters: 16, kernel: 3, pad: same, algorithm: im2col}}\n"
                            "- gap\n"
                            "- {name: logits, dense: {units: 10}}\n"
                            "loss: softmax_ce\n"
                            "train: {batch: 4}\n";

static nm_context *ctx;
static char folder[64];

static nm_yaml *document(void)
{
    nm_yaml *d = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", model, strlen(model), &d), NM_OK);
    return d;
}

static nm_network *built(nm_yaml *d)
{
    nm_network *net = NULL;
    ck_assert_msg(nm_network_build(ctx, d, NULL, &net) == NM_OK, "%s", nm_error_message(ctx, 0));
    return net;
}

/* The choice of a layer in a training plan of the network. */
static void chosen(nm_network *net, const char *layer, char *text, size_t size)
{
    nm_request request = {.mode = NM_TRAIN, .batch = 4, .threads = 1, .dry = true};
    nm_plan *plan;
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    int node = nm_network_find(net, layer);
    net->node[node].type->algorithms->chosen(nm_plan_choice(plan, node), text, size);
    nm_plan_free(plan);
}

START_TEST(choices_are_written_and_remembered)
{
    char *text[2], name[128], again[128];
    int measured, known;
    nm_yaml *first = document(), *second = document();
    ck_assert_int_eq(nm_tune(ctx, first, &measured, &known), NM_OK);
    ck_assert_int_eq(measured, 2); /* c has been chosen for */
    ck_assert_int_eq(known, 0);
    ck_assert_int_eq(nm_tune(ctx, second, &measured, &known), NM_OK);
    ck_assert_int_eq(measured, 0);
    ck_assert_int_eq(known, 2);
    ck_assert_int_eq(nm_model_text(ctx, first, &text[0]), NM_OK);
    ck_assert_int_eq(nm_model_text(ctx, second, &text[1]), NM_OK);
    ck_assert_str_eq(text[0], text[1]);
    nm_network *net = built(first);
    chosen(net, "a", name, sizeof name);
    chosen(net, "b", again, sizeof again);
    size_t forward_and_weights = (size_t)(strrchr(again, '/') - again); /* a, the first layer, has no gradient by x */
    ck_assert_msg(strncmp(name, again, forward_and_weights) == 0, "one shape, two choices: %s, %s", name, again);
    char *once = strstr(text[0], again);
    ck_assert_msg(once && strstr(once + 1, again), "%s is not twice in %s", again, text[0]);
    nm_free(text[0]);
    nm_free(text[1]);
    nm_network_free(net);
    nm_yaml_free(second);
}
END_TEST

/* A damaged memory costs the measuring again; one that names a choice that cannot be is an error
 * of the model. */
START_TEST(damaged_memory)
{
    char path[128];
    int measured, known;
    nm_yaml *d = document();
    ck_assert_int_eq(nm_tune(ctx, d, &measured, &known), NM_OK);
    nm_yaml_free(d);
    snprintf(path, sizeof path, "%s/norma/tuned", folder);
    FILE *f = fopen(path, "w");
    fputs("\t\n\n\0no tab\n, batch 4: conv", f);
    fclose(f);
    d = document();
    ck_assert_int_eq(nm_tune(ctx, d, &measured, &known), NM_OK);
    ck_assert_int_eq(measured, 2);
    nm_yaml_free(d);
}
END_TEST

START_TEST(exact_sums_alone)
{
    char name[128], exact[128];
    nm_network *net = built(document());
    chosen(net, "a", name, sizeof name);
    net->exact = true;
    chosen(net, "a", exact, sizeof exact);
    ck_assert_ptr_nonnull(strstr(name, "winograd"));
    ck_assert_ptr_null(strstr(exact, "winograd"));
    nm_network_free(net);
}
END_TEST

/* What is measured for exact sums is exact too, also where other choices are remembered. */
START_TEST(exact_choices)
{
    nm_yaml *d = document();
    char *text;
    for (int i = 0; i < 2; i++) {
        int measured, known;
        nm_yaml_free(d);
        d = document();
        ck_assert_int_eq(nm_document_set(ctx, d, "train.exact", i ? "true" : "false"), NM_OK);
        ck_assert_int_eq(nm_tune(ctx, d, &measured, &known), NM_OK);
        ck_assert_int_eq(measured, 2);
    }
    ck_assert_int_eq(nm_model_text(ctx, d, &text), NM_OK);
    ck_assert_msg(!strstr(text, "winograd"), "%s", text);
    nm_free(text);
    nm_yaml_free(d);
}
END_TEST

START_TEST(a_choice_for_each_pass)
{
    char name[128];
    nm_yaml *d = document();
    ck_assert_int_eq(nm_document_set(ctx, d, "a.algorithm", "winograd_1d/im2col/winograd_2x2"), NM_OK);
    nm_network *net = built(d);
    chosen(net, "a", name, sizeof name);
    ck_assert_str_eq(name, "winograd_1d/im2col/auto"); /* the first layer's gradient by x is not computed */
    nm_network_free(net);
    d = document();
    ck_assert_int_eq(nm_document_set(ctx, d, "b.algorithm", "winograd_1d/im2col/winograd_2x2"), NM_OK);
    net = built(d);
    chosen(net, "b", name, sizeof name);
    ck_assert_str_eq(name, "winograd_1d/im2col/winograd_2x2");
    nm_network_free(net);
    d = document();
    ck_assert_int_eq(nm_document_set(ctx, d, "a.algorithm", "auto/winograd_3d/auto"), NM_OK);
    ck_assert_int_eq(nm_network_build(ctx, d, NULL, &net), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "unknown algorithm 'winograd_3d' (did you mean 'winograd_"));
}
END_TEST

static void set_up_folder(void)
{
    ctx = nm_context_new();
    snprintf(folder, sizeof folder, "/tmp/norma-tune-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("XDG_CACHE_HOME", folder, 1);
}

static void clear_folder(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/norma/tuned", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/norma", folder);
    rmdir(path);
    rmdir(folder);
    nm_context_free(ctx);
}

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_folder, clear_folder);
}

SUITE_WITH("tune", set_up, choices_are_written_and_remembered, damaged_memory, exact_sums_alone, exact_choices,
           a_choice_for_each_pass)
