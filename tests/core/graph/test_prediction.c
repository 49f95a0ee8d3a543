/* What a network predicts: scores or probabilities, judged by which loss; and losses that are given
 * the wrong one. */
#include "network.h"
#include "parse.h"
#include "run_suite.h"
#include "with_context.h"

#include <string.h>

#define HEAD "input: {height: 4, width: 4, channels: 2}\nlayers:\n- {name: hidden, dense: {units: 3}}\n"
#define LOGITS HEAD "- {name: logits, dense: {units: 3}}\n"

static nm_status build(const char *text, nm_network **net)
{
    nm_yaml *document;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", text, strlen(text), &document), NM_OK);
    return nm_network_build(ctx, document, NULL, net);
}

static const struct {
    const char *text;
    int judge;
    nm_activation apply, output;
} known[] = {
    {LOGITS "loss: softmax_ce\n", 0, NM_SOFTMAX, NM_LINEAR},
    {LOGITS "loss: focal\n", 0, NM_SOFTMAX, NM_LINEAR},
    {LOGITS "loss: sigmoid_ce\n", 0, NM_SIGMOID, NM_LINEAR},
    {LOGITS "loss: hinge\n", 0, NM_LINEAR, NM_LINEAR},
    {LOGITS "loss: mse\n", 0, NM_LINEAR, NM_LINEAR},
    {LOGITS, -1, NM_LINEAR, NM_LINEAR},
    {LOGITS "- softmax\nloss: mse\n", 0, NM_LINEAR, NM_SOFTMAX},
    {LOGITS "- sigmoid\n- flatten\n- {dropout: {rate: 0.5}}\nloss: l1\n", 0, NM_LINEAR, NM_SIGMOID},
    {LOGITS "- {name: p, softmax: {}}\nloss: {softmax_ce: {}, from: logits}\noutput: p\n", 0, NM_LINEAR, NM_SOFTMAX},
    {LOGITS "- {name: p, softmax: {}}\nloss: {mse: {}, from: p}\noutput: logits\n", 0, NM_LINEAR, NM_LINEAR},
    /* numbers of the same shape that are no scores of these classes */
    {LOGITS "loss: {softmax_ce: {}, from: logits}\noutput: hidden\n", -1, NM_LINEAR, NM_LINEAR},
    {LOGITS "- {name: b, batchnorm: {}}\nloss: {softmax_ce: {}, from: logits}\noutput: b\n", -1, NM_LINEAR, NM_LINEAR},
    /* two heads: the one that is predicted, or what both make */
    {LOGITS "loss: [{softmax_ce: {}, from: hidden}, {sigmoid_ce: {}, from: logits}]\noutput: logits\n", 1, NM_SIGMOID,
     NM_LINEAR},
    {LOGITS "- {name: sum, add: {}, from: [hidden, logits]}\n"
            "loss: [{softmax_ce: {}, from: hidden}, {softmax_ce: {}, from: sum}]\n",
     0, NM_SOFTMAX, NM_LINEAR},
    /* a target within the network says nothing about classes */
    {HEAD "- {name: a, dense: {units: 3}}\nloss: {mse: {}, target: hidden}\n", -1, NM_LINEAR, NM_LINEAR},
};

START_TEST(predictions)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        nm_network *net;
        ck_assert_msg(build(known[i].text, &net) == NM_OK, "%s: %s", known[i].text, nm_error_message(ctx, 0));
        ck_assert_msg(net->judge == known[i].judge, "%s: judge %d", known[i].text, net->judge);
        ck_assert_msg(net->apply == known[i].apply, "%s: apply %s", known[i].text, nm_activation_name(net->apply));
        ck_assert_msg(net->node[net->output].activation == known[i].output, "%s", known[i].text);
        nm_network_free(net);
    }
}
END_TEST

static const struct {
    const char *text, *message;
} wrongs[] = {
    {LOGITS "- softmax\nloss: softmax_ce\n", "softmax_ce: takes scores and applies softmax itself, but its prediction "
                                             "'logits.softmax' is already probabilities, by softmax"},
    {LOGITS "- {name: p, softmax: {}}\nloss: softmax_ce\n", "keep it as `output: p` and give the loss `from: logits`"},
    {LOGITS "- softmax\nloss: {focal: {}}\n", "m:6:8: loss focal: takes scores"},
    {LOGITS "- softmax\n- {reshape: {channels: 3}}\n- flatten\nloss: softmax_ce\n", "takes scores"},
    {LOGITS "- softmax\n- {dropout: {rate: 0.2}}\nloss: softmax_ce\n", "takes scores"},
    {HEAD "- {name: d, dense: {units: 3, activation: softmax}}\nloss: softmax_ce\n",
     "already probabilities: remove `activation: softmax` from dense 'd'"},
    {LOGITS "- sigmoid\nloss: sigmoid_ce\n", "sigmoid_ce: takes scores and applies sigmoid itself"},
    {LOGITS "- softmax\nloss: sigmoid_ce\n", "sigmoid_ce: takes scores"},
    {"input: {height: 4, width: 4, channels: 2}\nlayers:\n- softmax\n- gap\nloss: softmax_ce\n", "takes scores"},
    {LOGITS "- softmax\nloss: [{softmax_ce: {}, from: logits}, {focal: {}}]\n", "focal: takes scores"},
};

START_TEST(losses_of_scores_take_no_probabilities)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        nm_network *net;
        nm_errors_clear(ctx);
        ck_assert_msg(build(wrongs[i].text, &net) == NM_INVALID, "%s", wrongs[i].text);
        ck_assert_msg(strstr(nm_error_message(ctx, 0), wrongs[i].message) != NULL, "%s: %s", wrongs[i].text,
                      nm_error_message(ctx, 0));
    }
}
END_TEST

SUITE_WITH("prediction", with_context, predictions, losses_of_scores_take_no_probabilities)
