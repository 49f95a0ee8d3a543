/* The pictures' scripts and what is said about them: names of any letters, keys, axes, runs with
 * little to draw. */
#include "program.h"

#include <fcntl.h>
#include <png.h>
#include <sys/ioctl.h>

#define HEAD "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n"

/* A run directory with these rows of metrics.csv. */
static void make_run(const char *run, const char *rows)
{
    char path[256], text[2048];
    expect(0, "mkdir -p '%s'", run);
    snprintf(path, sizeof path, "%s/metrics.csv", run);
    snprintf(text, sizeof text, HEAD "%s", rows);
    write_text(path, text);
}
static const char *const two_rows = "1,10,0.1,2,0.3,1.9,0.4,1.5\n2,20,0.1,1,0.6,1.1,0.7,3\n";

/* Where gnuplot is not there, nothing but the script can be looked at. */
static void draws_quietly(const char *arguments)
{
    said s = shell("norma plot %s", arguments);
    ck_assert_int_eq(s.status, has_gnuplot() ? 0 : 1);
    ck_assert_msg(!has_gnuplot() || !*s.err, "said: %s", s.err);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

START_TEST(distinguishes_runs_of_one_name)
{
    make_run("a/r", two_rows);
    make_run("b/c/r", two_rows);
    make_run("d/c/r", two_rows);
    make_run("s", two_rows);
    draws_quietly("a/r b/c/r d/c/r s --output all");
    char *csv = read_text("all.csv"), *script = read_text("all.gp");
    static const char *const names[] = {"a/r", "b/c/r", "d/c/r", "s"};
    for (int i = 0; i < 4; i++) {
        char line[64], label[64];
        snprintf(line, sizeof line, "\n%s,1,10,", names[i]);
        snprintf(label, sizeof label, "set label '%s'", names[i]);
        contains(csv, line);
        contains(script, label);
    }
    said s = shell("norma plot a/r ./a/../a/r --output twice");
    contains(s.err, "named twice");
    ck_assert_int_eq(count_of(read_text("twice.csv"), "\nr,1,10,"), 1);
    shell("cd a/r && norma plot . --output here");
    contains(read_text("a/r/here.csv"), "\nr,1,10,");
}
END_TEST

/* Colour, dash and marker of each entry of the key. */
static int read_styles(const char *script, char styles[64][48])
{
    int count = 0, dash, marker;
    char colour[16];
    for (const char *at = script; (at = strstr(at, "set arrow from")) && count < 64; at++) {
        ck_assert_int_eq(sscanf(strstr(at, " dt "), " dt %d lc rgb '%15[^']", &dash, colour), 2);
        ck_assert_int_eq(sscanf(strstr(at, " pt "), " pt %d", &marker), 1);
        snprintf(styles[count++], sizeof styles[0], "%s %d %d", colour, dash, marker);
    }
    return count;
}

START_TEST(keeps_many_curves_distinct)
{
    static char styles[64][48];
    char run[128];
    for (int i = 0; i < 24; i++) {
        snprintf(run, sizeof run, "c/batchnorm=%s,lr=0.%d,momentum=0.9", i % 2 ? "on" : "off", 10 + i / 2);
        make_run(run, two_rows);
        snprintf(run, sizeof run, "p/run-%d", i);
        make_run(run, two_rows);
    }
    draws_quietly("c --output c");
    char *script = read_text("c.gp");
    ck_assert_int_eq(read_styles(script, styles), 24);
    contains(script, "set label 'momentum=0.9' at screen 0.5,"); /* what all share is the title */
    contains(script, "set label 'batchnorm=off lr=0.10' at");
    ck_assert_int_eq(strncmp(styles[0], styles[11], 7), 0); /* the colour is batchnorm's */
    ck_assert_int_ne(strncmp(styles[0], styles[12], 7), 0);
    for (int plain = 0; plain < 2; plain++) {
        for (int i = 0; i < 24; i++)
            for (int k = 0; k < i; k++)
                ck_assert_str_ne(styles[i], styles[k]);
        draws_quietly("p --output p");
        ck_assert_int_eq(read_styles(read_text("p.gp"), styles), 24);
    }
    contains(read_text("c.csv"), "\n\"batchnorm=off,lr=0.10,momentum=0.9\",1,10,");
}
END_TEST

START_TEST(draws_what_there_is)
{
    make_run("one", "1,10,0.1,2,0.3,1.9,0.4,0\n");
    make_run("encoder", "1,10,0.1,0.5,nan,0.4,nan,1\n2,20,0.1,0.3,nan,0.35,nan,2\n");
    make_run("trained", "1,10,0.1,2,0.3,nan,nan,1\n2,20,0.1,1.5,0.5,nan,nan,2\n");
    make_run("diverged", "1,10,0.1,2,0.3,1.9,0.4,1\n2,15,0.1,nan,nan,nan,nan,2\n");
    make_run("nothing", "1,10,0.1,nan,nan,nan,nan,1\n");
    make_run("fresh", "");
    static const char *const quiet[] = {"one", "encoder", "trained", "diverged", "one encoder trained diverged -o all"};
    for (int i = 0; i < 5; i++)
        draws_quietly(quiet[i]);
    if (has_gnuplot())
        for (int i = 0; i < 4; i++) {
            said s = expect(0, "norma plot --terminal %s", quiet[i]);
            contains(s.out, "loss");
            ck_assert_str_eq(s.err, "");
        }
    ck_assert_ptr_null(strstr(read_text("encoder/curves.gp"), "accuracy"));
    contains(read_text("trained/curves.gp"), "accuracy (training)");
    contains(read_text("all.gp"), "'diverged (diverged)'");
    contains(shell("norma plot nothing").err, "no finite loss or accuracy");
    contains(shell("norma plot one fresh").err, "fresh: no curve yet");
    contains(expect(2, "norma plot fresh").err, "metrics.csv has no row");
}
END_TEST

START_TEST(fits_axes)
{
    make_run("low", "1,100,0.1,4,0.01,4.1,0.012,1\n2,200,0.1,3.9,0.05,4,0.06,2\n3,300,0.1,3.8,0.09,3.9,0.11,3\n");
    make_run("high", "1,100,0.1,0.4,0.991,0.4,0.9902,1\n2,200,0.1,0.3,0.9925,0.3,0.9931,2\n");
    make_run("wild", "1,100,0.1,1e30,0.1,1e35,0.1,1\n2,150,0.1,nan,nan,nan,nan,2\n");
    draws_quietly("low");
    contains(read_text("low/curves.gp"), "set yrange [0:12]");
    draws_quietly("high wild -o both");
    contains(read_text("both.gp"), "set yrange [0.3:0.4]"); /* a run that diverged does not flatten the others */
    draws_quietly("high");
    contains(read_text("high/curves.gp"), "set yrange [99:99.4]");
}
END_TEST

START_TEST(takes_names_as_they_are)
{
    write_text("name", "x' . system('touch hacked') . ' \"q\" `touch hacked` @y _{z}^2 \\n %s");
    expect(0,
           "mkdir \"$(cat name)\" && printf '%s' >\"$(cat name)/metrics.csv\"; mkdir \"a\nplot\" && cp */metrics.csv "
           "\"a\nplot\"",
           HEAD "1,10,0.1,2,0.3,1.9,0.4,1\\n");
    said s = shell("norma plot \"$(cat name)\" \"a\nplot\" --output odd && norma plot \"$(cat name)\" --terminal && "
                   "norma plot \"a\nplot\" --output -odd");
    ck_assert_msg(!has_gnuplot() || (s.status == 0 && !*s.err), "status %d, said: %s", s.status, s.err);
    expect(0, "test ! -e hacked");
    contains(read_text("odd.csv"), "\"\"q\"\"");
}
END_TEST

START_TEST(names_missing_fonts)
{
    make_run("\xf4\x8f\xbf\xbd-r", two_rows); /* U+10FFFD: for private use; no font has it */
    make_run("\xff-r", two_rows);             /* not UTF-8 */
    said s = shell("norma plot *-r --output out");
    char *script = read_text("out.gp");
    contains(script, "'U+10FFFD-r'");
    contains(script, "'\\xff-r'");
    if (has_gnuplot())
        contains(s.err, "no installed font has the characters U+10FFFD");
    write_text("empty.conf", "<fontconfig></fontconfig>\n");
    make_run("plain", two_rows);
    s = expect(1, "FONTCONFIG_FILE=$PWD/empty.conf norma plot plain");
    contains(s.err, "no font is installed");
    expect(0, "test -s plain/curves.csv -a -s plain/curves.gp -a ! -e plain/curves.png");
}
END_TEST

START_TEST(works_without_gnuplot)
{
    make_run("r", two_rows);
    said s = expect(1, "PATH=/nowhere norma plot r");
    contains(s.err, "gnuplot-nox");
    contains(s.out, "r/curves.csv");
    expect(0, "test -s r/curves.csv -a -s r/curves.gp");
    contains(expect(1, "PATH=/nowhere norma plot r --terminal").err, "gnuplot-nox");
    /* one that ends before it has read anything is reported, and is no signal for norma */
    expect(0,
           "mkdir bin && printf '#!/bin/sh\\nexit 5\\n' >bin/gnuplot && chmod +x bin/gnuplot && for i in $(seq 60000); "
           "do echo \"$i,$i,0.1,2,0.3,1.9,0.4,1.5\"; done >>r/metrics.csv");
    contains(expect(1, "PATH=$PWD/bin:$PATH norma plot r --terminal").err, "gnuplot ended with status 5");
}
END_TEST

/* What the command writes to a terminal of so many columns. */
static char *shown_on_terminal(const char *command, int columns)
{
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    int screen = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(screen >= 0 && grantpt(screen) == 0 && unlockpt(screen) == 0);
    int terminal = open(ptsname(screen), O_RDWR | O_NOCTTY);
    ck_assert(terminal >= 0 && ioctl(terminal, TIOCSWINSZ, &size) == 0);
    pid_t reader = fork();
    if (reader == 0) { /* until the last writer has closed the terminal */
        char text[4096];
        close(terminal);
        FILE *f = fopen("screen.txt", "wb");
        for (ssize_t bytes; f && (bytes = read(screen, text, sizeof text)) > 0;)
            fwrite(text, 1, (size_t)bytes, f);
        _exit(!f || fclose(f) != 0);
    }
    expect(0, "%s >%s", command, ptsname(screen));
    close(terminal);
    ck_assert_int_eq(waitpid(reader, NULL, 0), reader);
    close(screen);
    return read_text("screen.txt");
}

START_TEST(fits_terminals)
{
    if (!has_gnuplot())
        return;
    make_run("a", two_rows);
    make_run("b-with-a-name-that-is-longer-than-a-narrow-terminal-is-wide", two_rows);
    char *plain = shown_on_terminal("NO_COLOR=1 norma plot --terminal a b-*", 44);
    ck_assert_ptr_null(strchr(plain, '\x1b'));
    contains(plain, "\nB  b-with-a-name-that-is-longer-than-a-narrow-terminal-is-wide\r\n"); /* the key is not cut */
    for (const char *line = plain; *line; line += strcspn(line, "\n") + 1)
        ck_assert_msg(strcspn(line, "\r\n\f") <= 44 || line[0] == 'B', "too long: %.60s", line);
    ck_assert_ptr_nonnull(strchr(shown_on_terminal("norma plot --terminal a b-*", 80), '\x1b'));
}
END_TEST

/* A network on colour images whose last layer by order has a smaller field than another. */
#define COLOURED                                                                                                       \
    "name: coloured\ninput: {height: 8, width: 8, channels: 3}\nlayers:\n"                                             \
    "- {name: first, conv: {filters: 4, kernel: 3, pad: same}}\n"                                                      \
    "- {name: wide, conv: {filters: 4, kernel: 5, pad: same}}\n"                                                       \
    "- {name: narrow, conv: {filters: 4, kernel: 1}, from: first}\n"                                                   \
    "- {name: sum, add: {}, from: [wide, narrow]}\n- gap: {}\n- {name: logits, dense: {units: 2}}\n"                   \
    "loss: softmax_ce\ntrain: {data: \"images:pixels\", batch: 16, steps: 1}\n"

/* 80 images in two classes, of which 16 are for testing. */
static void make_images(void)
{
    expect(0, "mkdir -p pixels/bright pixels/dark");
    for (int i = 0; i < 80; i++) {
        uint8_t pixels[8 * 8 * 3];
        char path[64];
        for (int k = 0; k < 8 * 8 * 3; k++)
            pixels[k] = (uint8_t)((i * 31 + k * 37) % 101 + (i % 2 ? 0 : 150));
        snprintf(path, sizeof path, "pixels/%s/%02d.png", i % 2 ? "dark" : "bright", i);
        png_image image = {.version = PNG_IMAGE_VERSION, .width = 8, .height = 8, .format = PNG_FORMAT_RGB};
        ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    }
}

START_TEST(visualizes_colours_and_depth)
{
    make_images();
    write_text("coloured.yaml", COLOURED);
    expect(0, "norma train coloured.yaml --run r");
    said s = shell("norma visualize r");
    ck_assert_int_eq(s.status, has_gnuplot() ? 0 : 1);
    ck_assert_msg(!has_gnuplot() || strcmp(s.err, "norma: r/best.h5, step 1 (epoch 1)\n") == 0, "said: %s", s.err);
    char *filters = read_text("r/pictures/filters.gp"), *maps = read_text("r/pictures/maps.gp");
    contains(filters, "first/weight: 4 of 4 filters");
    ck_assert_ptr_null(strstr(filters, "$tiles1"));
    int extremes = 0; /* the three channels of a filter share one range: its largest weight is 0 or 255 */
    for (char *line = strstr(filters, "END\n") + 4; strncmp(line, "END", 3) != 0; line = strchr(line, '\n') + 1) {
        int x, y, rgb[3];
        ck_assert_int_eq(sscanf(line, "%d %d %d %d %d", &x, &y, &rgb[0], &rgb[1], &rgb[2]), 5);
        for (int c = 0; c < 3 && x % 4 < 3 && y % 4 < 3; c++)
            extremes += rgb[c] == 0 || rgb[c] == 255;
    }
    ck_assert_int_ge(extremes, 4);
    ck_assert_int_le(extremes, 8);
    contains(maps, "shallow: first,");
    contains(maps, "deep: wide,"); /* not narrow, which comes later */
    contains(expect(2, "norma visualize r --unit wid").err, "did you mean 'wide'?");
    ck_assert_ptr_null(strstr(shell("norma visualize r --unit logits").err, "field"));
    contains(read_text("r/pictures/field.gp"), "the whole image");
}
END_TEST

START_TEST(says_what_is_not_drawn)
{
    write_text("dense.yaml", "name: dense\ninput: {height: 28, width: 28, channels: 1}\nlayers:\n"
                             "- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"
                             "train: {data: digits, steps: 1, batch: 64, limit: 64}\n");
    expect(0, "norma train dense.yaml --run r");
    said s = shell("norma visualize r");
    ck_assert_int_eq(s.status, has_gnuplot() ? 0 : 1);
    contains(s.err, "no filters.png");
    contains(s.err, "no maps.png");
    contains(s.err, "no field.png");
    s = expect(1, "PATH=/nowhere norma visualize r --output out");
    contains(s.err, "gnuplot-nox");
    contains(s.out, "out/distributions.gp");
    /* a branch that the loss does not depend on */
    write_text("branch.yaml", "name: branch\ninput: {height: 28, width: 28, channels: 1}\nlayers:\n"
                              "- {name: dead, conv: {filters: 4, kernel: 3}}\n"
                              "- {name: c, conv: {filters: 4, kernel: 3}, from: input}\n"
                              "- gap: {}\n- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"
                              "train: {data: digits, steps: 1, batch: 64, limit: 64}\n");
    s = shell("norma train branch.yaml --run b && norma visualize b --unit dead");
    contains(s.err, "the first of them 'dead', has no finite value other than 0");
    ck_assert_ptr_null(strstr(s.err, "field.png is empty"));
    ck_assert_ptr_null(strstr(s.err, "maps.png is empty"));
    /* weights of zero: relu passes no gradient to them */
    write_text("zeros.yaml", "name: zeros\ninput: {height: 28, width: 28, channels: 1}\nlayers:\n"
                             "- {name: flat, conv: {filters: 4, kernel: 3, init: constant, init_value: 0}}\n- relu\n"
                             "- gap: {}\n- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"
                             "train: {data: digits, steps: 1, batch: 64, limit: 64}\n");
    s = shell("norma train zeros.yaml --run z && norma visualize z --unit flat");
    contains(s.err, "maps.png is empty for 'flat': each of its maps has one value at all pixels");
    contains(s.err, "field.png is empty: the gradient of the middle unit of 'flat' is 0");
}
END_TEST

SUITE_WITH("pictures", in_own_folder, distinguishes_runs_of_one_name, keeps_many_curves_distinct, draws_what_there_is,
           fits_axes, takes_names_as_they_are, names_missing_fonts, works_without_gnuplot, fits_terminals,
           visualizes_colours_and_depth, says_what_is_not_drawn)
