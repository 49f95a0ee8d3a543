/* norma compare checks every variant before it trains the first, and refuses two that are the same.
 * summary refuses what train refuses. */
#include "grey_png.h"

START_TEST(nothing_is_trained_when_one_is_wrong)
{
    static const struct {
        const char *vary, *word;
    } cases[] = {
        {"optimizer=sgd,adma", "did you mean 'adam'?"},
        {"schedule=cosine,cosin", "did you mean 'cosine'?"},
        {"data=digits,mnist:/nope", "/nope"},
        {"logits.units=10,5", "has 5 classes"},
        {"freeze=c1/*,nobody/*", "nobody/*"},
        {"augment=flip,flop", "flop"},
        {"watch=c1/0,c1/7", "found 7"},
        {"save_every=1e,soon", "'soon'"},
        {"init_from=no.h5,nothing.h5", "nothing.h5"},
        {"optimizer={sgd: {lr: 1}},{sgd: {lrr: 1}}", "'lrr'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        contains(expect(2, "norma compare tiny.yaml --vary '%s' --run c", cases[i].vary).err, cases[i].word);
        ck_assert_msg(access("c", F_OK) != 0, "%s left a folder", cases[i].vary);
    }
    expect(2, "norma compare tiny.yaml --vary schedule=cosine,cosin");
    ck_assert(access("runs", F_OK) != 0);
    said s = expect(2, "norma compare tiny.yaml --vary optimizer=adma,sgdd --run c"); /* all at once */
    contains(s.err, "adma");
    contains(s.err, "sgdd");
    contains(s.err, "the variant optimizer=sgdd cannot be trained");
}
END_TEST

START_TEST(variants_that_are_the_same)
{
    static const char *const same[] = {
        "lrn=on,off",        "seed=1,1",           "lr=0.1,1.0e-1",
        "batch=20000,30000", "limit=0,10000",      "optimizer={sgd: {lr: 0.01}},sgd",
        "watch_every=1,2",   "c1.stride=2,[2, 2]", "epochs=2,2",
        "save_every=16,2e",  "keep=1,2",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        contains(expect(2, "norma compare tiny.yaml --set train.limit=500 --vary '%s' --run c", same[i]).err,
                 "are the same network");
        ck_assert(access("c", F_OK) != 0);
    }
}
END_TEST

/* What an earlier choice in the file leaves is no obstacle: on is on, and steps win over epochs. */
START_TEST(variants_win_over_the_file)
{
    expect(0, "norma compare tiny.yaml --without batchnorm --vary batchnorm=on,off --limit 64 --epochs 1 --run c");
    contains(expect(0, "norma compare tiny.yaml --vary steps=1,2 --steps 9 --run d").err,
             "train.steps=9 has no effect: --vary steps sets it");
    expect(0, "norma compare tiny.yaml --vary optimizer=sgd,adam --momentum 0.5 --steps 1 --run e");
    expect(0, "grep -q '^1,2,' d/steps=2/metrics.csv && norma summary c/batchnorm=on/model.yaml | grep -q batchnorm");
}
END_TEST

START_TEST(folders_of_comparisons)
{
    contains(expect(0, "norma compare tiny.yaml --vary steps=1,2 --set name=a/b").out, "runs/compare-a_b-1/compare");
    expect(0, "for i in 1 2 3; do \"$NORMA_PROGRAM\" compare tiny.yaml --vary steps=1,2 & all=\"$all $!\"; done\n"
              "for p in $all; do wait $p || exit 1; done; test $(ls -d runs/compare-tiny-* | wc -l) = 3");
    /* words that no name can hold */
    expect(0, "mkdir x && cp tiny.yaml x/a.yaml && norma train tiny.yaml --steps 1 --run w && cp w/last.h5 x/1.h5 && "
              "cp w/last.h5 x_1.h5");
    expect(0, "norma compare tiny.yaml --vary init_from=./x/1.h5,./x_1.h5 --steps 1 --run f");
    expect(0, "test -f f/init_from=._x_1.h5/last.h5 -a -f f/init_from=._x_1.h5-2/last.h5");
    /* files that would be replaced, before anything is trained */
    expect(0, "mkdir g && echo precious >g/compare.csv");
    contains(expect(2, "norma compare tiny.yaml --vary steps=1,2 --run g").err, "compare.csv");
    expect(0, "test \"$(ls g)\" = compare.csv && grep -q precious g/compare.csv");
    expect(0, "norma train tiny.yaml --steps 1 --run h/steps=2");
    contains(expect(2, "norma compare tiny.yaml --vary steps=1,2 --run h").err, "holds a run already");
    expect(0, "test ! -e h/steps=1 && norma compare tiny.yaml --vary steps=1,2 --run h --resume");
}
END_TEST

/* Every variant says what was changed, or none goes on. */
START_TEST(going_on_with_a_change)
{
    const char *line = "norma compare tiny.yaml --limit 64 --vary momentum=0.9,0.8 --run r --save-every 1s";
    expect(0, "%s --steps 2", line);
    said s = expect(2, "%s --steps 3 --resume --augment flip", line);
    contains(s.err, "--allow-change augment");
    expect(0, "%s --steps 3 --resume --augment flip --allow-change augment", line);
    expect(0, "for v in 0.9 0.8; do grep -aq 'step 2: augment was nothing, then flip' r/momentum=$v/last.h5 || exit 1; "
              "done");
    contains(expect(0, "norma train tiny.yaml --steps 1 --allow-change augment").err,
             "--allow-change has no effect without --resume");
}
END_TEST

/* What the network takes is named, before the data that are brought to its form. */
START_TEST(another_input)
{
    write_text("g.yaml", "input: {height: 24, width: 24, channels: 1}\nlayers:\n- conv: {filters: 4}\n- gap: {}\n"
                         "- {name: logits, dense: {units: 2}}\nloss: softmax_ce\n"
                         "train: {data: 'images:pics', steps: 2, batch: 4, save_every: 1s}\n");
    expect(0, "mkdir -p pics/a pics/b");
    for (int i = 0; i < 12; i++) {
        uint8_t pixels[30 * 30];
        char path[32];
        for (int p = 0; p < 30 * 30; p++)
            pixels[p] = (uint8_t)(p * (i + 1));
        snprintf(path, sizeof path, "pics/%c/%d.png", 'a' + i % 2, i);
        write_grey_png(path, 30, pixels);
    }
    expect(0, "norma train g.yaml --run g");
    contains(expect(2, "norma train --run g --resume --set input.height=20").err, "24x24x1; found 20x24x1");
}
END_TEST

START_TEST(summary_refuses_what_train_refuses)
{
    static const char *const sets[] = {"train.optimizer=adma",
                                       "train.schedule=cosin",
                                       "train.freeze=nobody/*",
                                       "train.watch=c1/9",
                                       "train.augment=flop",
                                       "train.save_every=soon",
                                       "train.without=nothing",
                                       "train.init_from=no.h5",
                                       "train.epochs=0",
                                       "train.lrr=1",
                                       "train.freeze=[c1/*, logits/*, c1.batchnorm/*]",
                                       "loss={focal: {gama: 1}}"};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        said train = expect(2, "norma train tiny.yaml --set '%s' --run r", sets[i]);
        said summary = expect(2, "norma summary tiny.yaml --set '%s'", sets[i]);
        ck_assert_msg(strcmp(train.err, summary.err) == 0, "train: %s\nsummary: %s", train.err, summary.err);
    }
    /* the data need not be there, nor need there be anything to train */
    expect(0, "norma summary tiny.yaml --set train.data=mnist:/nope");
    write_text("pools.yaml", "input: {height: 8, width: 8, channels: 1}\nlayers: [{maxpool: {size: 2}}]\n");
    expect(0, "norma summary pools.yaml");
}
END_TEST

SUITE_WITH("comparisons' setting up", in_own_folder, nothing_is_trained_when_one_is_wrong, variants_that_are_the_same,
           variants_win_over_the_file, folders_of_comparisons, going_on_with_a_change, another_input,
           summary_refuses_what_train_refuses)
