/* Each setting of training makes its difference: as a flag of train, as a flag of compare, as a key
 * of the model file.
 */
#include "settings_look.h"

/* As a flag, after `line`. */
static int check_flag(const key_row *row, const char *line)
{
    char without[512], with[640], flag[32];
    flag_of(row->name, flag);
    snprintf(without, sizeof without, "%s %s", line, row->flags);
    snprintf(with, sizeof with, "%s --%s '%s'", without, flag, row->value);
    return check(NULL, without, with, row->see);
}

static void check_flags(const char *line)
{
    int wrong = 0;
    prepare();
    for (int i = 0; i < KEYS; i++)
        wrong += check_flag(&key_rows[i], line);
    free_bases();
    ck_assert_msg(wrong == 0, "%d settings do nothing", wrong);
}

START_TEST(flags_of_train)
{
    check_flags("train m.yaml --run r");
}
END_TEST

/* This test and the next run the code of the one above: not with the sanitizers. */
START_TEST(flags_of_compare)
{
    if (!SANITIZED)
        check_flags("compare m.yaml --run r --vary logits.bias=true,false");
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

static void set_up(TCase *tcase)
{
    in_own_folder(tcase);
    tcase_set_timeout(tcase, 400);
}

SUITE_WITH("settings of training", set_up, flags_of_train, flags_of_compare, keys_of_the_model_file)
