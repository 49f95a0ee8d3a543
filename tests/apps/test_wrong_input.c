/* Wrong input: a message with file and place, expected and found; exit status 2 (1 for I/O);
 * nothing that existed is lost. */
#include "program.h"

#define HEAD "name: wrong\ninput: {height: 28, width: 28, channels: 1}\n"
#define TAIL "loss: softmax_ce\ntrain: {data: digits, limit: 100, steps: 2}\n"

/* ---- model files --------------------------------------------------------------------------- */

static const struct wrong_model {
    const char *text, *message[3];
} wrong_models[] = {
    {HEAD "layers:\n- {name: c1, conv: {filters: 4}}\n- rellu: {}\n- dense: {units: 10}\n" TAIL,
     {"m.yaml:5:", "rellu", "did you mean 'relu'?"}},
    {HEAD "layers:\n- {name: c1, conv: {filters: 4, kernle: 3}}\n- dense: {units: 10}\n" TAIL,
     {"m.yaml:4:", "conv 'c1': unknown option 'kernle'", "did you mean 'kernel'?"}},
    {HEAD "layers:\n- dense: {units: 10}\nlos: softmax_ce\n", {"m.yaml:5:1: ", "los", "did you mean 'loss'?"}},
    {HEAD "layers:\n- dense: {units: 10}\n" TAIL "trian: {}\n", {"m.yaml:7:1: ", "trian", "did you mean 'train'?"}},
    {HEAD "layers:\n- dense: {units: 10}\nloss: softmax_ce\ntrain: {data: digits, epoch: 3}\n",
     {"m.yaml:6:", "epoch", "did you mean 'epochs'?"}},
    {HEAD "layers:\n- {name: a, relu: {}, from: b}\n- {name: b, relu: {}, from: a}\n- dense: {units: 10}\n" TAIL,
     {"m.yaml:", "cycle", "a"}},
    {HEAD "layers:\n- {name: a, relu: {}, from: nobody}\n- dense: {units: 10}\n" TAIL, {"m.yaml:4:", "nobody", "'a'"}},
    {HEAD "layers:\n- {name: a, conv: {filters: 4}}\n- {name: b, conv: {filters: 5}, from: a}\n"
          "- {name: s, add: {}, from: [a, b]}\n- dense: {units: 10}\n" TAIL,
     {"m.yaml:6:", "26x26x4", "24x24x5"}},
    {HEAD "layers:\n- {name: a, conv: {filters: 4, kernel: 29}}\n- dense: {units: 10}\n" TAIL,
     {"m.yaml:4:", "29", "28x28x1"}},
    {HEAD "layers:\n- {name: a, conv: {filters: -4}}\n- dense: {units: 10}\n" TAIL, {"m.yaml:4:", "filters", "-4"}},
    {HEAD "layers:\n- {name: a, conv: {}}\n- dense: {units: 10}\n" TAIL, {"m.yaml:4:", "filters", "conv 'a'"}},
    {HEAD "layers:\n- {name: a, relu: {}}\n- {name: a, relu: {}}\n- dense: {units: 10}\n" TAIL,
     {"m.yaml:5:", "'a'", ""}},
    {HEAD "layers:\n- dense: {units: 10}\nloss: softmax\n", {"m.yaml:5:", "softmax_ce", ""}},
    {HEAD "layers:\n- dense: {units: 5}\n" TAIL, {"10", "5", "class"}},
    {HEAD "layers:\n- dense: {units: 10\n" TAIL, {"m.yaml:", "", ""}},
    {"name: wrong\nlayers:\n- dense: {units: 10}\n" TAIL, {"m.yaml:", "input", ""}},
    {HEAD "layers: []\n" TAIL, {"m.yaml:3:", "layer", ""}},
    {HEAD "layers:\n- {name: d, dense: {units: 10}}\nloss: softmax_ce\ntrain: {data: digits, optimizer: {sdg: {}}}\n",
     {"m.yaml:6:", "sdg", "did you mean 'sgd'?"}},
    {HEAD "layers:\n- {name: d, dense: {units: 10}}\nloss: softmax_ce\ntrain: {data: digits, augment: [flop]}\n",
     {"flop", "did you mean 'flip'?", ""}},
};

START_TEST(wrong_model)
{
    const struct wrong_model *w = &wrong_models[_i];
    write_text("m.yaml", w->text);
    said s = expect(2, "norma train m.yaml --run r");
    for (int k = 0; k < 3; k++)
        contains(s.err, w->message[k]);
    expect(0, "test ! -e r/last.h5");
}
END_TEST

