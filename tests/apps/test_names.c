/* Names of files, folders, runs, layers and classes are data, whatever letters they have: none
 * becomes a command of gnuplot or of a terminal, none becomes a path. */
#include "program.h"

#include <ctype.h>
#include <errno.h>

#define HEAD "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n"
static const char rows[] = HEAD "1,10,0.1,2,0.3,1.9,0.4,1.5\n2,20,0.1,1,0.6,1.1,0.7,3\n";

/* A run directory that has nothing but curves, below `parent`. */
static void make_run(const char *parent, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", parent, name);
    ck_assert_msg(mkdir(parent, 0777) == 0 || errno == EEXIST, "%s", parent);
    ck_assert_msg(mkdir(path, 0777) == 0, "%s", path);
    snprintf(path, sizeof path, "%s/%s/metrics.csv", parent, name);
    write_text(path, rows);
}

/* No command ran that a name was. */
static void nothing_ran(void)
{
    expect(0, "test -z \"$(find . -name 'PWNED*' -print -quit)\"");
}

/* No byte that would move a cursor; gnuplot begins its pictures of letters with a form feed. */
static void is_plain(const char *text)
{
    for (const char *at = text; *at; at++)
        ck_assert_msg((unsigned char)*at >= ' ' || *at == '\n' || *at == '\f', "byte %d in: %.1000s", *at, text);
    ck_assert_ptr_null(strstr(text, "\xc2\x9b"));
    ck_assert_ptr_null(strchr(text, 0x7f));
}

/* Where no gnuplot is, scripts are written all the same and the status is 1. */
static said draws(const char *command)
{
    said s = shell("%s", command);
    ck_assert_msg(s.status == (has_gnuplot() ? 0 : 1), "%s: status %d, said: %s", command, s.status, s.err);
    ck_assert_msg(!has_gnuplot() || !strstr(s.err, "line "), "gnuplot said: %s", s.err);
    is_plain(s.out);
    is_plain(s.err);
    nothing_ran();
    return s;
}

/* A string of gnuplot's that begins with the text: within single quotes, where each letter is
 * itself but the quote, or within double quotes, where \\NNN is a byte. */
static void has_string(const char *script, const char *text)
{
    char plain[512], octal[2048], *to = octal;
    snprintf(plain, sizeof plain, "'%s", text);
    for (const char *at = text; *at; at++)
        to += sprintf(to, isalnum((unsigned char)*at) || *at == ' ' || *at & 0x80 ? "%c" : "\\%03o", *at);
    char quoted[2100];
    snprintf(quoted, sizeof quoted, "\"%s", octal);
    ck_assert_msg((!strchr(text, '\'') && strstr(script, plain)) || strstr(script, quoted),
                  "neither %s nor %s in:\n%.1500s", plain, quoted, script);
}

/* What a byte stands among: the ends of strings, commands of each kind, formats, markup. */
#define ENDS_ALL "\" '.system(\"touch PWNED\").' `touch PWNED` @y {*9 x} %s $(touch PWNED) &lt; #"

START_TEST(every_byte_in_the_name_of_a_run)
{
    for (int b = 1; b < 256; b++) {
        char name[160], parent[16];
        if (b == '/')
            continue;
        snprintf(name, sizeof name, "%c%s%c", b, ENDS_ALL, b);
        if (b == '.') /* hidden */
            name[0] = '-';
        snprintf(parent, sizeof parent, "all%d", b / 64);
        make_run(parent, name);
    }
    for (int part = 0; part < 4; part++) {
        char command[128], path[32];
        snprintf(command, sizeof command, "norma plot all%d --output out%d", part, part);
        draws(command);
        snprintf(path, sizeof path, "out%d.gp", part);
        char *script = read_text(path);
        is_plain(script);
        snprintf(path, sizeof path, "out%d.csv", part);
        is_plain(read_text(path));
        for (int b = part * 64; b < part * 64 + 64; b++) {
            char start[16] = {(char)b};
            if (b < ' ' || b >= 127)
                snprintf(start, sizeof start, b == 10 ? "\\n" : "\\x%02x", b);
            strcat(start, "\"");
            if (b != 0 && b != '/' && b != '.')
                has_string(script, start);
        }
    }
    draws("norma plot --terminal all0");
}
END_TEST

/* gnuplot itself gives a meaning to how a path begins. */
static const char *const beginnings[] = {"<touch PWNED; true ",
                                         "|touch PWNED; true ",
                                         "~",
                                         "~root",
                                         "-",
                                         "-e",
                                         "'",
                                         "\"",
                                         "`touch PWNED`",
                                         "$(touch PWNED)",
                                         "%s",
                                         "a\nsystem(\"touch PWNED\")\n#",
                                         "\xff"};

START_TEST(every_beginning_of_a_path)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        make_run(".", beginnings[i]);
        write_text("name", beginnings[i]);
        draws(*beginnings[i] == '-' ? "norma plot -- \"$(cat name)\"" : "norma plot \"$(cat name)\"");
        draws("norma plot ./\"$(cat name)\" --output=\"$(cat name)\"");
        if (has_gnuplot()) {
            expect(0, "test -s \"./$(cat name).png\" -a -s \"./$(cat name).svg\" -a -s \"./$(cat name)/curves.png\"");
            expect(0,
                   "rm \"./$(cat name).png\"; case \"$(cat name)\" in '<'*|'~'*|-*) ;; "
                   "*) gnuplot \"$(cat name).gp\" && test -s \"./$(cat name).png\";; esac"); /* drawn again by hand */
        }
        nothing_ran();
    }
}
END_TEST

