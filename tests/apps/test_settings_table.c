/* No setting is accepted and then forgotten: each changes what its command writes, says or takes.
 * A setting without a row in settings_table.h fails, and so does a row without a setting. */
#include "program.h"

#include "sanitized.h"
#include "settings_files.h"
#include "settings_table.h"

#include <sys/resource.h>

/* What the command lines name, in the folder of the test. */
static void prepare(void)
{
    write_images();
    write_data("own.h5");
    write_batch("in.h5", 1);
    write_batch("other.h5", 2);
    write_model("m.yaml", NULL, NULL);
    expect(0, "norma train m.yaml --run t");
    write_large_images();
    write_large_batch("large.h5");
    write_large_checkpoint("large-t.h5", "t/last.h5");
}

/* ---- running and looking --------------------------------------------------------------------- */

typedef struct seen {
    char *text; /* free */
    long memory;
} seen;

/* A shell of its own, so that the memory is this program's alone. */
static long run_program(const char *line, const char *see)
{
    char command[2048], status[16];
    int state;
    struct rusage used;
    snprintf(command, sizeof command, "exec \"$NORMA_PROGRAM\" %s >out 2>err </dev/null", line);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (strcmp(see, PICTURES) != 0)
            setenv("PATH", "/nowhere", 1); /* curves need not be drawn */
        if (strcmp(see, THREADS) == 0) {
            setenv("LD_PRELOAD", getenv("NORMA_COUNT_THREADS"), 1);
            setenv("COUNT_THREADS", "threads", 1);
            setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
        }
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(wait4(child, &state, 0, &used), child);
    snprintf(status, sizeof status, "%d\n", WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state));
    write_text("status", status);
    ck_assert_msg(strstr(see, "status") || strcmp(status, "0\n") == 0, "norma %s: exit status %s%.2000s", line, status,
                  read_text("err"));
    return used.ru_maxrss;
}

static char *text_of(FILE *f)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    for (int c; (c = fgetc(f)) != EOF;)
        fputc(c, to);
    fclose(to);
    return text;
}

static seen look(const char *first, const char *line, const char *see)
{
    ck_assert_int_eq(system("rm -rf r runs o.h5 r.h5 p p.* roof.* t/curves.* t/pictures .cache threads"), 0);
    if (first)
        run_program(first, OUT);
    seen s = {.memory = run_program(line, see)};
    char command[1024];
    bool threads = strcmp(see, THREADS) == 0, memory = strcmp(see, MEMORY) == 0;
    snprintf(command, sizeof command, "{ %s\n} 2>/dev/null", threads ? "tail -n 1 threads" : memory ? "true" : see);
    FILE *f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    s.text = text_of(f);
    pclose(f);
    return s;
}

static bool differ(const seen *a, const seen *b, const char *see)
{
    if (strcmp(see, MEMORY) != 0)
        return strcmp(a->text, b->text) != 0;
    return 4 * a->memory > 5 * b->memory || 4 * b->memory > 5 * a->memory;
}

/* ---- one setting --------------------------------------------------------------------------- */

/* What the command line without the setting gave: most rows have the same. */
static struct base {
    char *key;
    seen s;
} bases[256];
static int base_count;

/* Looked at twice: where two equal commands differ, another difference says nothing. */
static const seen *look_without(const char *first, const char *line, const char *see)
{
    char key[2048];
    snprintf(key, sizeof key, "%s|%s|%s", first ? first : "", line, see);
    for (int i = 0; i < base_count; i++)
        if (strcmp(bases[i].key, key) == 0)
            return &bases[i].s;
    seen s = look(first, line, see), second = look(first, line, see);
    ck_assert_msg(!differ(&s, &second, see), "norma %s differs from run to run, in '%s':\n%.1000s\n%.1000s", line, see,
                  s.text, second.text);
    free(second.text);
    ck_assert_int_lt(base_count, 256);
    bases[base_count].key = strdup(key);
    bases[base_count].s = s;
    return &bases[base_count++].s;
}

/* With the sanitizers the command is only run: that it makes a difference, the release says. */
static int check(const char *first, const char *without, const char *with, const char *see)
{
    if (SANITIZED) {
        free(look(first, with, see).text);
        return 0;
    }
    const seen *a = look_without(first, without, see);
    seen b = look(first, with, see);
    bool good = differ(a, &b, see);
    if (!good)
        printf("# norma %s\n# norma %s\n# do not differ, in '%s' (%ld and %ld kB)\n", without, with, see, a->memory,
               b.memory);
    free(b.text);
    return !good;
}

static void free_bases(void)
{
    while (base_count > 0) {
        base_count--;
        free(bases[base_count].key);
        free(bases[base_count].s.text);
    }
}

enum { KEYS = sizeof key_rows / sizeof *key_rows, ROWS = sizeof flag_rows / sizeof *flag_rows };

static void flag_of(const char *key, char flag[32])
{
    snprintf(flag, 32, "%s", key);
    for (char *c = flag; *c; c++)
        *c = *c == '_' ? '-' : *c;
}

