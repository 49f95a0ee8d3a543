/* Names as they are told: in rows of CSV, in commands to type, on a terminal, in messages. */
#include "names_support.h"

/* A layer's name in watch.csv: one field, no formula, and read again. */
START_TEST(names_in_csv)
{
    char model[2048], name[] = "=a,b'' \"c", letters[100];
    memset(letters, 'n', sizeof letters - 1);
    letters[sizeof letters - 1] = '\0';
    write_small_data();
    snprintf(model, sizeof model,
             INPUT
             "layers:\n- {name: '%s', conv: {filters: 2}}\n- {name: '%s', relu: {}}\n"
             "- {name: logits, dense: {units: 10}}\nloss: softmax_ce\ntrain: {data: 'hdf5:data.h5', epochs: 1, batch: "
             "16, watch_every: 1, watch: ['%s/0', '%s/1']}\n",
             name, letters, name, letters);
    write_text("m.yaml", model);
    expect(0, "norma train m.yaml --run r");
    const char *watched = read_text("r/watch.csv");
    contains(watched, "\n1,\"'=a,b' \"\"c\",0,");
    contains(watched, letters);
    draws("norma plot r");
    contains(read_text("r/curves.gp"), "input of \\075a\\054b\\047 \\042c\\0570");
    make_run(".", "=1+2");
    draws("norma plot '=1+2'");
    contains(read_text("=1+2/curves.csv"), "\n'=1+2,1,10,");
}
END_TEST

/* What is to be typed is what a shell reads so. */
START_TEST(commands_to_type_are_quoted)
{
    static const char *const names[][2] = {{"plain-1", "gnuplot ./plain-1/curves.gp"},
                                           {"a b", "gnuplot './a b/curves.gp'"},
                                           {"$(touch PWNED)", "gnuplot './$(touch PWNED)/curves.gp'"},
                                           {"it's", "gnuplot './it'\\''s/curves.gp'"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        make_run(".", names[i][0]);
        write_text("name", names[i][0]);
        contains(expect(1, "name=$(cat name); PATH=/nowhere; norma plot \"$name\"").err, names[i][1]);
    }
}
END_TEST

/* What is printed of a path: on a terminal, and as JSON. */
START_TEST(paths_are_escaped)
{
    write_small_data();
    write_named("small");
    write_text("name", "d\x1b[2J\r\n\xff\xc2\x9b");
    said s = expect(0, "norma train m.yaml --steps 1 --run \"$(cat name)\"");
    contains(s.out, "run directory: d\\x1b[2J\\x0d\\n\\xff\\u009b\n");
    is_plain(s.out);
    is_plain(s.err);
    contains(expect(0, "norma eval \"$(cat name)\"").err, "norma: d\\x1b[2J\\x0d\\n\\xff\\u009b/best.h5, step 1");
    said json = expect(0, "norma eval --json \"$(cat name)\"");
    is_plain(json.out);
    json_t *value = parse_json(json.out);
    ck_assert_str_eq(text_at(value, "checkpoint"), "d\\x1b[2J\\x0d\\n\\xff\\u009b/best.h5"); /* JSON has no such byte */
    json_decref(value);
    expect(0, "mv \"$(cat name)\" good");
    write_text("utf8", "d\x1b[2J\xc2\x9b");
    expect(0, "mv good \"$(cat utf8)\"");
    json = expect(0, "norma eval --json \"$(cat utf8)\"");
    is_plain(json.out);
    value = parse_json(json.out);
    ck_assert_str_eq(text_at(value, "checkpoint"), "d\x1b[2J\xc2\x9b/best.h5"); /* which is what it is */
    json_decref(value);
}
END_TEST

static const char *const mistakes[] = {
    "eval \"$(cat name)\"",
    "eval x \"$(cat name)\"",
    "train \"$(cat name)\"",
    "train tiny.yaml \"$(cat name)\"",
    "train tiny.yaml --data \"$(cat name)\"",
    "train tiny.yaml --data images:\"$(cat name)\"",
    "train tiny.yaml --set \"$(cat name)\"",
    "train tiny.yaml --set \"$(cat name)=1\"",
    "train tiny.yaml --lr \"$(cat name)\"",
    "train tiny.yaml --batch \"$(cat name)\"",
    "train tiny.yaml --optimizer \"$(cat name)\"",
    "train tiny.yaml --run r --resume --init-from \"$(cat name)\"",
    "predict x \"$(cat name)\"",
    "predict \"$(cat name)\" x",
    "compare tiny.yaml --vary \"$(cat name)\"",
    "compare tiny.yaml --vary \"lr=$(cat name)\"",
    "plot \"$(cat name)\"",
    "summary \"$(cat name)\"",
    "gradcheck \"$(cat name)\"",
    "layers \"$(cat name)\"",
    "models \"$(cat name)\"",
    "data \"$(cat name)\"",
    "visualize \"$(cat name)\"",
    "bn-report \"$(cat name)\"",
    "recalibrate \"$(cat name)\"",
    "bench \"$(cat name)\"",
    "trace \"$(cat name)\"",
    "trace tiny.yaml --mode \"$(cat name)\"",
    "\"$(cat name)\"",
    "help \"$(cat name)\"",
    "completions \"$(cat name)\"",
    "eval -\"$(cat name)\"",
    "eval --\"$(cat name)\"",
    "eval --json=\"$(cat name)\"",
    "eval --data=\"$(cat name)\"",
};

START_TEST(messages_are_escaped)
{
    write_text("name", "\x1b[2Ja\nb\xff\r");
    said s = shell("norma %s", mistakes[_i]);
    ck_assert_msg(s.status == 1 || s.status == 2, "norma %s: status %d", mistakes[_i], s.status);
    ck_assert_str_ne(s.err, "");
    is_plain(s.out);
    is_plain(s.err);
}
END_TEST

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
    tcase_add_loop_test(tcase, messages_are_escaped, 0, sizeof mistakes / sizeof *mistakes);
}

SUITE_WITH("names told", set_up, names_in_csv, commands_to_type_are_quoted, paths_are_escaped)
