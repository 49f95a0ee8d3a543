/* Settings of a model from outside: many at once, and the table of those of `train:`. */
#include <norma/tools.h>

#include "model.h"
#include "train_support.h"

static nm_model *parse(const char *text)
{
    nm_model *model;
    ck_assert_done(nm_model_parse(ctx, text, &model));
    return model;
}

static void assert_value(const nm_model *model, const char *section, const char *key, const char *expected)
{
    const char *found = nm_yaml_text(nm_yaml_get(model->document, section), key, "-");
    ck_assert_msg(strcmp(found, expected) == 0, "%s.%s: %s in place of %s", section, key, found, expected);
}

START_TEST(in_their_order)
{
    nm_setting s[] = {NM_SETTING_INIT, NM_SETTING_INIT, NM_SETTING_INIT};
    nm_model *model = parse(SMALL_MODEL);
    s[0].key = s[1].key = "train.batch";
    s[0].value = "5";
    s[1].value = "7";
    s[2].key = "train.optimizer";
    s[2].value = "adam: {lr: 0.25}";
    ck_assert_done(nm_model_set_all(ctx, model, s, 3));
    assert_value(model, "train", "batch", "7");
    const nm_yaml *adam = nm_yaml_get(nm_yaml_get(nm_yaml_get(model->document, "train"), "optimizer"), "adam");
    ck_assert_str_eq(nm_yaml_text(adam, "lr", "-"), "0.25");
    ck_assert_done(nm_model_set_all(ctx, model, s, 0));
    nm_model_free(model);
}
END_TEST

/* Of two keys that say the same, the one in the model gives way; both given together both stay. */
START_TEST(the_given_one_wins)
{
    nm_setting s[] = {NM_SETTING_INIT, NM_SETTING_INIT};
    nm_model *model = parse("layers: [relu]\ntrain: {epochs: 3}\n");
    s[0].key = "train.steps";
    s[0].value = "9";
    s[1].key = "train.epochs";
    s[1].value = "2";
    ck_assert_done(nm_model_set_all(ctx, model, s, 1));
    assert_value(model, "train", "epochs", "-");
    ck_assert_done(nm_model_set_all(ctx, model, s, 2));
    assert_value(model, "train", "epochs", "2");
    assert_value(model, "train", "steps", "9");
    nm_model_free(model);
}
END_TEST

START_TEST(all_mistakes_and_no_change)
{
    nm_setting s[] = {NM_SETTING_INIT, NM_SETTING_INIT, NM_SETTING_INIT};
    nm_model *model = parse("layers: [relu]\ntrain: {batch: 3}\n");
    s[0].key = "nobody.filters";
    s[0].value = s[1].value = s[2].value = "5";
    s[1].key = "train.batch";
    s[2].key = "epochs";
    s[2].origin = "--given";
    ck_assert_int_eq(nm_model_set_all(ctx, model, s, 3), NM_INVALID);
    ck_assert_int_eq(nm_error_count(ctx), 2);
    ck_assert_str_eq(nm_error_message(ctx, 1), "--given: model has no key 'epochs'; did you mean train.epochs?");
    assert_message(WORDS("nobody.filters", "no layer"));
    assert_value(model, "train", "batch", "3");
    s[2].value = NULL;
    ck_assert_int_eq(nm_model_set_all(ctx, model, s + 2, 1), NM_INVALID);
    assert_message(WORDS("setting 0", "value"));
    nm_model_free(model);
}
END_TEST

/* Text stays text; only what is not verbatim may begin as YAML does. */
START_TEST(text)
{
    nm_setting s = NM_SETTING_INIT;
    nm_model *model = parse("layers: [relu]\n");
    s.key = "train.data";
    s.value = "'12'";
    ck_assert_done(nm_model_set_all(ctx, model, &s, 1));
    assert_value(model, "train", "data", "12");
    s.verbatim = true;
    ck_assert_done(nm_model_set_all(ctx, model, &s, 1));
    assert_value(model, "train", "data", "'12'");
    ck_assert_done(nm_model_set(ctx, model, "train.data", "a: b"));
    assert_value(model, "train", "data", "a: b");
    nm_model_free(model);
}
END_TEST

/* A caller compiled when the entries were larger, and when they were smaller. */
START_TEST(entries_of_other_sizes)
{
    struct larger {
        nm_setting now;
        const char *later;
    } large[2] = {{NM_SETTING_INIT, "x"}, {NM_SETTING_INIT, "y"}};
    struct smaller {
        size_t size;
        const char *key, *value;
    } small[2] = {{sizeof(struct smaller), "train.batch", "5"}, {sizeof(struct smaller), "train.steps", "6"}};
    nm_model *model = parse("layers: [relu]\n");
    for (int i = 0; i < 2; i++) {
        large[i].now.size = sizeof large[i];
        large[i].now.key = i ? "train.steps" : "train.batch";
        large[i].now.value = i ? "8" : "7";
    }
    ck_assert_done(nm_model_set_all(ctx, model, &large[0].now, 2));
    assert_value(model, "train", "batch", "7");
    assert_value(model, "train", "steps", "8");
    ck_assert_done(nm_model_set_all(ctx, model, (const nm_setting *)(const void *)small, 2));
    assert_value(model, "train", "batch", "5");
    assert_value(model, "train", "steps", "6");
    small[0].size = 0;
    ck_assert_int_eq(nm_model_set_all(ctx, model, (const nm_setting *)(const void *)small, 2), NM_INVALID);
    assert_message(WORDS("NM_SETTING_INIT"));
    nm_model_free(model);
}
END_TEST

START_TEST(table)
{
    int count = 0;
    for (; nm_train_option(count); count++)
        ck_assert_ptr_eq(nm_train_option(count), &nm_train_options[count]);
    ck_assert(count > 20 && !nm_train_option(count) && !nm_train_option(-1) && !nm_train_option(count + 1));
}
END_TEST

SUITE_WITH("settings", with_folder, in_their_order, the_given_one_wins, all_mistakes_and_no_change, text,
           entries_of_other_sizes, table)
