/* norma train, stopped and resumed, and what else a user does in the first hour. */
#include "program.h"

/* Of a run that is stopped in its second epoch, or killed within 0.7 s of its start. */
enum { STOPPED_EPOCHS = 16, KILLED_EPOCHS = 20 };

START_TEST(trains)
{
    said s = expect(0, "norma train tiny.yaml --epochs 4 --run r");
    contains(s.out, "test accuracy");
    contains(s.out, "run directory: r");
    contains(s.out, "% of the time for data");
    contains(s.err, "epoch");
    contains(s.err, "waited");
    char *csv = read_text("r/metrics.csv");
    ck_assert(strncmp(csv, "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n1,16,", 75) == 0);
    expect(0, "test -f r/model.yaml -a -f r/last.h5 -a -f r/best.h5");
    /* eval of the last checkpoint gives what the last row says */
    json_t *e = parse_json(expect(0, "norma eval r/last.h5 --json").out);
    char row[64];
    snprintf(row, sizeof row, ",%.9g,", number_at(e, "accuracy"));
    contains(strstr(csv, "\n4,64,"), row);
    ck_assert(number_at(e, "accuracy") > 0.5 && number_at(e, "samples") == 2000);
    ck_assert_uint_eq(json_array_size(json_object_get(e, "confusion")), 10);
    ck_assert_uint_eq(json_array_size(json_object_get(e, "per_class")), 10);
    json_decref(e);
    contains(expect(0, "norma eval r").out, "confusion");
}
END_TEST

START_TEST(where_it_runs)
{
    said s = expect(0, "norma train tiny.yaml --steps 1 --threads 3 --run r --verbose");
    contains(s.err, "1 process on ");
    contains(s.err, ": 3 threads on CPU");
    contains(s.err, " node");
    s = expect(0, "norma train tiny.yaml --steps 2 --run q");
    ck_assert_ptr_null(strstr(s.err, "1 process"));
}
END_TEST

START_TEST(options_win_over_the_file)
{
    expect(0, "norma train tiny.yaml --steps 3 --batch 16 --set c1.filters=5 --set train.seed=9 --run r");
    char *model = read_text("r/model.yaml");
    contains(model, "filters: 5");
    contains(model, "seed: 9");
    contains(model, "batch: 16");
    contains(read_text("r/metrics.csv"), "\n1,3,");
}
END_TEST

START_TEST(any_number_of_threads)
{
    char run[8], last[16];
    for (int t = 1; t <= 8; t = t == 3 ? 8 : t + 1) {
        expect(0, "norma train tiny.yaml --epochs 1 --augment flip,pad-crop=2 --threads %d --run t%d", t, t);
        snprintf(run, sizeof run, "t%d", t);
        snprintf(last, sizeof last, "t%d/last.h5", t);
        ck_assert(same_bytes("t1/last.h5", last) && same_curves("t1", run));
    }
}
END_TEST

/* Stops with a signal in the middle, resumes, and compares with a run that was left alone. */
START_TEST(stopped_and_resumed)
{
    static const char *const signals[] = {"INT", "TERM", "HUP"};
    static const int statuses[] = {130, 143, 129};
    expect(0, "norma train tiny.yaml --epochs %d --save-every 7s --run whole", STOPPED_EPOCHS);
    said s = expect(statuses[_i],
                    "\"$NORMA_PROGRAM\" train tiny.yaml --epochs %d --save-every 7s --run cut & child=$!\n"
                    "while ! grep -q '^2,' cut/metrics.csv 2>/dev/null; do sleep 0.02; done\n"
                    "kill -%s $child; wait $child",
                    STOPPED_EPOCHS, signals[_i]);
    contains(s.out, "stopped at step");
    contains(s.out, "--resume");
    expect(0, "norma train --resume --run cut");
    ck_assert(same_bytes("whole/last.h5", "cut/last.h5") && same_curves("whole", "cut"));
}
END_TEST

