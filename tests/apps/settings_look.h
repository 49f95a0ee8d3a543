/* Runs two command lines that differ in a setting, and looks where the difference shows. */
#ifndef SETTINGS_LOOK_H
#define SETTINGS_LOOK_H

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

#endif
