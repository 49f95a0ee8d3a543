/* The other commands, on what training left. */
#include "program.h"

#include <math.h>
#include <png.h>

/* A grey image of 56 x 56: a drawn seven, twice the size of the network's input. */
static void draw_seven(const char *path)
{
    static unsigned char pixels[56 * 56];
    memset(pixels, 0, sizeof pixels);
    for (int i = 0; i < 28; i++)
        for (int w = 0; w < 4; w++) {
            pixels[(12 + w) * 56 + 14 + i] = 255;
            pixels[(14 + i) * 56 + 40 - i * 5 / 7 + w] = 255;
        }
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 56, .height = 56, .format = PNG_FORMAT_GRAY};
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

START_TEST(predicts_images)
{
    expect(0, "norma train tiny.yaml --limit 4000 --epochs 4 --run r");
    draw_seven("seven.png");
    said s = expect(0, "norma predict r seven.png");
    contains(s.out, "seven.png: 7 ");
    json_t *p = parse_json(expect(0, "norma predict r/last.h5 --json --top 10 seven.png").out);
    ck_assert_str_eq(text_at(p, "class"), "7");
    double sum = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(p, "top"), i, entry) sum += number_at(entry, "probability");
    ck_assert_uint_eq(json_array_size(json_object_get(p, "top")), 10);
    ck_assert(fabs(sum - 1) < 1e-5);
    json_decref(p);
    /* an IDX file of three images, the second one black */
    static unsigned char idx[16 + 3 * 784] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28};
    memset(idx + 16, 200, 784);
    write_bytes("three.idx", idx, sizeof idx);
    s = expect(0, "norma predict r three.idx && gzip three.idx && norma predict r three.idx.gz");
    contains(s.out, "three.idx[2]: ");
    contains(s.out, "three.idx.gz[2]: ");
    contains(expect(2, "norma predict r tiny.yaml").err,
             "tiny.yaml: expected a PNG, JPEG, WebP, TIFF or GIF image, or an IDX file");
    contains(expect(2, "norma predict r missing.png").err, "missing.png");
    write_bytes("cut.png", "\x89PNG\r\n\x1a\nabc", 11);
    contains(expect(2, "norma predict r cut.png").err, "cut.png: not a whole PNG");
}
END_TEST

START_TEST(compares)
{
    said s = expect(0, "norma compare tiny.yaml --vary batchnorm=on,off --vary lr=0.05,1e8 --epochs 2 --run c");
    contains(s.out, "batchnorm=on lr=0.05");
    contains(s.out, "batchnorm=off lr=1e8");
    contains(s.out, "diverged at step");
    char *csv = read_text("c/compare.csv");
    ck_assert(strncmp(csv, "variant,epoch,step,lr,", 22) == 0);
    contains(csv, "\nbatchnorm=off lr=0.05,2,32,");
    expect(0, "test -f c/compare.gp -a -f c/batchnorm=on,lr=0.05/last.h5");
    if (has_gnuplot()) {
        ck_assert(is_picture("c/compare.png", PNG_MARK, 20000));
        ck_assert(is_picture("c/compare.svg", SVG_MARK, 5000));
    }
    /* again: refused, and nothing is lost; --resume finds all done */
    char *before = fingerprint("c");
    contains(expect(2, "norma compare tiny.yaml --vary batchnorm=on,off --vary lr=0.05,1e8 --epochs 2 --run c").err,
             "--resume");
    ck_assert_str_eq(before, fingerprint("c"));
    json_t *all = parse_json(
        expect(0, "norma compare tiny.yaml --vary batchnorm=on,off --vary lr=0.05 --epochs 2 --run c --resume --json")
            .out);
    ck_assert_uint_eq(json_array_size(all), 2);
    ck_assert(number_at(entry_of(all, 0), "steps") == 32);
    json_decref(all);
    contains(expect(2, "norma compare tiny.yaml --vary batchnorm=perhaps --run d").err, "expected on or off");
    contains(expect(2, "norma compare tiny.yaml --vary momentun=0,1 --run d").err, "did you mean 'momentum'?");
    contains(expect(2, "norma compare tiny.yaml --vary c1.filters=0,1 --run d").err, "filters");
    contains(expect(2, "norma compare tiny.yaml").err, "--vary");
}
END_TEST

/* gnuplot has nothing to complain of, with the panels of watched units either. */
START_TEST(compares_watched_units)
{
    said s = expect(0, "norma compare tiny.yaml --vary batchnorm=on,off --set train.watch=[logits/0] --set "
                       "train.watch_every=4 --epochs 2 --run w");
    ck_assert_msg(!strstr(s.err, "arning") && !strstr(s.err, "gnuplot"), "%s", s.err);
}
END_TEST