/* A stack of layers, one for each printable letter that a name may begin with; the names are as
 * long as a picture's axis has them whole. */
static void write_letters(const char *path)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "name: 'x'' . system(\"touch PWNED\") `touch PWNED` @y'\n"
               "input: {height: 28, width: 28, channels: 1}\nlayers:\n");
    for (int c = ' ' + 1; c < 127; c++)
        if (c != '/' && c != '.')
            fprintf(f, "- {name: \"%s%c`touch PWNED`'.\\\"@y\", conv: {filters: 1, kernel: 1}}\n",
                    c == '"' || c == '\\' ? "\\" : "", c);
    fprintf(f,
            "- {name: '@y\"', conv: {filters: 2, kernel: 3}}\n- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"
            "train: {data: digits, steps: 1, batch: 64, limit: 64}\n");
    fclose(f);
}

START_TEST(every_letter_in_the_name_of_a_layer)
{
    write_letters("m.yaml");
    expect(0, "norma train m.yaml --run r");
    draws("norma visualize r");
    char *script = read_text("r/pictures/distributions.gp");
    for (int c = '!'; c < 127; c += 3) { /* the axis names every third */
        char name[32];
        snprintf(name, sizeof name, "%c`touch PWNED`'.\"@y", c);
        if (c < '.')
            has_string(script, name);
    }
    has_string(read_text("r/pictures/filters.gp"), "@y\"/weight");
    draws("norma plot r");
    shell("norma bench m.yaml --roofline roof --batch 2 --seconds 1");
    nothing_ran();
}
END_TEST

START_TEST(pictures_of_other_kinds)
{
    static const char model[] =
        "name: '''. %s'\ninput: {height: 28, width: 28, channels: 1}\nlayers:\n"
        "- {name: '%s%q', conv: {filters: 2, kernel: 3}}\n- {name: '100%', conv: {filters: 2, kernel: 1}}\n"
        "- {name: '''. system(\"touch PWNED\") .''', dense: {units: 10}}\nloss: softmax_ce\n"
        "train: {data: digits, steps: 1, batch: 64, limit: 64}\n";
    write_text("m.yaml", model);
    expect(0, "norma train m.yaml --run r");
    draws("norma visualize r"); /* a name at an axis is no format */
    contains(read_text("r/pictures/distributions.gp"), "('%%s%%q' 0, '100%%' 1, \"\\047\\056 system");
    write_text("name", "|touch PWNED;\nx");
    expect(0, "norma compare m.yaml --vary seed=1,2 --run \"$(cat name)\"");
    expect(0, "norma data digits --sample 1 --picture \"$(cat name).png\"");
    nothing_ran();
}
END_TEST

/* What is printed of a path: on a terminal, and as JSON. */
START_TEST(paths_are_escaped)
{
    write_text("name", "d\x1b[2J\r\n\xff\xc2\x9b");
    said s = expect(0, "norma train tiny.yaml --steps 1 --run \"$(cat name)\"");
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

static const struct {
    const char *name, *folder;
} runs[] = {
    {"../x", "_._x-1"},
    {"/x", "_x-1"},
    {".", "_-1"},
    {"..", "_.-1"},
    {"''", "network-1"},
    {"-x", "-x-1"},
    {"~", "~-1"},
    {"a/../../b", "a_.._.._b-1"},
    {"'|touch PWNED'", "|touch PWNED-1"},
    {"'$(touch PWNED)'", "$(touch PWNED)-1"},
};

START_TEST(names_of_models_stay_below_runs)
{
    char model[2048], text[4096] = TINY_MODEL;
    snprintf(model, sizeof model, "name: %s\n%s", runs[_i].name, strchr(text, '\n') + 1);
    write_text("m.yaml", model);
    said s = expect(0, "norma train m.yaml --steps 1");
    char line[128];
    snprintf(line, sizeof line, "run directory: runs/%s\n", runs[_i].folder);
    contains(s.out, line);
    expect(0, "test \"$(ls -A runs)\" = '%s' -a ! -e ../x-1 -a ! -e /x-1", runs[_i].folder);
    if (_i < 2)
        expect(0, "norma compare m.yaml --steps 1 --vary seed=1,2");
    expect(0, "test \"$(ls -A)\" = \"$(printf 'err.txt\\nm.yaml\\nout.txt\\nruns\\ntiny.yaml')\"");
    nothing_ran();
}
END_TEST

START_TEST(names_of_models_that_are_refused)
{
    static const char *const names[] = {"\"a\\nb\"", "\"\\e[2J\"", "\"a\\x9b\"", "\"a\\u202Eb\"", "\"a\\x7f\""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char model[2048], text[4096] = TINY_MODEL;
        snprintf(model, sizeof model, "name: %s\n%s", names[i], strchr(text, '\n') + 1);
        write_text("m.yaml", model);
        contains(expect(2, "norma train m.yaml --steps 1").err, "m.yaml:1:7: a network's name must be of printable");
        contains(expect(2, "norma summary m.yaml").err, "a network's name must be of printable");
        expect(2, "norma compare m.yaml --steps 1 --vary seed=1,2");
        expect(0, "test ! -e runs");
    }
}
END_TEST

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, messages_are_escaped, 0, sizeof mistakes / sizeof *mistakes);
    tcase_add_loop_test(tcase, names_of_models_stay_below_runs, 0, sizeof runs / sizeof *runs);
}

SUITE_WITH("names", set_up, every_byte_in_the_name_of_a_run, every_beginning_of_a_path,
           every_letter_in_the_name_of_a_layer, pictures_of_other_kinds, paths_are_escaped,
           names_of_models_that_are_refused)
