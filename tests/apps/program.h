/* Running the program as a user does: a command line through the shell, in a folder of its own. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "run_suite.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Learns the digits a little within a second, also in a build that checks addresses. 500 samples:
 * 16 steps an epoch. */
#define TINY_MODEL                                                                                                     \
    "name: tiny\n"                                                                                                     \
    "input: {height: 28, width: 28, channels: 1}\n"                                                                    \
    "layers:\n"                                                                                                        \
    "- {name: c1, conv: {filters: 8, kernel: 5, stride: 2, bias: false}}\n"                                            \
    "- batchnorm: {}\n"                                                                                                \
    "- relu: {}\n"                                                                                                     \
    "- {name: p1, maxpool: {size: 2}}\n"                                                                               \
    "- {name: logits, dense: {units: 10}}\n"                                                                           \
    "loss: softmax_ce\n"                                                                                               \
    "train: {data: digits, epochs: 2, batch: 32, limit: 500, optimizer: {sgd: {lr: 0.05, momentum: 0.9}},"             \
    " schedule: cosine}\n"

typedef struct said {
    int status;      /* exit status; 128 + signal where a signal ended it */
    char *out, *err; /* all that it wrote; kept until the test ends */
} said;

static char folder[64];
static char *kept[512];
static int kept_count;

/* Belongs to the test, which frees it as it ends. */
static inline char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s is not there", path);
    ck_assert_uint_lt((unsigned)kept_count, sizeof kept / sizeof *kept);
    char *text = kept[kept_count++] = calloc(1, 1 << 20);
    text[fread(text, 1, (1 << 20) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}
static inline void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

/* Runs a shell command in which `norma` is the program under test. */
static inline said shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline said shell(const char *fmt, ...)
{
    char command[8192], line[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    snprintf(command, sizeof command, "norma() { \"$NORMA_PROGRAM\" \"$@\"; }\n{ %s\n} >out.txt 2>err.txt </dev/null",
             line);
    int state = system(command);
    said s = {WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state), read_text("out.txt"),
              read_text("err.txt")};
    return s;
}

/* The command ends with this status; where it does not, the test fails with what it said. */
#define expect(status_, ...)                                                                                           \
    __extension__({                                                                                                    \
        said s_ = shell(__VA_ARGS__);                                                                                  \
        ck_assert_msg(s_.status == (status_), "exit status %d, expected %d\nstdout: %s\nstderr: %s", s_.status,        \
                      status_, s_.out, s_.err);                                                                        \
        s_;                                                                                                            \
    })

/* Check ends the program over a message that is too long. */
#define contains(text_, part_) ck_assert_msg(strstr(text_, part_) != NULL, "expected '%s' in:\n%.3000s", part_, text_)

static inline json_t *parse_json(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    ck_assert_msg(value != NULL, "not JSON: %s\n%s", error.text, text);
    return value;
}
static inline double number_at(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_number(value), "no number '%s'", key);
    return json_number_value(value);
}
static inline const char *text_at(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_string(value), "no text '%s'", key);
    return json_string_value(value);
}
/* Entry i of a list that has one. */
static inline json_t *entry_of(json_t *list, size_t i)
{
    ck_assert(json_is_array(list));
    ck_assert_uint_gt(json_array_size(list), i);
    return json_array_get(list, i);
}

static inline bool same_bytes(const char *a, const char *b)
{
    return shell("cmp '%s' '%s'", a, b).status == 0;
}
/* Whether two runs have the same curves; their seconds may differ. */
static inline bool same_curves(const char *a, const char *b)
{
    return shell("cut -d, -f1-7 '%s/metrics.csv' >a.cut && cut -d, -f1-7 '%s/metrics.csv' | cmp a.cut -", a, b)
               .status == 0;
}
/* The digests of all files of a folder but the lock, to see whether anything changed. */
static inline char *fingerprint(const char *path)
{
    return shell("find '%s' -type f ! -name lock | sort | xargs sha256sum", path).out;
}

static inline bool has_gnuplot(void)
{
    return shell("command -v gnuplot").status == 0;
}
#define PNG_MARK "\x89PNG"
#define SVG_MARK "<?xml"
/* Of at least so many bytes, that begins with `mark`. */
static inline bool is_picture(const char *path, const char *mark, size_t least)
{
    struct stat st;
    return stat(path, &st) == 0 && (size_t)st.st_size >= least && strncmp(read_text(path), mark, strlen(mark)) == 0;
}

static void enter_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/norma-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    setenv("HOME", folder, 1);
    setenv("ASAN_OPTIONS", "detect_leaks=1", 0);
    unsetenv("NORMA_DATA");
    unsetenv("XDG_DATA_HOME");
    write_text("tiny.yaml", TINY_MODEL);
}

static void leave_folder(void)
{
    char command[128];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", folder, folder);
    ck_assert_int_eq(system(command), 0);
    while (kept_count > 0)
        free(kept[--kept_count]);
}

static void in_own_folder(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, enter_folder, leave_folder);
    tcase_set_timeout(tcase, 200);
}

#endif
