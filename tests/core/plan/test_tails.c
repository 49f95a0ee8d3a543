/* The table of plan_fuse.c: what each head takes, in training and in evaluation, and the values
 * that it finds in its tail. */
#include "fusion_check.h"
#include "layer_check.h"
#include "run_suite.h"
#include "with_context.h"

#include <string.h>

enum { EVALUATION, GRADIENTS, TRAINING, MODES };

static nm_plan *plan_of(nm_network *net, int mode)
{
    const nm_request request = {.mode = mode == TRAINING ? NM_TRAIN : NM_EVAL,
                                .batch = FUSION_BATCH,
                                .threads = 1,
                                .gradients = mode == GRADIENTS};
    nm_plan *plan;
    ck_assert_msg(nm_plan_new(net, &request, &plan) == NM_OK, "%s", nm_error_message(ctx, 0));
    return plan;
}

/* A letter for each part, in their order. */
static const char *letters_of(const nm_tail *t)
{
    return text("%s%s%s%s", t->normalises ? "n" : "", t->adds ? "a" : "", t->rectifies ? "r" : "", t->pools ? "p" : "");
}

/* Behind `a`, whose input gives gradients: a head, 18 channels of 12x14, and what follows. */
static void check_tail(const char *head, const char *after, int mode, const char *expected)
{
    const char *layers = text("- {name: a, conv: {filters: 18, kernel: 1}}\n- {name: x, tanh: {}}\n- {name: h, %s}\n%s"
                              "- tanh\n- {name: end, dense: {units: 3}}\nloss: softmax_ce\n",
                              head, after);
    nm_network *net = fusion_network(ctx, layers, (nm_shape){12, 14, 20});
    nm_plan *plan = plan_of(net, mode);
    const nm_tail *tail = &plan->node[nm_network_find(net, "h")].tail;
    ck_assert_msg(strcmp(letters_of(tail), expected) == 0, "in mode %d took '%s' instead of '%s' of\n%s", mode,
                  letters_of(tail), expected, layers);
    ck_assert_int_eq(tail->layers, (int)strlen(expected));
    nm_plan_free(plan);
    nm_network_free(net);
}

#define NORM "- {name: n, batchnorm: {}}\n"
#define GHOSTS "- {name: n, batchnorm: {ghost: 2}}\n"
#define SUM "- {name: s, add: {}, from: [n, x]}\n"
#define SUM_OF_HEAD "- {name: s, add: {}, from: [h, x]}\n"
#define POOL "- maxpool: {size: 2}\n"

START_TEST(each_head_takes_what_the_table_says)
{
    static const char winograd[] = "conv: {filters: 18, kernel: 3, pad: 1, algorithm: winograd_4x4}";
    static const char im2col[] = "conv: {filters: 18, kernel: 3, pad: 1, algorithm: im2col}";
    static const char depthwise[] = "conv: {filters: 18, kernel: 3, pad: 1, groups: 18}";
    static const char norm[] = "batchnorm: {}", ghosts[] = "batchnorm: {ghost: 2}";
    static const char sum[] = "add: {}, from: [x, a]";
    static const struct {
        const char *head, *after, *tail[MODES]; /* in evaluation, there with gradients, in training */
    } rows[] = {
        {winograd, NORM "- relu\n" POOL, {"nrp", "", "nrp"}},
        {winograd, NORM SUM "- relu\n" POOL, {"narp", "", "nar"}},
        {winograd, NORM POOL "- relu\n", {"np", "", "np"}},
        {winograd, NORM "- relu\n- maxpool: {size: 3, stride: 2}\n", {"nr", "", "nr"}},
        {winograd, NORM "- leaky\n", {"n", "", "n"}},
        {winograd, GHOSTS "- relu\n", {"nr", "", ""}},
        {winograd, "- relu\n" NORM, {"r", "", ""}},
        {winograd, SUM_OF_HEAD "- relu\n", {"ar", "", ""}},
        {winograd, "- tanh\n", {"", "", ""}},
        {im2col, NORM SUM "- relu\n" POOL, {"nar", "", "nar"}},
        {im2col, NORM "- relu\n" POOL, {"nr", "", "nrp"}},
        {depthwise, NORM SUM "- relu\n", {"n", "", "nar"}},
        {norm, "- relu\n" POOL, {"rp", "rp", "rp"}},
        {norm, SUM_OF_HEAD "- relu\n" POOL, {"ar", "ar", "ar"}},
        {norm, NORM, {"", "", ""}},
        {ghosts, SUM_OF_HEAD, {"", "", ""}},
        {ghosts, "- relu\n" POOL, {"rp", "rp", "rp"}},
        {sum, "- relu\n" POOL, {"r", "r", "r"}},
        {sum, NORM, {"", "", ""}},
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (int mode = 0; mode < MODES; mode++)
            check_tail(rows[k].head, rows[k].after, mode, rows[k].tail[mode]);
}
END_TEST

/* Values, not names: what a head reads of the layers behind it. */
START_TEST(a_tail_has_the_values_of_its_layers)
{
    const char *layers =
        "- {name: x, conv: {filters: 18, kernel: 1}}\n- {name: h, conv: {filters: 18, kernel: 3, pad: 1,"
        " algorithm: winograd_4x4}}\n- {name: n, batchnorm: {epsilon: 0.25, rate: 0.5, affine: false}}\n"
        "- {name: s, add: {}, from: [x, n]}\n- {name: p, maxpool: {size: 2}}\n";
    nm_network *net = fusion_network(ctx, layers, (nm_shape){13, 14, 20});
    nm_plan *plan = plan_of(net, EVALUATION);
    const nm_tail *t = &plan->node[nm_network_find(net, "h")].tail;
    ck_assert_str_eq(letters_of(t), "nap");
    ck_assert_double_eq(t->normalisation.epsilon, 0.25);
    ck_assert_double_eq(t->normalisation.rate, 0.5);
    ck_assert(!t->normalisation.affine && !t->normalisation.ghost);
    ck_assert_int_eq(t->normalisation.running_mean, 0);
    ck_assert_int_eq(t->normalisation.running_var, 1);
    ck_assert(t->window.kernel[0] == 2 && t->window.stride[1] == 2);
    ck_assert(t->pool_in.h == 13 && t->pool_out.h == 6 && t->pool_out.w == 7);
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST

SUITE_WITH("tails", with_context, each_head_takes_what_the_table_says, a_tail_has_the_values_of_its_layers)
