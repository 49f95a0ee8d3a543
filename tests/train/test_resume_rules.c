/* Every setting and every option has a rule for going on with a run, in the code and in the docs.
 */
#include "loss.h"
#include "optimizer.h"
#include "registry.h"
#include "resume_changes_table.h"
#include "train_support.h"

#include <stdlib.h>

/* A setting that is new has a rule, a row above that shows it, and a word in the docs. */
START_TEST(every_setting_has_a_rule)
{
    for (const nm_option *o = nm_train_options; o->name; o++) {
        char key[64];
        bool shown = strcmp(o->name, "steps") == 0 || strcmp(o->name, "init_from") == 0; /* the tests around */
        snprintf(key, sizeof key, "train.%s=", o->name);
        for (size_t i = 0; i < sizeof resume_changes / sizeof *resume_changes; i++)
            shown = shown || strncmp(resume_changes[i].setting, key, strlen(key)) == 0;
        ck_assert_msg(shown && nm_resume_rule_of(o->name) != NM_RESUME_UNKNOWN, "%s", o->name);
    }
    ck_assert_int_eq(nm_resume_rule_of("colour"), NM_RESUME_UNKNOWN);
}
END_TEST

/* Nor is there an option of a layer, a loss or an optimizer without one. */
START_TEST(every_option_has_a_rule)
{
    int options = 0;
    for (int kind = NM_LAYER; kind <= NM_OPTIMIZER; kind++) {
        const nm_type_list *types = nm_types(ctx, (nm_type_kind)kind);
        ck_assert_int_ge(types->count, 3);
        for (int i = 0; i < types->count; i++) {
            const nm_option *o = kind == NM_LAYER  ? ((const nm_layer_type *)types->types[i])->options
                                 : kind == NM_LOSS ? ((const nm_loss_type *)types->types[i])->options
                                                   : ((const nm_optimizer_type *)types->types[i])->options;
            for (; o && o->name; o++, options++)
                ck_assert_msg(nm_resume_rule_of_option(o->name) != NM_RESUME_UNKNOWN,
                              "'%s' of %s: may it change on resuming? See src/train/resume_rules.c", o->name,
                              types->names[i]);
        }
    }
    ck_assert_int_gt(options, 80);
    ck_assert_int_eq(nm_resume_rule_of_option("weight"), NM_RESUME_ALLOWED); /* of a loss in a list of losses */
    ck_assert_int_eq(nm_resume_rule_of_option("colour"), NM_RESUME_UNKNOWN);
}
END_TEST

/* How many of the words in `…` of the point of the docs that begins so that are
 * `word`. Each word there has this rule. */
static int listed(const char *docs, const char *begin, nm_resume_rule rule, const char *word)
{
    const char *at = strstr(docs, begin), *next = at ? strstr(at + 1, "\n- ") : NULL;
    const char *blank = at ? strstr(at, "\n\n") : NULL, *stop = next && next < blank ? next : blank;
    ck_assert_msg(at && blank, "%s", begin);
    int count = 0;
    while ((at = strchr(at, '`')) && at < stop) {
        char name[64];
        int length = (int)strcspn(++at, "`");
        snprintf(name, sizeof name, "%.*s", length, at);
        at += length + 1;
        if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789")])
            continue; /* a flag, or an example */
        ck_assert_msg(nm_resume_rule_of(name) == rule || nm_resume_rule_of_option(name) == rule, "'%s' in: %s", name,
                      begin);
        count += strcmp(word, name) == 0;
    }
    return count;
}

/* The list of docs/training.md is that of resume_rules.c. */
START_TEST(the_docs_have_the_rules)
{
    static const char *const begin[] = {[NM_RESUME_FREE] = "- free to change: ",
                                        [NM_RESUME_ALLOWED] = "- another experiment, ",
                                        [NM_RESUME_REFUSED] = "- refused: "};
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, "%s/../docs/training.md", getenv("NORMA_MODELS"));
    char *bytes = content(path, &size), *docs = strndup(bytes, size);
    for (const nm_option *o = nm_train_options; o->name; o++) {
        nm_resume_rule rule = nm_resume_rule_of(o->name);
        ck_assert_msg(listed(docs, begin[rule], rule, o->name) == 1, "'%s' is missing in docs/training.md, '%s'",
                      o->name, begin[rule]);
    }
    const nm_type_list *types = nm_types(ctx, NM_LAYER);
    for (int i = 0; i < types->count; i++)
        for (const nm_option *o = ((const nm_layer_type *)types->types[i])->options; o && o->name; o++)
            if (nm_resume_rule_of_option(o->name) == NM_RESUME_FREE)
                ck_assert_msg(listed(docs, begin[NM_RESUME_FREE], NM_RESUME_FREE, o->name) == 1,
                              "'%s' is missing in docs/training.md", o->name);
    free(docs);
    nm_free(bytes);
}
END_TEST

/* The same network and the same training in other words are no change. */
START_TEST(other_spellings)
{
    static const struct {
        const char *was, *is;
    } cases[] = {{"c1.pad=same", "c1.pad=[0, 1, 0, 1]"},
                 {"c1.pad=1", "c1.pad=[1, 1]"},
                 {"c1.pad=0", "c1.pad=valid"},
                 {"c1.stride=2", "c1.stride=[2, 2]"},
                 {"p1.size=2", "p1.stride=2"},
                 {"train.augment=[pad-crop]", "train.augment=[pad-crop=4]"},
                 {"train.augment=[flip, cutout=8]", "train.augment=[cutout, flip]"},
                 {"train.augment=[]", "train.augment=none"},
                 {"train.freeze=[c1/*]", "train.freeze=[c1/bias, c1/weight]"},
                 {"loss=softmax_ce", "loss={softmax_ce: {label_smoothing: 0}}"},
                 {"train.optimizer={sgd: {momentum: 0.9}}", "train.momentum=0.90"}};
    nm_train_result r;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char run[32];
        snprintf(run, sizeof run, "run%zu", i);
        ck_assert_done(
            train_with(SMALL_MODEL, in_folder(run), false, NULL, SETTINGS("train.steps=1", cases[i].was), &r));
        free_result(&r);
        nm_status status =
            train_with(SMALL_MODEL, in_folder(run), true, NULL, SETTINGS("train.steps=2", cases[i].is), &r);
        ck_assert_msg(status == NM_OK, "%s, then %s: %s", cases[i].was, cases[i].is, nm_error_message(ctx, 0));
        free_result(&r);
    }
}
END_TEST

SUITE_WITH("resume rules", with_folder, every_setting_has_a_rule, every_option_has_a_rule, the_docs_have_the_rules,
           other_spellings)
