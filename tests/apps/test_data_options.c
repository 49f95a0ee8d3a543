/* What the program makes of data by options: limit and shuffle. */
#include "program.h"

#define MODEL                                                                                                          \
    "name: tiny\ninput: {height: 4, width: 4, channels: 1}\nlayers:\n  - {name: l, dense: {units: 2}}\n"               \
    "loss: softmax_ce\ntrain: {data: \"idx:d\", epochs: 4, batch: 8, lr: 0.5}\n"

/* Sorted by class, as folders of classes are read: 200 dark images, then 200 bright ones. */
static void write_sorted_data(void)
{
    enum { COUNT = 400, SIZE = 16 };
    static unsigned char images[16 + COUNT * SIZE] = {0, 0, 8, 3, 0, 0, 1, 144, 0, 0, 0, 4, 0, 0, 0, 4};
    static unsigned char labels[8 + COUNT] = {0, 0, 8, 1, 0, 0, 1, 144};
    for (int i = 0; i < COUNT; i++) {
        labels[8 + i] = i >= COUNT / 2;
        for (int k = 0; k < SIZE; k++)
            images[16 + i * SIZE + k] = (unsigned char)((i >= COUNT / 2 ? 120 : 0) + (i * 31 + k * 7) % 130);
    }
    ck_assert_int_eq(mkdir("d", 0777), 0);
    write_bytes("d/train-images-idx3-ubyte", images, sizeof images);
    write_bytes("d/train-labels-idx1-ubyte", labels, sizeof labels);
    write_bytes("d/t10k-images-idx3-ubyte", images, sizeof images);
    write_bytes("d/t10k-labels-idx1-ubyte", labels, sizeof labels);
}

/* The first 32 samples are of one class: a network that has seen only these says it of every image.
 */
START_TEST(limit_is_no_single_class)
{
    write_sorted_data();
    write_text("m.yaml", MODEL);
    expect(0, "norma train m.yaml --limit 32 --run r");
    json_t *e = parse_json(expect(0, "norma eval r --json").out);
    ck_assert_msg(number_at(e, "accuracy") > 0.9, "accuracy %g", number_at(e, "accuracy"));
    json_decref(e);
    e = parse_json(expect(0, "norma eval r --limit 40 --json").out);
    ck_assert_int_eq((int)number_at(e, "samples"), 40);
    for (size_t c = 0; c < 2; c++)
        ck_assert(number_at(entry_of(json_object_get(e, "per_class"), c), "samples") > 8);
    json_decref(e);
    said again = expect(0, "norma eval r --limit 40 --json"), once = expect(0, "norma eval r --limit 40 --json");
    ck_assert_str_eq(again.out, once.out);
    /* a run that goes on takes the same samples as one that was not interrupted */
    expect(0, "norma train m.yaml --limit 32 --steps 7 --run half && norma train --resume --run half --steps 16");
    ck_assert(same_curves("r", "half"));
}
END_TEST

START_TEST(without_shuffling)
{
    write_sorted_data();
    write_text("m.yaml", MODEL);
    expect(0, "norma train m.yaml --run s");
    expect(0, "norma train m.yaml --shuffle=false --run a");
    expect(0, "norma train m.yaml --set train.shuffle=false --run b");
    ck_assert(same_curves("a", "b") && !same_curves("a", "s"));
}
END_TEST

/* What a data set holds is reported for every form in which it comes. */
START_TEST(data_tells)
{
    write_sorted_data();
    said s = expect(0, "norma data idx:d");
    contains(s.out, "idx, found in d");
    contains(s.out, "train: 400 samples of 4x4x1");
    contains(s.out, "2 classes, each with 200 training samples");
    contains(expect(2, "norma data idx").err, "needs a path");
    contains(expect(2, "norma data cifar10:nowhere").err, "relative to");
    contains(expect(0, "norma data").out, "cifar100-coarse");
}
END_TEST

SUITE_WITH("options of data", in_own_folder, limit_is_no_single_class, without_shuffling, data_tells)
