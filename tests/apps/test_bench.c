/* norma bench: its table, its JSON, the times of layers, the roofline. */
#include "program.h"

START_TEST(reports_speed)
{
    static const char *const fields[] = {"batch",
                                         "threads",
                                         "train_images_per_second",
                                         "eval_images_per_second",
                                         "train_effective_gflops",
                                         "eval_effective_gflops",
                                         "gemm_peak_gflops",
                                         "peak_memory_bytes",
                                         "train_throughput",
                                         "eval_throughput",
                                         "eval_median_seconds",
                                         "eval_99th_percentile_seconds"};
    json_t *all = parse_json(expect(0, "norma bench tiny.yaml --seconds 1 --batch 16 --json").out);
    json_t *o = entry_of(all, 0);
    ck_assert_str_eq(text_at(o, "network"), "tiny");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        ck_assert_msg(number_at(o, fields[i]) > 0, "%s", fields[i]);
    ck_assert(number_at(o, "batch") == 16 && number_at(o, "peak_memory_bytes") > 1e6);
    ck_assert_ptr_null(json_object_get(o, "layers"));
    json_decref(all);
    contains(expect(0, "norma bench tiny.yaml tiny.yaml --seconds 1").out, "of peak");
}
END_TEST

START_TEST(reports_layers)
{
    said s = expect(0, "norma bench lenet5 --seconds 1 --batch 8 --layers");
    contains(s.out, "evaluation, 8 samples a step");
    contains(s.out, "training, 8 samples a step");
    contains(s.out, "-- backward --");
    contains(s.out, "c3.activation");
    contains(s.out, "all layers");
    json_t *all = parse_json(expect(0, "norma bench lenet5 --seconds 1 --batch 8 --layers --json").out), *layer;
    json_t *summary = parse_json(expect(0, "norma summary lenet5 --json").out);
    json_t *layers = json_object_get(entry_of(all, 0), "layers");
    double macs = 0, took = 0, step = 8 / number_at(entry_of(all, 0), "train_images_per_second");
    size_t i;
    ck_assert_uint_ge(json_array_size(layers), 10);
    json_array_foreach(layers, i, layer)
    {
        ck_assert(json_is_string(json_object_get(layer, "name")) && json_is_string(json_object_get(layer, "type")));
        ck_assert(json_is_string(json_object_get(layer, "chosen")) && number_at(layer, "forward_seconds") >= 0);
        macs += number_at(layer, "multiply_adds");
        took += number_at(layer, "forward_seconds") + number_at(layer, "backward_seconds");
    }
    ck_assert(macs == number_at(summary, "multiply_adds"));
    /* seconds of one step, not of all: the mean of what took the median step, however busy the
     * machine is */
    ck_assert_msg(took > 0.1 * step && took < 50 * step, "%g s in the layers, %g s a step", took, step);
    layer = entry_of(layers, 0);
    ck_assert_str_eq(text_at(layer, "name"), "c1");
    ck_assert_str_eq(text_at(layer, "type"), "conv");
    contains(text_at(layer, "chosen"), "forward ");
    ck_assert(number_at(layer, "forward_seconds") > 0 && number_at(layer, "backward_seconds") > 0);
    json_decref(summary);
    json_decref(all);
}
END_TEST

/* Field `column` of a line, as a number. */
static double field(const char *line, int column)
{
    while (column-- > 0)
        line += strcspn(line, ",") + 1;
    return strtod(line, NULL);
}

static bool is_near(double x, double expected)
{
    return x > 0.999 * expected && x < 1.001 * expected;
}

