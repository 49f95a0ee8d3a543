/* Every layer type stands in the table of docs/model-files.md, in the list of what is compared with
 * PyTorch (tests/oracle/kinds.py), and has the values that PyTorch computed (tests/golden). */
#include "registry.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A file beside the folder of the models; to be freed. */
static char *read_file(const char *path)
{
    char full[4096];
    snprintf(full, sizeof full, "%s/../%s", getenv("NORMA_MODELS"), path);
    FILE *file = fopen(full, "r");
    ck_assert_msg(file != NULL, "%s cannot be read", full);
    char *text = calloc(1, 1 << 20);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, file), (1 << 20) - 1);
    fclose(file);
    return text;
}

/* Fails where a type's name, between two `quote`, is not in the file. */
static void check_names(const char *path, char quote)
{
    char *text = read_file(path), word[128];
    const nm_type_list *layers = nm_types(ctx, NM_LAYER);
    for (int i = 0; i < layers->count; i++) {
        snprintf(word, sizeof word, "%c%s%c", quote, layers->names[i], quote);
        ck_assert_msg(strstr(text, word) != NULL, "%s is missing in %s", word, path);
    }
    free(text);
}

START_TEST(in_the_docs)
{
    check_names("docs/model-files.md", '`');
}
END_TEST

START_TEST(in_the_oracle)
{
    check_names("tests/oracle/kinds.py", '"');
}
END_TEST

/* Of types that draw random numbers PyTorch has no values. */
START_TEST(with_golden_values)
{
    const nm_type_list *layers = nm_types(ctx, NM_LAYER);
    for (int i = 0; i < layers->count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.h5", getenv("NORMA_GOLDEN"), layers->names[i]);
        ck_assert_msg(strstr(layers->names[i], "drop") || access(path, R_OK) == 0, "%s is missing", path);
    }
}
END_TEST

SUITE_WITH("listed", with_context, in_the_docs, in_the_oracle, with_golden_values)