START_TEST(plots)
{
    expect(0, "norma train tiny.yaml --run r && norma train tiny.yaml --set train.watch=[logits/0] --set "
              "train.watch_every=4 --lr 0.01 --run q");
    if (!has_gnuplot()) {
        contains(expect(1, "norma plot r").err, "gnuplot");
        return;
    }
    ck_assert_ptr_eq(strstr(expect(0, "norma plot r q --output both && norma plot r").err, "warning"), NULL);
    ck_assert(is_picture("both.png", PNG_MARK, 20000) && is_picture("both.svg", SVG_MARK, 5000));
    ck_assert(is_picture("r/curves.png", PNG_MARK, 20000));
    contains(expect(0, "norma plot --terminal r q").out, "test accuracy");
    expect(0, "mkdir empty");
    contains(expect(2, "norma plot empty").err, "metrics.csv");
    expect(0, "mkdir bad && echo what >bad/metrics.csv");
    contains(expect(2, "norma plot bad").err, "bad/metrics.csv:1: expected 'epoch,step");
    contains(expect(2, "norma plot").err, "which RUN?");
}
END_TEST

/* A plan in shards is told as such; evaluation has none. */
static void check_shards(void)
{
    said plan = expect(0, "norma summary tiny.yaml --batch 128 --shards 8 --plan");
    contains(plan.out, "training, batch 128 in 8 shards of 16: ");
    contains(plan.out, " MB sums of shards\n");
    contains(plan.out, " 16 a shard ");
    contains(plan.out, "evaluation, batch 128: ");
    contains(expect(0, "norma summary tiny.yaml --batch 128 --set train.shards=8").out,
             "batch 128 in 8 shards of 16: ");
    contains(expect(2, "norma summary tiny.yaml --batch 128 --shards 7").err, "expected a divisor of the batch (128)");
    json_t *s = parse_json(expect(0, "norma summary tiny.yaml --batch 128 --set train.shards=8 --plan --json").out);
    json_t *train = json_object_get(s, "train_plan"), *ops = json_object_get(train, "operations");
    ck_assert(number_at(train, "shards") == 8 && number_at(train, "shard_samples") == 16);
    ck_assert(number_at(train, "shard_sum_bytes") > 0 && number_at(json_object_get(s, "eval_plan"), "shards") == 0);
    ck_assert(json_is_false(json_object_get(json_array_get(ops, 0), "by_shard"))); /* zeros of the gradients */
    ck_assert(json_is_true(json_object_get(json_array_get(ops, 1), "by_shard")));
    ck_assert(number_at(json_array_get(ops, 1), "samples") == 16);
    json_decref(s);
}

START_TEST(summarises)
{
    contains(expect(0, "norma summary tiny.yaml --verbose").out, "no plan can use less than");
    said plan = expect(0, "norma summary tiny.yaml --plan");
    contains(plan.out, "training, batch ");
    contains(plan.out, "evaluation, batch ");
    contains(plan.out, " backward ");
    contains(plan.out, "alive in operations");
    json_t *s = parse_json(expect(0, "norma summary resnet20 --json --plan").out);
    json_t *ops = json_object_get(json_object_get(s, "train_plan"), "operations");
    ck_assert_int_gt(json_array_size(ops), 50);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(ops, 0), "kind")), "zero");
    json_decref(s);
    check_shards();
    s = parse_json(expect(0, "norma summary resnet20 --json").out);
    ck_assert(number_at(s, "parameters") == 272474 && number_at(s, "multiply_adds") == 40813184);
    ck_assert(number_at(s, "activation_bytes") < 1.1 * number_at(s, "activation_lower_bound"));
    json_decref(s);
    s = parse_json(expect(0, "norma summary cifar-cnn --json --image 64 48").out);
    json_t *shape = json_object_get(entry_of(json_object_get(s, "layers"), 0), "output");
    ck_assert(json_integer_value(json_array_get(shape, 0)) == 64 && json_integer_value(json_array_get(shape, 1)) == 48);
    json_decref(s);
    s = parse_json(expect(0, "norma summary vgg16 --json --anchor 200").out);
    json_t *anchor = json_object_get(s, "anchor");
    ck_assert_str_eq(text_at(anchor, "layer"), "conv5_3.activation");
    ck_assert(json_number_value(entry_of(json_object_get(anchor, "misalignment"), 0)) == 0);
    json_decref(s);
    said table = expect(0, "norma summary resnet20 --anchor 32 --verbose");
    contains(table.out, "<- anchor");
    contains(table.out, "  (4 paths: 15, 11 x2, 7)\n"); /* along the shortcuts */
    contains(table.out, "(32 paths)\n     37, 33 x3, 31, 29 x4, 27 x3, 25 x4, 23 x4, 21 x3, 19 x4, 17, 15 x3, 11\n");
    contains(table.out, "19*      4      0  (1 path)\n"); /* strides of 1x1 shortcuts, and a 3x3 that spans them */
    contains(table.out, "* the field has gaps");
    contains(expect(0, "norma summary resnet56 --verbose").out, " more sizes, ");
    contains(expect(2, "norma summary mnist-cnn --anchor 11").err,
             "--anchor: expected 1 to 10, the largest receptive field of a layer that does not see the whole input "
             "('p2'); found 11");
    expect(0, "norma summary mnist-cnn --anchor 10");
    contains(expect(2, "norma summary mnist-cnm").err, "did you mean 'mnist-cnn'?");
}
END_TEST

