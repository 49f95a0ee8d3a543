/* What stands on the command line: words are words, and a mistake is blamed on the flag that made
 * it. */
#include "program.h"

START_TEST(words_are_words)
{
    expect(0, "mkdir -p 'set #1/a' 'set #1/b' 'x: y/a' 'x: y/b' set/c");
    said s = expect(2, "norma train tiny.yaml --data 'images:set #1' --run r");
    contains(s.err, "set #1"); /* empty folders, but the right ones */
    contains(expect(2, "norma train tiny.yaml --data 'images:x: y' --run r").err, "x: y");
    contains(expect(2, "norma train tiny.yaml --data '~' --run r").err, "unknown data set '~'");
    contains(expect(2, "norma train tiny.yaml --data null --run r").err, "unknown data set 'null'");
    contains(expect(2, "norma train tiny.yaml --set 'train.data=a: #b' --run r").err, "unknown data set 'a'");
    contains(expect(2, "norma compare tiny.yaml --vary 'data=*,& #b' --run r").err, "*");
    expect(0, "norma train tiny.yaml --steps 2 --freeze '*/bias' --set 'name=&a: *b #c' --run r");
    contains(read_text("r/model.yaml"), "freeze: \"*/bias\"");
    expect(0, "norma train --resume --run r --steps 3");
    contains(expect(0, "norma summary r/model.yaml").out, "&a: *b #c");
    expect(0, "norma train tiny.yaml --steps 2 --freeze '[\"*/bias\", c1/weight]' --run q");
}
END_TEST

static const struct {
    const char *arguments, *message;
} mistakes[] = {
    {"--steps 2000000000", "norma: --steps must be a whole number from 0 to 1000000000; found '2000000000'\n"},
    {"--lr 1e30", "norma: --lr must be a number from 0 to 1e9; found '1e30'\n"},
    {"--lr -1", "norma: --lr must be a number from 0 to 1e9; found '-1'\n"},
    {"--lr=-0.5", "norma: --lr must be a number from 0 to 1e9; found '-0.5'\n"},
    {"--momentum -1", "norma: --momentum must be a number from 0 to 1; found '-1'\n"},
    {"--seed 4294967296", "norma: --seed must be a whole number from 0 to 2147483647; found '4294967296'\n"},
    {"--seed 1.5", "norma: --seed must be a whole number from 0 to 2147483647; found '1.5'\n"},
    {"--batch ''", "norma: --batch must be a whole number from 1 to 1000000; found ''\n"},
    {"--epochs null", "norma: --epochs must be a whole number from 1 to 1000000000; found 'null'\n"},
    {"--eval-batch 0", "norma: --eval-batch must be a whole number from 1 to 1000000; found '0'\n"},
    {"--l2 many", "norma: --l2 must be a number from 0 to 1e9; found 'many'\n"},
    {"--optimizer sdg", "norma: --optimizer: train: unknown optimizer 'sdg' (did you mean 'sgd'?)\n"},
    {"--optimizer '{sgd: {momentum: 7}}'", "norma: --optimizer: sgd: option 'momentum' must be a number from 0 to "},
    {"--optimizer '{sgd: {'", "norma: --optimizer:2:1: not YAML"},
    {"--schedule cosin", "norma: --schedule: train: unknown schedule 'cosin' (did you mean 'cosine'?)\n"},
    {"--save-every 3x", "norma: --save-every: train: option 'save_every' must be a number of steps (200s)"},
    {"--without batchnrm", "norma: --without: train: option 'without': there is no layer type 'batchnrm'"},
    {"--freeze nobody", "norma: --freeze: train: option 'freeze': no parameter is called like 'nobody'"},
    {"--watch c1", "norma: --watch: train: option 'watch': expected LAYER/UNIT, found 'c1'"},
    {"--data nope", "norma: --data: unknown data set 'nope'"},
    {"--augment flop", "norma: --augment: augment: unknown 'flop' (did you mean 'flip'?)"},
    {"--set c1.filters=0", "norma: --set c1.filters: conv 'c1': option 'filters' must be a whole number from 1 to "},
    {"--set c1.filtres=3", "norma: --set c1.filtres: conv 'c1': unknown option 'filtres' (did you mean 'filters'?)\n"},
    {"--set c9.filters=3", "norma: --set c9.filters: tiny.yaml has no layer or key 'c9' (did you mean 'c1'?)"},
    {"--set trian.lr=3", "norma: --set trian.lr: tiny.yaml has no layer or key 'trian'"},
    {"--set epochs=3", "norma: --set epochs: tiny.yaml has no key 'epochs'; did you mean train.epochs?\n"},
    {"--set train.epoch=3", "norma: --set train.epoch: train: unknown option 'epoch' (did you mean 'epochs'?)\n"},
    {"--set 'layers=[{dens: {}}]'", "norma: --set layers: unknown layer type 'dens' (did you mean 'dense'?)\n"},
    {"--set 'loss=sofmax_ce'", "norma: --set loss: unknown loss 'sofmax_ce' (did you mean 'softmax_ce'?)\n"},
};

START_TEST(mistakes_are_blamed_on_the_flag)
{
    said s = expect(2, "norma train tiny.yaml --run r %s", mistakes[_i].arguments);
    contains(s.err, mistakes[_i].message);
    expect(0, "test ! -e r/last.h5");
}
END_TEST

START_TEST(variants_are_blamed_on_vary)
{
    contains(expect(2, "norma compare tiny.yaml --vary lr=0.1,-1 --run c").err,
             "norma: --vary lr: train: option 'lr' must be a number from 0 to 1e9; found '-1'\n");
}
END_TEST

START_TEST(presets_as_they_are)
{
    said s = expect(0, "norma train --help; norma layers train");
    ck_assert_ptr_null(strstr(s.out, "-1:"));
    contains(s.out, "preset: the optimizer's own");
}
END_TEST

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
    tcase_add_loop_test(tcase, mistakes_are_blamed_on_the_flag, 0, sizeof mistakes / sizeof *mistakes);
}

SUITE_WITH("command line", set_up, words_are_words, variants_are_blamed_on_vary, presets_as_they_are)
