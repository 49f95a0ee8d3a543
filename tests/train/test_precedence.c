/* Of two keys that say the same, the one given last wins, and the other goes from the document. */
#include "train_support.h"

static const struct {
    const char *train;                /* what an earlier command line or the file left */
    const char *given[3], *values[3]; /* this one */
    const char *there, *gone;
} cases[] = {
    {"{steps: 5}", {"train.epochs"}, {"2"}, "epochs: 2", "steps"},
    {"{epochs: 5}", {"train.steps"}, {"2"}, "steps: 2", "epochs"},
    {"{epochs: 5}", {"train.steps"}, {"0"}, "epochs: 5", "nothing"},
    {"{steps: 5}", {"train.epochs", "train.steps"}, {"2", "3"}, "epochs: 2", "nothing"},
    {"{optimizer: {sgd: {lr: 0.1, momentum: 0.9}}}", {"train.lr"}, {"0.2"}, "momentum: 0.9", "lr: 0.1"},
    {"{optimizer: {sgd: {lr: 0.1, momentum: 0.9}}}", {"train.momentum"}, {"0.2"}, "lr: 0.1", "momentum: 0.9"},
    {"{lr: 0.3, optimizer: sgd}", {"train.optimizer"}, {"{sgd: {lr: 0.1}}"}, "lr: 0.1", "lr: 0.3"},
    {"{lr: 0.3, optimizer: sgd}", {"train.optimizer.adam.lr"}, {"0.1"}, "lr: 0.1", "lr: 0.3"},
    {"{lr: 0.3, optimizer: sgd}", {"train.optimizer"}, {"adam"}, "lr: 0.3", "sgd"},
    {"{momentum: 0.3, lr: 1}", {"train.optimizer"}, {"{sgd: {momentum: 0.1}}"}, "lr: 1", "momentum: 0.3"},
    {"{schedule: {step: {milestones: [3]}}}", {"train.schedule.step.every"}, {"4"}, "every: 4", "milestones"},
    {"{schedule: {step: {every: 4}}}", {"train.schedule.step.milestones"}, {"[3]"}, "milestones", "every"},
    {"{epochs: 3, steps: 5}", {"train.batch"}, {"4"}, "epochs: 3, steps: 5", "nothing"},
};

START_TEST(last_given_wins)
{
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int count = 0;
        snprintf(text, sizeof text, "layers: [{name: x, relu: {}}]\ntrain: %s\n", cases[i].train);
        nm_yaml *document = parse_model(text);
        for (; count < 3 && cases[i].given[count]; count++)
            ck_assert_done(nm_document_set(ctx, document, cases[i].given[count], cases[i].values[count]));
        nm_settings_settle(document, cases[i].given, count);
        char *out;
        ck_assert_done(nm_model_text(ctx, document, &out));
        ck_assert_msg(strstr(out, cases[i].there) && !strstr(out, cases[i].gone), "case %zu: %s", i, out);
        nm_free(out);
        nm_yaml_free(document);
    }
}
END_TEST

START_TEST(a_document_without_settings)
{
    nm_yaml *document = parse_model("layers: [{name: x, relu: {}}]\n");
    const char *given[] = {"x.name", "train.epochs"};
    nm_settings_settle(document, given, 2);
    nm_yaml_free(document);
}
END_TEST

SUITE_WITH("precedence", with_folder, last_given_wins, a_document_without_settings)