/* A path of inception-cifar's second join has two blocks behind it, by their branches of 1, 3, 5
 * and 3 pixels. */
START_TEST(summarises_paths)
{
    json_t *s = parse_json(expect(0, "norma summary inception-cifar --json --verbose").out), *layer, *joins[4];
    size_t i, found = 0;
    json_array_foreach(json_object_get(s, "layers"), i, layer) if (json_object_get(layer, "paths") && found < 4)
        joins[found++] = layer;
    ck_assert_uint_eq(found, 4);
    ck_assert_uint_eq(json_array_size(json_object_get(joins[0], "paths")), 4);
    ck_assert(number_at(joins[0], "output_bytes") == 16 * 16 * 128 * 4);
    json_t *by = entry_of(json_object_get(joins[1], "paths"), 2);
    ck_assert_str_eq(text_at(by, "from"), "i2_5x5.relu");
    static const struct {
        double size, paths;
    } expected[] = {{20, 1}, {16, 2}, {12, 1}};
    ck_assert_uint_eq(json_array_size(json_object_get(by, "fields")), 3);
    for (i = 0; i < 3; i++) {
        json_t *field = entry_of(json_object_get(by, "fields"), i);
        ck_assert(json_number_value(entry_of(json_object_get(field, "size"), 0)) == expected[i].size);
        ck_assert(json_number_value(entry_of(json_object_get(field, "jump"), 1)) == 2);
        ck_assert(json_number_value(entry_of(json_object_get(field, "start"), 1)) == 0.5);
        ck_assert(json_is_false(json_object_get(field, "whole")) && json_is_false(json_object_get(field, "gaps")));
        ck_assert(number_at(field, "paths") == expected[i].paths);
    }
    json_decref(s);
}
END_TEST

START_TEST(checks_gradients)
{
    said s = expect(0, "norma gradcheck tiny.yaml --batch 3");
    contains(s.out, "c1/weight");
    contains(s.out, "c1.batchnorm/shift");
    ck_assert(!strstr(s.out, "WRONG"));
    /* a tolerance that rounding cannot meet shows that it can fail */
    s = expect(1, "norma gradcheck tiny.yaml --tolerance 1e-16");
    contains(s.out, "WRONG");
    contains(s.err, "off by more than");
}
END_TEST

START_TEST(lists_layers_and_data)
{
    contains(expect(0, "norma layers").out, "batchnorm");
    said s = expect(0, "norma layers conv");
    contains(s.out, "must be given");
    contains(s.out, "preset 1");
    contains(expect(0, "norma layers hard-sigmoid").out, "hardsigmoid: ");
    json_decref(parse_json(expect(0, "norma layers --json").out));
    contains(expect(2, "norma layers batchnrm").err, "did you mean 'batchnorm'?");
    contains(expect(0, "norma data").out, "fashion-mnist");
    json_t *d = parse_json(expect(0, "norma data digits --json").out);
    ck_assert(number_at(json_object_get(d, "train"), "samples") == 10000);
    json_decref(d);
    contains(expect(0, "norma data digits").out, "generated");
}
END_TEST

START_TEST(helps)
{
    static const char *const commands[] = {"train",     "eval",        "predict", "compare", "plot",  "summary",
                                           "gradcheck", "layers",      "data",    "bench",   "trace", "visualize",
                                           "bn-report", "recalibrate", "inspect", "diff",    "verify"};
    contains(expect(0, "norma --help").out, "norma train");
    contains(expect(0, "norma --version").out, "norma 0.");
    contains(expect(2, "norma").out, "Usage: norma COMMAND");
    contains(expect(2, "norma trian").err, "did you mean 'train'?");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "Usage: norma %s", commands[i]);
        contains(expect(0, "norma %s --help", commands[i]).out, usage);
        expect(2, "norma %s --no-such-flag", commands[i]);
    }
    expect(2, "norma train a.yaml b.yaml; test $? = 2 && norma eval; test $? = 2 && norma predict");
    expect(2, "norma train --threads 0");
    expect(2, "norma train --resume");
}
END_TEST

SUITE_WITH("norma's other commands", in_own_folder, predicts_images, compares, compares_watched_units, plots,
           summarises, summarises_paths, checks_gradients, lists_layers_and_data, helps)