START_TEST(all_errors_at_once)
{
    write_text("m.yaml",
               HEAD "layers:\n- {name: c1, conv: {filtres: 4}}\n- rellu: {}\n- {name: d, dense: {units: ten}}\n" TAIL);
    said s = expect(2, "norma summary m.yaml");
    contains(s.err, "m.yaml:4:");
    contains(s.err, "m.yaml:5:");
    contains(s.err, "m.yaml:6:");
}
END_TEST

START_TEST(wrong_flags)
{
    contains(expect(2, "norma train missing.yaml").err, "missing.yaml");
    contains(expect(2, "norma train tiny.yaml --epochs many").err, "many");
    contains(expect(2, "norma train tiny.yaml --set c9.filters=3").err, "c9");
    contains(expect(2, "norma train tiny.yaml --set c1.filtres=3").err, "did you mean 'filters'?");
    contains(expect(2, "norma train tiny.yaml --set nonsense").err, "PATH=VALUE");
    contains(expect(2, "norma train tiny.yaml --data mnits").err, "did you mean 'mnist'?");
    contains(expect(2, "norma train tiny.yaml --without batchnrm").err, "batchnrm");
    contains(expect(2, "norma train tiny.yaml --watch c1").err, "LAYER/UNIT");
    contains(
        expect(2, "norma train tiny.yaml --batch 1 \"--set=layers=[{dense: {units: 10}},{batchnorm: {}},{relu: {}}]\"")
            .err,
        "batch");
}
END_TEST

/* ---- data
 * -------------------------------------------------------------------------------------------------
 */

static void put_idx(const char *path, int rank, int count, int side, size_t bytes, int fill)
{
    unsigned char head[16] = {0, 0, 8, (unsigned char)rank, 0, 0, 0, (unsigned char)count,
                              0, 0, 0, (unsigned char)side, 0, 0, 0, (unsigned char)side};
    unsigned char *all = calloc(1, 16 + bytes);
    size_t length = rank == 3 ? 16 : 8;
    memcpy(all, head, length);
    memset(all + length, fill, bytes);
    write_bytes(path, all, length + bytes);
    free(all);
}

/* A whole small MNIST of 40 + 20 images in data/mnist. */
static void put_mnist(void)
{
    expect(0, "mkdir -p data/mnist");
    put_idx("data/mnist/train-images-idx3-ubyte", 3, 40, 28, 40 * 784, 9);
    put_idx("data/mnist/train-labels-idx1-ubyte", 1, 40, 0, 40, 3);
    put_idx("data/mnist/t10k-images-idx3-ubyte", 3, 20, 28, 20 * 784, 9);
    put_idx("data/mnist/t10k-labels-idx1-ubyte", 1, 20, 0, 20, 3);
    setenv("NORMA_DATA", "data", 1);
}

START_TEST(wrong_data)
{
    put_mnist();
    expect(0, "norma data mnist");
    said s = expect(2, "norma data fashion-mnist:nowhere");
    contains(s.err, "nowhere");
    unsetenv("NORMA_DATA");
    s = expect(2, "norma train tiny.yaml --data cifar100 --run r");
    contains(s.err, "looked in");
    contains(s.err, "datasets/fetch-cifar100");
    setenv("NORMA_DATA", "data", 1);

    put_idx("data/mnist/train-images-idx3-ubyte", 3, 40, 28, 40 * 784 - 5, 9);
    s = expect(2, "norma train tiny.yaml --data mnist --run r");
    contains(s.err, "train-images-idx3-ubyte: cut short: expected 31376 bytes of content, found 31371");

    put_mnist();
    put_idx("data/mnist/train-images-idx3-ubyte", 1, 40, 28, 40 * 784, 9);
    s = expect(2, "norma train tiny.yaml --data mnist --run r");
    contains(s.err, "expected magic 00000803, found 00000801");

    put_mnist();
    put_idx("data/mnist/train-labels-idx1-ubyte", 1, 40, 0, 40, 12);
    s = expect(2, "norma train tiny.yaml --data mnist --run r");
    contains(s.err, "label 12; expected 0 to 9");

    put_mnist();
    put_idx("data/mnist/train-labels-idx1-ubyte", 1, 39, 0, 39, 1);
    contains(expect(2, "norma train tiny.yaml --data mnist --run r").err, "39");

    put_mnist();
    expect(0, "rm data/mnist/t10k-labels-idx1-ubyte");
    contains(expect(2, "norma train tiny.yaml --data mnist --run r").err, "t10k-labels-idx1-ubyte");

    put_mnist();
    expect(0, "gzip data/mnist/train-images-idx3-ubyte && truncate -s -20 data/mnist/train-images-idx3-ubyte.gz");
    contains(expect(2, "norma train tiny.yaml --data mnist --run r").err, "train-images-idx3-ubyte.gz");

    expect(0, "mkdir -p data/cifar10 && truncate -s 1000 data/cifar10/data_batch_1.bin");
    contains(expect(2, "norma train cifar-cnn --run r").err,
             "data_batch_1.bin: expected 30730000 bytes (10000 records), found 1000");
    expect(0, "test ! -e r/last.h5");
}
END_TEST