START_TEST(draws_roofline)
{
    json_t *all = parse_json(expect(0, "norma bench tiny.yaml --seconds 1 --batch 8 --layers --json --roofline r").out);
    size_t layers = json_array_size(json_object_get(entry_of(all, 0), "layers")), rows = 0;
    json_decref(all);
    char *csv = read_text("r.csv");
    ck_assert(strncmp(csv, "layer,type,pass,seconds,flops,bytes,", 36) == 0);
    for (const char *at = strchr(csv, '\n'); at && at[1]; at = strchr(at + 1, '\n'))
        rows++;
    ck_assert_uint_eq(rows, 2 * layers);
    /* c1: 8 filters of 5x5 and stride 2 over 28x28, and the layers behind it down to the pool,
     * which leaves 6x6; nobody asks for the gradient by the images */
    double flops = 2.0 * 8 * 12 * 12 * 8 * 25, bytes = 4.0 * (8 * 28 * 28 + 8 * 6 * 6 * 8 + 200);
    const char *forward = strstr(csv, "\nc1,conv,forward,"), *backward = strstr(csv, "\nc1,conv,backward,");
    ck_assert(forward && backward);
    ck_assert(is_near(field(forward, 4), flops) && is_near(field(forward, 5), bytes));
    ck_assert(is_near(field(backward, 4), flops) && is_near(field(backward, 5), bytes));
    ck_assert(is_near(field(forward, 6), flops / bytes));
    ck_assert(is_near(field(forward, 7), 1e-9 * flops / field(forward, 3)));
    ck_assert(field(forward, 8) > 0 && field(forward, 9) > 0);
    /* logits: all three products */
    flops = 2.0 * 8 * 6 * 6 * 8 * 10;
    ck_assert(is_near(field(strstr(csv, "\nlogits,dense,forward,"), 4), flops));
    ck_assert(is_near(field(strstr(csv, "\nlogits,dense,backward,"), 4), 2 * flops));
    /* c1 does the relu's work */
    ck_assert(field(strstr(csv, "\nc1.relu,relu,forward,"), 4) == 0);
    contains(read_text("r.gp"), "set logscale xy");
    if (!has_gnuplot())
        return;
    ck_assert(is_picture("r.png", PNG_MARK, 5000) && is_picture("r.svg", SVG_MARK, 5000));
    said s = expect(0, "norma bench lenet5 --seconds 1 --batch 8 --roofline lenet");
    contains(s.out, "roofline: lenet.png, lenet.svg");
    ck_assert_str_eq(s.err, "");
    expect(0, "rm lenet.png && gnuplot lenet.gp && test -s lenet.png -a -s lenet.svg");
}
END_TEST

/* Rows for the numbers that are asked for, each as fast as the tasks allow and no faster. */
static void check_cores(json_t *cores)
{
    json_t *rows = json_object_get(cores, "rows"), *row, *op, *round;
    const double threads[] = {1, 2, 8};
    size_t i, k;
    double before = 0, all = 0, tasks = 0;
    ck_assert_uint_eq(json_array_size(rows), 3);
    json_array_foreach(rows, i, row)
    {
        double allowed = number_at(row, "speed_up_allowed");
        ck_assert(number_at(row, "threads") == threads[i]);
        ck_assert(allowed <= threads[i] * 1.0001 && allowed <= number_at(row, "speed_up_longest") * 1.0001);
        ck_assert(number_at(row, "expected_seconds") > 0);
        ck_assert(i > 0 ? allowed > 1 : is_near(allowed, 1));
        before = number_at(row, "task_seconds");
    }
    json_array_foreach(json_object_get(cores, "operations"), i, op)
    {
        all += number_at(op, "task_seconds");
        json_array_foreach(json_object_get(op, "rounds"), k, round)
        {
            tasks += number_at(round, "tasks");
            ck_assert(number_at(round, "longest_seconds") <= number_at(round, "task_seconds") * 1.0001);
        }
    }
    ck_assert(is_near(all, before) && tasks > 3);
}

