/* The commands that look inside: trace, bn-report, recalibrate. */
#include "program.h"

#include "error.h"
#include "h5.h"

#include <math.h>

static nm_context *ctx;

/* /x and /labels of four images; `h` to make them wrong. */
static void write_input(const char *path, size_t h)
{
    float x[4 * 40 * 28];
    int64_t labels[4] = {0, 3, 9, 1};
    nm_h5 *h5;
    for (size_t i = 0; i < 4 * h * 28; i++)
        x[i] = (float)sin((double)i);
    ck_assert_int_eq(nm_h5_new(ctx, path, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/x", NM_H5_F32, 4, (size_t[]){4, h, 28, 1}, x), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/labels", NM_H5_I64, 1, (size_t[]){4}, labels), NM_OK);
    ck_assert_int_eq(nm_h5_save(h5, path, false), NM_OK);
    nm_h5_free(h5);
}

/* Four images with a share for each class instead of labels. */
static void write_soft_targets(const char *path)
{
    float x[4 * 28 * 28] = {0}, targets[4 * 10];
    nm_h5 *h5;
    for (int i = 0; i < 40; i++)
        targets[i] = 0.1F;
    ck_assert_int_eq(nm_h5_new(ctx, path, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/x", NM_H5_F32, 4, (size_t[]){4, 28, 28, 1}, x), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/targets", NM_H5_F32, 4, (size_t[]){4, 1, 1, 10}, targets), NM_OK);
    ck_assert_int_eq(nm_h5_save(h5, path, false), NM_OK);
    nm_h5_free(h5);
}

static void read_numbers(const char *file, const char *path, size_t count, double *to)
{
    nm_h5 *h5;
    nm_h5_shape s;
    ck_assert_int_eq(nm_h5_open(ctx, file, false, &h5), NM_OK);
    ck_assert_msg(nm_h5_look(h5, path, &s) == NM_OK, "%s: %s is missing", file, path);
    ck_assert_uint_eq(s.count, count);
    ck_assert_int_eq(nm_h5_read(h5, path, NM_H5_F64, s.rank, s.dims, to), NM_OK);
    nm_h5_free(h5);
}

static bool has(const char *file, const char *path)
{
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, file, false, &h5), NM_OK);
    bool there = nm_h5_has(h5, path);
    nm_h5_free(h5);
    return there;
}

/* Softmax cross-entropy by hand: the loss, and that its gradient is the last layer's. */
static void check_softmax_ce(const double logits[40], const double gradient[40], double loss)
{
    const int labels[4] = {0, 3, 9, 1};
    double expected = 0;
    for (int n = 0; n < 4; n++) {
        double sum = 0;
        for (int c = 0; c < 10; c++)
            sum += exp(logits[10 * n + c]);
        expected += (log(sum) - logits[10 * n + labels[n]]) / 4;
        for (int c = 0; c < 10; c++)
            ck_assert_double_eq_tol(gradient[10 * n + c], (exp(logits[10 * n + c]) / sum - (c == labels[n])) / 4, 1e-6);
    }
    ck_assert_double_eq_tol(loss, expected, 1e-6);
}

START_TEST(traces)
{
    double logits[40], again[40], gradient[40], loss, before[8], after[8];
    ctx = nm_context_new();
    write_input("in.h5", 28);
    expect(0, "norma trace tiny.yaml --input in.h5 --output a.h5 --mode train --seed 5");
    expect(0, "norma trace tiny.yaml --input in.h5 --output b.h5 --mode train --seed 5 --threads 3");
    ck_assert(same_bytes("a.h5", "b.h5"));
    read_numbers("a.h5", "/activations/logits", 40, logits);
    read_numbers("a.h5", "/gradients/activations/logits", 40, gradient);
    read_numbers("a.h5", "/loss", 1, &loss);
    check_softmax_ce(logits, gradient, loss);
    /* running statistics move in train mode, parameters do not */
    read_numbers("a.h5", "/model/c1.batchnorm/running_mean", 8, before);
    read_numbers("a.h5", "/model_after/c1.batchnorm/running_mean", 8, after);
    ck_assert(before[0] == 0 && after[0] != 0);
    ck_assert(has("a.h5", "/gradients/parameters/c1/weight") && has("a.h5", "/gradients/activations/input"));
    expect(0, "norma trace tiny.yaml --input in.h5 --output e.h5 --seed 5");
    ck_assert(!has("e.h5", "/model_after"));
    read_numbers("e.h5", "/activations/logits", 40, again);
    ck_assert(memcmp(logits, again, sizeof logits) != 0); /* other statistics */
    nm_context_free(ctx);
}
END_TEST