/* As a flag, after `line`. */
static int check_flag(const key_row *row, const char *line)
{
    char without[512], with[640], flag[32];
    flag_of(row->name, flag);
    snprintf(without, sizeof without, "%s %s", line, row->flags);
    snprintf(with, sizeof with, "%s --%s '%s'", without, flag, row->value);
    return check(NULL, without, with, row->see);
}

START_TEST(flags_of_train)
{
    int wrong = 0;
    prepare();
    for (int i = 0; i < KEYS; i++)
        wrong += check_flag(&key_rows[i], "train m.yaml --run r");
    free_bases();
    ck_assert_msg(wrong == 0, "%d settings do nothing", wrong);
}
END_TEST

/* This test and the next run the code of the one above: not with the sanitizers. */
START_TEST(flags_of_compare)
{
    int wrong = 0;
    if (SANITIZED)
        return;
    prepare();
    for (int i = 0; i < KEYS; i++)
        wrong += check_flag(&key_rows[i], "compare m.yaml --run r --vary logits.bias=true,false");
    free_bases();
    ck_assert_msg(wrong == 0, "%d settings do nothing", wrong);
}
END_TEST

START_TEST(keys_of_the_model_file)
{
    int wrong = 0;
    if (SANITIZED)
        return;
    prepare();
    for (int i = 0; i < KEYS; i++) {
        char without[512], with[512];
        write_model("k.yaml", key_rows[i].name, key_rows[i].value);
        snprintf(without, sizeof without, "train m.yaml --run r %s", key_rows[i].flags);
        snprintf(with, sizeof with, "train k.yaml --run r %s", key_rows[i].flags);
        wrong += check(NULL, without, with, key_rows[i].see);
    }
    free_bases();
    ck_assert_msg(wrong == 0, "%d settings do nothing", wrong);
}
END_TEST

START_TEST(flags_of_the_commands)
{
    int wrong = 0;
    prepare();
    for (int i = 0; i < ROWS; i++)
        wrong += check(flag_rows[i].first, flag_rows[i].without, flag_rows[i].with, flag_rows[i].see);
    free_bases();
    ck_assert_msg(wrong == 0, "%d settings do nothing", wrong);
}
END_TEST

/* ---- every setting has a row --------------------------------------------------------------- */

static int rows_for(const char *command, const char *flag)
{
    int rows = 0;
    for (int i = 0; i < ROWS; i++)
        rows += strcmp(flag_rows[i].command, command) == 0 && strcmp(flag_rows[i].flag, flag) == 0;
    for (int i = 0; i < KEYS && (strcmp(command, "train") == 0 || strcmp(command, "compare") == 0); i++) {
        char name[32];
        flag_of(key_rows[i].name, name);
        rows += strcmp(name, flag) == 0;
    }
    return rows;
}

START_TEST(every_setting_has_a_row)
{
    char *list = expect(0, "norma completions fish").out;
    int found = 0, wrong = 0;
    for (char *at = list; (at = strstr(at, "__fish_seen_subcommand_from ")); at++) {
        char command[32], flag[32];
        if (sscanf(at, "%*s %31[a-z-]' -l %31[a-z0-9-]", command, flag) != 2 || strcmp(flag, "help") == 0)
            continue;
        int rows = rows_for(command, flag);
        found += rows;
        wrong += rows != 1;
        if (rows != 1)
            printf("# norma %s --%s: %d rows in settings_table.h\n", command, flag, rows);
    }
    fflush(stdout);
    ck_assert_msg(wrong == 0, "%d settings have no row, or two", wrong);
    ck_assert_msg(found == ROWS + 2 * KEYS, "%d rows are for settings that there are not", ROWS + 2 * KEYS - found);
}
END_TEST

/* What reads files of others lets its user bound them. */
START_TEST(commands_that_read_files_bound_them)
{
    static const char *const others[] = {
        "summary", "gradcheck", "bench", /* a model file, which is bounded for itself */
        "plot",                          /* metrics.csv, row by row */
        "layers",  "models",    "completions"};
    const char *commands = expect(0, "norma completions commands").out;
    const char *list = expect(0, "norma completions fish").out;
    char name[32], flag[128];
    int length;
    for (const char *at = commands; sscanf(at, "%31s%n", name, &length) == 1; at += length) {
        bool other = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            other = other || strcmp(others[i], name) == 0;
        snprintf(flag, sizeof flag, "__fish_seen_subcommand_from %s' -l max-memory", name);
        ck_assert_msg((strstr(list, flag) != NULL) != other, "norma %s %s --max-memory", name,
                      other ? "needs no" : "has no");
    }
}
END_TEST

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
    tcase_set_timeout(tcase, 400);
}

SUITE_WITH("settings table", set_up, every_setting_has_a_row, commands_that_read_files_bound_them,
           flags_of_the_commands, flags_of_train, flags_of_compare, keys_of_the_model_file)
