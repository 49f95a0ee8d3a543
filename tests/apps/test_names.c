/* Names of files, folders, runs, layers and classes are data, whatever letters they have: none
 * becomes a command of gnuplot or of a terminal, none becomes a path. */
#include "names_support.h"

#include <ctype.h>

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
    fprintf(f, "name: 'x'' . system(\"touch PWNED\") `touch PWNED` @y'\n" INPUT "layers:\n");
    for (int c = ' ' + 1; c < 127; c++)
        if (c != '/' && c != '.')
            fprintf(f, "- {name: \"%s%c`touch PWNED`'.\\\"@y\", conv: {filters: 1, kernel: 1}}\n",
                    c == '"' || c == '\\' ? "\\" : "", c);
    fprintf(f, "- {name: '@y\"', conv: {filters: 2, kernel: 3}}\n- {name: logits, dense: {units: 10}}\n" TRAINING);
    fclose(f);
}

START_TEST(every_letter_in_the_name_of_a_layer)
{
    write_small_data();
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
    shell("norma bench m.yaml --roofline roof --batch 2 --seconds 0.05 --threads 1");
    nothing_ran();
}
END_TEST

START_TEST(pictures_of_other_kinds)
{
    static const char model[] =
        "name: '''. %s'\n" INPUT "layers:\n"
        "- {name: '%s%q', conv: {filters: 2, kernel: 3}}\n- {name: '100%', conv: {filters: 2, kernel: 1}}\n"
        "- {name: '''. system(\"touch PWNED\") .''', dense: {units: 10}}\n" TRAINING;
    write_small_data();
    write_text("m.yaml", model);
    expect(0, "norma train m.yaml --run r");
    draws("norma visualize r"); /* a name at an axis is no format */
    contains(read_text("r/pictures/distributions.gp"), "('%%s%%q' 0, '100%%' 1, \"\\047\\056 system");
    write_text("name", "|touch PWNED;\nx");
    expect(0, "norma compare m.yaml --vary seed=1,2 --run \"$(cat name)\"");
    expect(0, "norma data hdf5:data.h5 --sample 1 --picture \"$(cat name).png\"");
    nothing_ran();
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
    write_small_data();
    write_named(runs[_i].name);
    said s = expect(0, "norma train m.yaml --steps 1");
    char line[128];
    snprintf(line, sizeof line, "run directory: runs/%s\n", runs[_i].folder);
    contains(s.out, line);
    expect(0, "test \"$(ls -A runs)\" = '%s' -a ! -e ../x-1 -a ! -e /x-1", runs[_i].folder);
    if (_i < 2)
        expect(0, "norma compare m.yaml --steps 1 --vary seed=1,2");
    expect(0, "test \"$(ls -A)\" = \"$(printf 'data.h5\\nerr.txt\\nm.yaml\\nout.txt\\nruns\\ntiny.yaml')\"");
    nothing_ran();
}
END_TEST

START_TEST(names_of_models_that_are_refused)
{
    static const char *const names[] = {"\"a\\nb\"", "\"\\e[2J\"", "\"a\\x9b\"", "\"a\\u202Eb\"", "\"a\\x7f\""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        write_named(names[i]);
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
    tcase_add_loop_test(tcase, names_of_models_stay_below_runs, 0, sizeof runs / sizeof *runs);
}

SUITE_WITH("names", set_up, every_byte_in_the_name_of_a_run, every_beginning_of_a_path,
           every_letter_in_the_name_of_a_layer, pictures_of_other_kinds, names_of_models_that_are_refused)