START_TEST(tells_what_tasks_allow)
{
    const char *command = "norma bench tiny.yaml --seconds 0.05 --batch 32 --threads 2 --cores 1,2,8 --json";
    json_t *all = parse_json(expect(0, command).out), *cores = json_object_get(entry_of(all, 0), "cores");
    check_cores(json_object_get(cores, "training"));
    check_cores(json_object_get(cores, "evaluation"));
    json_t *row = entry_of(json_object_get(json_object_get(cores, "training"), "rows"), 0);
    ck_assert(number_at(row, "measured_seconds") > 0);
    json_decref(all);
    said s = expect(0, "norma bench tiny.yaml --seconds 0.05 --batch 8 --cores 4");
    contains(s.out, "training, 8 samples a step: what its tasks allow");
    contains(s.out, "what holds up 4 threads");
    contains(s.out, "backward c1");
    contains(s.out, "update");
    contains(expect(2, "norma bench --cores 2").err, "--cores prints one network");
    contains(expect(2, "norma bench tiny.yaml --cores 4,2").err, "each above the one before");
    contains(expect(2, "norma bench tiny.yaml --cores 0").err, "--cores");
    contains(expect(2, "norma bench tiny.yaml --cores ,").err, "which numbers of threads?");
}
END_TEST

/* What an image takes. A batch of one is too small to train mnist-cnn, whose batch norm sees one
 * value a channel: the figures of evaluation stand all the same, and alone where that is asked for.
 */
START_TEST(tells_latency)
{
    said s = expect(0, "norma bench mnist-cnn --seconds 0.1 --batch 1 --json");
    contains(s.err, "training needs at least two values per channel");
    json_t *all = parse_json(s.out), *o = entry_of(all, 0);
    double median = number_at(o, "eval_median_seconds"), longest = number_at(o, "eval_99th_percentile_seconds");
    ck_assert(json_is_null(json_object_get(o, "train_images_per_second")));
    ck_assert(json_is_null(json_object_get(o, "train_effective_gflops")) && !json_object_get(o, "train_throughput"));
    ck_assert_msg(median > 1e-6 && median <= longest && longest < 60, "%g s, %g s", median, longest);
    ck_assert(is_near(number_at(o, "eval_images_per_second") * median, 1));
    json_decref(all);
    s = expect(0, "norma bench tiny.yaml --seconds 0.05 --batch 4 --eval --json");
    ck_assert_str_eq(s.err, "");
    o = entry_of(all = parse_json(s.out), 0);
    ck_assert(json_is_null(json_object_get(o, "train_images_per_second")) && number_at(o, "eval_median_seconds") > 0);
    ck_assert(is_near(number_at(o, "eval_images_per_second") * number_at(o, "eval_median_seconds"), 4));
    json_decref(all);
    s = expect(0, "norma bench tiny.yaml lenet5 --seconds 0.05 --batch 4 --eval --cores 1 --json");
    all = parse_json(s.out);
    ck_assert_uint_eq(json_array_size(all), 2);
    ck_assert(json_is_null(json_object_get(json_object_get(entry_of(all, 0), "cores"), "training")));
    json_decref(all);
    s = expect(0, "norma bench lenet5 --seconds 0.05 --batch 4 --eval --layers");
    contains(s.out, "99 % ms");
    contains(s.out, "evaluation, 4 samples a step");
    ck_assert_ptr_null(strstr(s.out, "training, "));
}
END_TEST

START_TEST(refuses)
{
    contains(expect(2, "norma bench --roofline r").err, "--roofline draws one network: which MODEL?");
    contains(expect(2, "norma bench tiny.yaml lenet5 --roofline r").err, "which MODEL?");
    contains(expect(2, "norma bench tiny.yaml lenet5 --layers").err, "--layers prints one network");
    contains(expect(2, "norma bench tiny.yaml --roofline").err, "requires an argument");
    contains(expect(2, "norma bench tiny.yaml --seconds 0").err, "--seconds");
    contains(expect(2, "norma bench tiny.yaml --batch many").err, "--batch");
    contains(expect(2, "norma bench lenet6").err, "did you mean 'lenet5'?");
    said s = shell("norma bench tiny.yaml --seconds 1 --batch 8 --roofline no/such/folder");
    ck_assert_int_ne(s.status, 0);
    contains(s.err, "no/such/folder.csv");
}
END_TEST

SUITE_WITH("norma bench", in_own_folder, reports_speed, reports_layers, draws_roofline, tells_what_tasks_allow,
           tells_latency, refuses)