START_TEST(traces_of_other_models_and_inputs)
{
    ctx = nm_context_new();
    write_input("in.h5", 28);
    write_soft_targets("soft.h5");
    /* a trained network, and wrong input */
    expect(0, "norma train tiny.yaml --run r --epochs 1");
    expect(0, "norma trace r/last.h5 --input in.h5 --output c.h5");
    ck_assert(has("c.h5", "/activations/p1"));
    contains(expect(2, "norma trace tiny.yaml --set loss=focal --input soft.h5 --output d.h5").err,
             "soft.h5: focal takes classes: expected /labels (n), found /targets alone");
    expect(0, "norma trace tiny.yaml --input soft.h5 --output d.h5 && rm d.h5");
    /* labels are those of what the loss judges, whatever the output is */
    write_text(
        "f.yaml",
        "input: {height: 28, width: 28, channels: 1}\nlayers:\n- {name: c1, conv: {filters: 2, stride: 7, kernel: 3}}\n"
        "- {name: logits, dense: {units: 10}}\nloss: {softmax_ce: {}, from: logits}\noutput: c1\n");
    expect(0, "norma trace f.yaml --input in.h5 --output f.h5");
    ck_assert(has("f.h5", "/gradients/parameters/c1/weight"));
    contains(expect(2, "norma trace f.yaml --set logits.units=9 --input in.h5 --output f.h5").err,
             "/labels: number 2 is 9; the network has 9 classes");
    write_input("wrong.h5", 40);
    contains(expect(2, "norma trace tiny.yaml --input wrong.h5 --output d.h5").err,
             "wrong.h5: /x: expected (n, 28, 28, 1); found (4, 40, 28, 1)");
    contains(expect(2, "norma trace tiny.yaml --input tiny.yaml --output d.h5").err, "tiny.yaml");
    ck_assert_int_ne(access("d.h5", F_OK), 0);
    nm_context_free(ctx);
}
END_TEST

/* After a few steps the running averages are far off, bn-report says so, and recalibrate mends it.
 */
START_TEST(reports_batchnorm)
{
    expect(0, "norma train tiny.yaml --run r --steps 8 --set logits.init=he_normal");
    said s = expect(0, "norma bn-report r");
    contains(s.out, "c1.batchnorm");
    contains(s.out, "warning: after 8 steps");
    json_t *j = parse_json(expect(0, "norma recalibrate r --json --output new.h5").out);
    ck_assert(number_at(json_object_get(j, "after"), "loss") < number_at(json_object_get(j, "before"), "loss"));
    json_t *e = parse_json(expect(0, "norma eval new.h5 --json").out);
    ck_assert_double_eq_tol(number_at(e, "loss"), number_at(json_object_get(j, "after"), "loss"), 1e-6);
    json_decref(e);
    json_decref(j);
    j = parse_json(expect(0, "norma bn-report new.h5 --json").out);
    json_t *first = json_array_get(json_object_get(j, "batchnorms"), 0);
    ck_assert_double_lt(number_at(first, "mean_off_largest"), 1e-6);
    ck_assert_double_eq_tol(number_at(first, "var_ratio_least"), 1, 1e-5);
    json_decref(j);
    contains(expect(2, "norma train tiny.yaml --run n --without batchnorm --steps 2 && norma bn-report n").err,
             "the network has no batch norm");
}
END_TEST

START_TEST(visualizes)
{
    if (!has_gnuplot())
        return;
    expect(0, "norma train tiny.yaml --run r --epochs 1");
    said s = expect(0, "norma visualize r");
    contains(s.out, "r/pictures/field.png");
    ck_assert_str_eq(s.err, "norma: r/best.h5, step 16 (epoch 1)\n");
    static const char *const pictures[] = {"filters", "maps", "distributions", "field"};
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        char path[64];
        snprintf(path, sizeof path, "r/pictures/%s.png", pictures[i]);
        ck_assert_msg(is_picture(path, PNG_MARK, 1000), "%s", path);
    }
    char *maps = read_text("r/pictures/maps.gp"); /* of one convolution and its pool */
    contains(maps, "shallow: c1,");
    contains(maps, "deep: p1,");
    contains(expect(2, "norma visualize r --unit nothing").err, "--unit nothing: there is no such layer");
    contains(expect(2, "norma visualize r --sample 100000").err, "--sample 100000");
}
END_TEST

SUITE_WITH("looking inside", in_own_folder, traces, traces_of_other_models_and_inputs, reports_batchnorm, visualizes)
