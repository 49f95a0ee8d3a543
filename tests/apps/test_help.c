/* Help: of every command in every way people ask for it, unknown flags, the ready models,
 * completions. */
#include "program.h"

START_TEST(help_in_every_way)
{
    char *list = expect(0, "norma help").out, command[32];
    ck_assert_str_eq(list, expect(0, "norma --help").out);
    ck_assert_str_eq(list, expect(0, "norma -h").out);
    ck_assert_str_eq(list, expect(2, "norma").out);
    int found = 0;
    for (char *at = list; (at = strstr(at, "\n  norma ")); at++) {
        if (sscanf(at, "\n  norma %31s", command) != 1 || strstr(at, "To begin with") == NULL)
            continue;
        char *help = expect(0, "norma %s --help", command).out;
        contains(help, "Usage: norma ");
        ck_assert_str_eq(help, expect(0, "norma help %s", command).out);
        ck_assert_str_eq(help, expect(0, "norma %s -h", command).out);
        ck_assert_str_eq(help, expect(0, "norma %s '-?'", command).out);
        for (char *line = help; *line; line += strcspn(line, "\n") + 1)
            ck_assert_msg(strcspn(line, "\n") <= 104, "%s: a line is too wide: %.120s", command, line);
        found++;
    }
    ck_assert_int_ge(found, 18);
    contains(expect(2, "norma help trian").err, "did you mean 'train'?");
    contains(expect(2, "norma fit").err, "norma calls it 'train'");
}
END_TEST

static const struct {
    const char *command, *message;
} unknown[] = {
    {"train --epochz 3", "norma: train: unknown flag '--epochz' (did you mean '--epochs'?)\n"},
    {"train --batch-size 3", "norma: train: unknown flag '--batch-size': norma calls it '--batch'\n"},
    {"train --batch_size=3", "norma: train: unknown flag '--batch_size': norma calls it '--batch'\n"},
    {"train --learning-rate 3", "norma: train: unknown flag '--learning-rate': norma calls it '--lr'\n"},
    {"train --weight-decay 3", "norma: train: unknown flag '--weight-decay': norma calls it '--l2'\n"},
    {"train --eval_every 3", "norma: train: unknown flag '--eval_every' (did you mean '--eval-every'?)\n"},
    {"train --device cuda", "norma: train: unknown flag '--device': norma runs on CPUs: leave it out\n"},
    {"train --xyzzy", "norma: train: unknown flag '--xyzzy' ('norma train --help' lists all)\n"},
    {"compare --vari lr=1", "norma: compare: unknown flag '--vari' (did you mean '--vary'?)\n"},
    {"eval r --jsn", "norma: eval: unknown flag '--jsn' (did you mean '--json'?)\n"},
    {"predict r x.png --topp 3", "norma: predict: unknown flag '--topp' (did you mean '--top'?)\n"},
    {"summary --bacth 3", "norma: summary: unknown flag '--bacth' (did you mean '--batch'?)\n"},
    {"models --jsom", "norma: models: unknown flag '--jsom' (did you mean '--json'?)\n"},
};

START_TEST(unknown_flags)
{
    said s = expect(2, "norma %s", unknown[_i].command);
    ck_assert_str_eq(s.err, unknown[_i].message);
}
END_TEST

START_TEST(abbreviations_and_values)
{
    expect(0, "norma train tiny.yaml --epoch 1 --limi 64 --run --odd"); /* a value that looks like a flag */
    expect(0, "test -f ./--odd/last.h5");
}
END_TEST

START_TEST(other_names)
{
    contains(expect(0, "norma layers Conv2d").out, "'Conv2d': norma calls it 'conv'\n\nconv: ");
    contains(expect(0, "norma layers CrossEntropyLoss").out, "norma calls it 'softmax_ce'");
    contains(expect(0, "norma layers StepLR").out, "norma calls it 'step'");
    contains(expect(0, "norma layers RELU").out, "norma calls it 'relu'");
    contains(expect(2, "norma layers Conv3d").err, "two dimensions");
    contains(expect(2, "norma layers rellu").err, "did you mean 'relu'?");
    contains(expect(2, "norma train tiny.yaml --optimizer Adam").err, "norma calls it 'adam'");
    contains(expect(2, "norma train tiny.yaml --optimizer RMSprop").err, "norma has adam and adamw");
    contains(expect(2, "norma train tiny.yaml --schedule CosineAnnealingLR").err, "norma calls it 'cosine'");
    contains(expect(2, "norma train tiny.yaml --data MNIST").err, "did you mean 'mnist'?");
    contains(expect(2, "norma train tiny.yaml --set train.batch_size=3").err, "norma calls it 'batch'");
    contains(expect(2, "norma summary ResNet20").err, "did you mean 'resnet20'?");
}
END_TEST

START_TEST(lists_models)
{
    said s = expect(0, "norma models");
    contains(s.out, "\nresnet20 ");
    contains(s.out, "99.1 %");
    json_t *all = parse_json(expect(0, "norma models --json").out), *one;
    size_t i;
    ck_assert_uint_ge(json_array_size(all), 20);
    json_array_foreach(all, i, one)
    {
        ck_assert_msg(*text_at(one, "what") && *text_at(one, "reaches"), "%s: what is it, what does it reach?",
                      text_at(one, "name"));
        if (strcmp(text_at(one, "name"), "resnet20") == 0)
            ck_assert(number_at(one, "parameters") == 272474 && number_at(one, "multiply_adds") == 40813184);
    }
    json_decref(all);
}
END_TEST

/* What bash would offer for a line; `words` are its words, the last one unfinished. */
#define offered(count, words)                                                                                          \
    expect(0, "norma completions bash >c.bash && bash -c '. ./c.bash; norma() { \"$NORMA_PROGRAM\" \"$@\"; }; "        \
              "COMP_WORDS=(" words "); COMP_CWORD=" #count "; _norma; printf \"%%s\\n\" \"${COMPREPLY[@]}\"'")         \
        .out

START_TEST(completes)
{
    contains(offered(1, "norma tr"), "train\ntrace\n");
    contains(offered(1, "norma h"), "help\n");
    contains(offered(2, "norma help su"), "summary\n");
    contains(offered(2, "norma train --ep"), "--epochs\n");
    contains(offered(2, "norma compare --v"), "--vary\n");
    contains(offered(2, "norma summary resnet2"), "resnet20\n");
    contains(offered(2, "norma summary ./ti"), "./tiny.yaml\n");
    contains(offered(2, "norma eval --j"), "--json\n");
    expect(0, "norma completions zsh >_norma && norma completions fish >norma.fish");
    contains(expect(0, "cat norma.fish").out, "-l epochs -r -d 'passes over the training samples (preset 10)'");
    contains(expect(0, "cat _norma").out, "#compdef norma");
    expect(0, "if command -v zsh; then zsh -n _norma; fi; if command -v fish; then fish -n norma.fish; fi");
    contains(expect(2, "norma completions tcsh").err, "bash, zsh, fish");
}
END_TEST

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
    tcase_add_loop_test(tcase, unknown_flags, 0, sizeof unknown / sizeof *unknown);
}

SUITE_WITH("help", set_up, help_in_every_way, abbreviations_and_values, other_names, lists_models, completes)