START_TEST(data_of_another_shape)
{
    put_mnist();
    said s = expect(2, "norma train cifar-cnn --data mnist --run r");
    contains(s.err, "28x28x1");
    contains(s.err, "32x32x3");
}
END_TEST

/* ---- checkpoints and run directories ------------------------------------------------------- */

static void flip_bit(const char *path, long place)
{
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    fseek(f, place, place < 0 ? SEEK_END : SEEK_SET);
    int byte = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(byte ^ 4, f);
    fclose(f);
}

START_TEST(wrong_checkpoint)
{
    expect(0, "norma train tiny.yaml --epochs 1 --run r");
    expect(0,
           "cp r/last.h5 flipped.h5; cp r/last.h5 cut.h5; truncate -s -100 cut.h5; echo hello >text.h5; : >empty.h5");
    static const long places[] = {20, 600, 3000, -1, -2000};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        expect(0, "cp r/last.h5 flipped.h5");
        flip_bit("flipped.h5", places[i]);
        contains(expect(2, "norma eval flipped.h5").err, "flipped.h5");
    }
    contains(expect(2, "norma eval cut.h5").err, "cut.h5");
    contains(expect(2, "norma eval text.h5").err, "text.h5");
    contains(expect(2, "norma eval empty.h5").err, "empty.h5");
    contains(expect(2, "norma eval missing.h5").err, "missing.h5");
    contains(expect(2, "norma predict cut.h5 x.png").err, "cut.h5");

    /* a run whose last.h5 is damaged is not resumed, and stays as it is */
    flip_bit("r/last.h5", 5000);
    char *before = fingerprint("r");
    contains(expect(2, "norma train --resume --run r --epochs 2").err, "r/last.h5");
    ck_assert_str_eq(before, fingerprint("r"));
}
END_TEST

START_TEST(checkpoint_of_another_model)
{
    expect(0, "norma train tiny.yaml --epochs 1 --run r");
    char *before = fingerprint("r");
    said s = expect(2, "norma train tiny.yaml --set c1.filters=9 --resume --run r");
    contains(s.err, "c1/weight");
    contains(s.err, "8");
    contains(s.err, "9");
    contains(expect(2, "norma train tiny.yaml --without batchnorm --resume --run r").err, "c1.batchnorm/scale");
    contains(expect(2, "norma train tiny.yaml --seed 5 --resume --run r").err, "seed");
    contains(expect(2, "norma train tiny.yaml --optimizer adam --resume --run r").err, "adam");
    contains(expect(2, "norma train tiny.yaml --run r").err, "--resume");
    ck_assert_str_eq(before, fingerprint("r"));
}
END_TEST

START_TEST(unwritable_run)
{
    write_text("file", "mine\n");
    contains(expect(2, "norma train tiny.yaml --run file").err, "file");
    ck_assert_str_eq(read_text("file"), "mine\n");
    said s = expect(1, "norma train tiny.yaml --run /proc/norma/run");
    contains(s.err, "/proc/norma/run: cannot make the run directory");
    expect(0, "mkdir foreign && echo precious >foreign/best.h5");
    contains(expect(2, "norma train tiny.yaml --run foreign").err, "best.h5");
    ck_assert_str_eq(read_text("foreign/best.h5"), "precious\n");
    if (getuid() != 0) {
        expect(0, "mkdir closed && chmod 500 closed");
        contains(expect(1, "norma train tiny.yaml --run closed").err, "closed");
    }
}
END_TEST

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
    tcase_add_loop_test(tcase, wrong_model, 0, sizeof wrong_models / sizeof *wrong_models);
}

SUITE_WITH("wrong input", set_up, all_errors_at_once, wrong_flags, wrong_data, data_of_another_shape, wrong_checkpoint,
           checkpoint_of_another_model, unwritable_run)
