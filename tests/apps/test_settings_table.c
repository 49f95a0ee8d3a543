/* No setting is accepted and then forgotten: each changes what its command writes, says or takes.
 * A setting without a row in settings_table.h fails, and so does a row without a setting. What
 * train: and compare: take is in test_settings_of_training.c. */
#include "settings_look.h"

/* With the sanitizers, what trains for seconds is run once: its settings are those of training. */
static bool is_left_out(int row)
{
    const char *command = flag_rows[row].command;
    bool long_one = strcmp(command, "verify") == 0 || strcmp(command, "bench") == 0;
    return SANITIZED && long_one && row > 0 && strcmp(command, flag_rows[row - 1].command) == 0;
}

START_TEST(flags_of_the_commands)
{
    int wrong = 0;
    prepare();
    for (int i = 0; i < ROWS; i++)
        wrong +=
            is_left_out(i) ? 0 : check(flag_rows[i].first, flag_rows[i].without, flag_rows[i].with, flag_rows[i].see);
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
           flags_of_the_commands)