START_TEST(killed_and_resumed)
{
    const char *without = _i ? "--without batchnorm" : "";
    expect(0, "norma train tiny.yaml --epochs %d --save-every 5s %s --run whole", KILLED_EPOCHS, without);
    for (int k = 0; k < 4; k++)
        shell("\"$NORMA_PROGRAM\" train tiny.yaml --epochs %d --save-every 5s %s --run cut --resume & child=$!\n"
              "sleep 0.%d; kill -KILL $child; wait $child",
              KILLED_EPOCHS, without, 1 + 2 * k);
    /* the model again: on a busy machine none of the four may have come so far as to write it down
     */
    expect(0, "norma train tiny.yaml --epochs %d --save-every 5s %s --run cut --resume", KILLED_EPOCHS, without);
    ck_assert(same_bytes("whole/last.h5", "cut/last.h5") && same_curves("whole", "cut"));
}
END_TEST

START_TEST(second_process_is_refused)
{
    said s = expect(0, "\"$NORMA_PROGRAM\" train tiny.yaml --epochs 5000 --run r 2>/dev/null & child=$!\n"
                       "while ! test -f r/last.h5; do sleep 0.02; done\n"
                       "norma train --resume --run r; code=$?\n"
                       "kill -INT $child; wait $child; test $code = 2");
    contains(s.err, "in use by process");
}
END_TEST

START_TEST(second_signal_leaves_at_once)
{
    expect(130, "\"$NORMA_PROGRAM\" train tiny.yaml --epochs 5000 --limit 0 --batch 2000 --run r & child=$!\n"
                "while ! test -f r/last.h5; do sleep 0.02; done\n"
                "kill -INT $child; kill -INT $child; wait $child");
}
END_TEST

/* Two of them, as terminals send, are one wish; under nohup it is none. */
START_TEST(hangup)
{
    expect(129, "\"$NORMA_PROGRAM\" train tiny.yaml --epochs 5000 --limit 0 --batch 2000 --run r & child=$!\n"
                "while ! test -f r/last.h5; do sleep 0.02; done\n"
                "kill -HUP $child; kill -HUP $child; wait $child; code=$?; test -f r/metrics.csv && exit $code");
    contains(read_text("out.txt"), "stopped at step");
    expect(0, "trap '' HUP; \"$NORMA_PROGRAM\" train tiny.yaml --epochs 3 --run n & child=$!\n"
              "while ! test -f n/last.h5; do sleep 0.02; done\n"
              "kill -HUP $child; wait $child");
    contains(read_text("out.txt"), "after 48 steps");
}
END_TEST

/* The message, the row, the comparison and its JSON name one step. */
START_TEST(divergence_names_one_step)
{
    unsigned long long message, row;
    const char *out = expect(3, "norma train tiny.yaml --lr 1e8 --without batchnorm --run r").out;
    const char *at = strstr(out, "at step ");
    ck_assert(at && sscanf(at, "at step %llu", &message) == 1);
    char *last = strrchr(read_text("r/metrics.csv"), 'n'); /* of the nan of the last row */
    while (last[-1] != '\n')
        last--;
    ck_assert_int_eq(sscanf(last, "%*[^,],%llu", &row), 1);
    ck_assert_uint_eq(message, row);
    said s = expect(0, "norma compare tiny.yaml --vary lr=0.05,1e8 --without batchnorm --epochs 1 --run c --json");
    json_t *arms = parse_json(s.out);
    ck_assert(number_at(entry_of(arms, 1), "steps") == (double)row);
    json_decref(arms);
    char text[64];
    snprintf(text, sizeof text, "diverged at step %llu\n", row);
    contains(s.err, text);
    contains(
        expect(0, "norma compare tiny.yaml --vary lr=0.05,1e8 --without batchnorm --epochs 1 --run c --resume").out,
        text);
}
END_TEST

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
    tcase_add_loop_test(tcase, stopped_and_resumed, 0, 3);
    tcase_add_loop_test(tcase, killed_and_resumed, 0, 2);
}

SUITE_WITH("norma train", set_up, trains, where_it_runs, options_win_over_the_file, any_number_of_threads,
           second_process_is_refused, second_signal_leaves_at_once, hangup, divergence_names_one_step)
