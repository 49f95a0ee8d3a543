/* The YAML blocks of README.md and docs/: each is a model file that trains for a step. A block that
 * is only a part begins with "# of a model file:" and is put below a small model. */
#include "program.h"

#include <glob.h>

#define PART "# of a model file:"
#define SMALL                                                                                                          \
    "input: {height: 28, width: 28, channels: 1}\nlayers:\n- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"

static int runs;

/* Runs the block at `text`; its end is at the next ``` line. */
static void run_block(const char *file, const char *text)
{
    const char *end = strstr(text, "\n```");
    ck_assert_msg(end != NULL, "%s: a block has no end", file);
    static char block[1 << 16];
    bool part = strncmp(text, PART, strlen(PART)) == 0;
    int length = snprintf(block, sizeof block, "%s%.*s\n", part ? SMALL : "", (int)(end - text), text);
    ck_assert_uint_lt((size_t)length, sizeof block);
    write_text("block.yaml", block);
    said s = shell("norma train block.yaml --data digits --limit 64 --steps 1 --run r%d", ++runs);
    ck_assert_msg(s.status == 0, "%s: %s\n%.1500s", file, s.err, block);
}

static int run_blocks(const char *file)
{
    char *text = read_text(file);
    int count = 0;
    for (char *at = text; (at = strstr(at, "\n```yaml\n")); count++) {
        at += strlen("\n```yaml\n");
        run_block(file, at);
    }
    return count;
}

START_TEST(blocks_train)
{
    const char *models = getenv("NORMA_MODELS");
    char pattern[4096];
    glob_t files;
    ck_assert_ptr_nonnull(models);
    snprintf(pattern, sizeof pattern, "%s/../README.md", models);
    ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
    snprintf(pattern, sizeof pattern, "%s/../docs/*.md", models);
    ck_assert_int_eq(glob(pattern, GLOB_APPEND, NULL, &files), 0);
    int blocks = 0;
    for (size_t i = 0; i < files.gl_pathc; i++)
        blocks += run_blocks(files.gl_pathv[i]);
    ck_assert_int_ge(blocks, 2);
    globfree(&files);
}
END_TEST

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
}

SUITE_WITH("docs", set_up, blocks_train)
