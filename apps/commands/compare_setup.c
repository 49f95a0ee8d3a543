/* Setting a comparison up: what is wrong with any variant is found before the first is trained. */
#include "characters.h"
#include "compare.h"

#include "alloc.h"
#include "run_dir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static nm_status make_arms(comparison *c, const nm_yaml *base, int combinations)
{
    for (int i = 0; i < combinations; i++) {
        arm *a = &c->arm[i];
        NM_TRY(vary_make(c->ctx, c->key, c->keys, i, base, &a->label, &a->document));
        c->arms++;
    }
    return NM_OK;
}

/* Everything that can be wrong with a variant is found before the first one is trained. */
static nm_status check_arms(comparison *c)
{
    nm_status status = NM_OK;
    for (int i = 0; i < c->arms; i++) {
        nm_train_request request = {.document = c->arm[i].document, .cache = &c->data};
        nm_status one = nm_train_check(c->ctx, &request, true, &c->arm[i].effect);
        if (one != NM_OK)
            (void)nm_fail(c->ctx, one, "so the variant %s cannot be trained, and none was", c->arm[i].label);
        status = one != NM_OK ? one : status;
    }
    return status;
}

/* Two curves that are one say something that is not so. */
static nm_status check_different(const comparison *c)
{
    for (int i = 1; i < c->arms; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(c->arm[k].effect, c->arm[i].effect) == 0)
                return nm_fail(c->ctx, NM_INVALID,
                               "the variants '%s' and '%s' are the same network, trained in the same way: what --vary "
                               "changes is not in this network, or has no effect in it",
                               c->arm[k].label, c->arm[i].label);
    return NM_OK;
}

/* What the command line sets for all variants and --vary sets in each. */
static void report_overruled(const comparison *c)
{
    for (int k = 0; k < c->keys; k++)
        for (int i = 0; i < c->args->model.changes; i++) {
            const char *path = c->args->model.change[i].path, *key = c->key[k].key;
            const char *last = strncmp(path, "train.", 6) == 0 ? path + 6 : path;
            bool same = strlen(last) == strlen(key);
            for (size_t at = 0; same && key[at]; at++)
                same = last[at] == key[at] || (last[at] == '_' && key[at] == '-');
            if (same || strcmp(path, key) == 0)
                fprintf(stderr, "norma: %s=%s has no effect: --vary %s sets it in every variant\n", shown(path),
                        shown(c->args->model.change[i].value), shown(key));
        }
}

static nm_status choose_folder(comparison *c, const nm_yaml *base)
{
    char name[192];
    if (c->args->run) {
        c->folder = nm_strdup(c->ctx, c->args->run);
        return c->folder ? NM_OK : NM_FAILED;
    }
    nm_run_name(nm_yaml_text(base, "name", "network"), name, sizeof name);
    for (int i = 1; !c->made; i++) {
        nm_free(c->folder);
        if (!(c->folder = nm_format(c->ctx, "runs/compare-%s-%d", name, i)))
            return NM_FAILED;
        NM_TRY(nm_folder_make(c->ctx, c->folder, true, &c->made));
    }
    return NM_OK;
}

/* A run directory for each variant, called after it. */
static nm_status name_runs(comparison *c)
{
    for (int i = 0; i < c->arms; i++) {
        char name[192];
        nm_run_name(c->arm[i].label, name, sizeof name);
        for (char *at = name; *at; at++)
            *at = *at == ' ' ? ',' : *at;
        c->arm[i].run = nm_format(c->ctx, "%s/%s", c->folder, name);
        for (int k = 0, copy = 1; c->arm[i].run && k < i; k++)
            if (strcmp(c->arm[k].run, c->arm[i].run) == 0) { /* their labels differ in what a name cannot hold */
                nm_free(c->arm[i].run);
                c->arm[i].run = nm_format(c->ctx, "%s/%s-%d", c->folder, name, ++copy);
                k = -1;
            }
        if (!c->arm[i].run)
            return NM_FAILED;
    }
    return NM_OK;
}

bool comparison_has(const comparison *c, const char *folder, const char *file)
{
    char *path = nm_format(c->ctx, "%s/%s", folder, file);
    bool there = path && access(path, F_OK) == 0;
    nm_free(path);
    return there;
}

/* Nothing of an earlier comparison, or of somebody else, is replaced. */
static nm_status check_folder(const comparison *c)
{
    static const char *const files[] = {"compare.csv", "compare.gp", "compare.png", "compare.svg"};
    bool begun = false;
    nm_run_lock_state lock;
    NM_TRY(nm_run_lock_look(c->ctx, c->folder, &lock));
    if (lock == NM_LOCK_OURS)
        return nm_fail(c->ctx, NM_INVALID, "%s: is a run of norma train, not a comparison: choose another --run",
                       c->folder);
    for (int i = 0; i < c->arms; i++) {
        bool run;
        NM_TRY(nm_run_dir_has_checkpoint(c->ctx, c->arm[i].run, &run));
        begun = begun || run;
        if (run && !c->args->resume)
            return nm_fail(c->ctx, NM_INVALID,
                           "%s: holds a run already: --resume goes on with it; or choose another --run", c->arm[i].run);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files && !begun; i++)
        if (comparison_has(c, c->folder, files[i]))
            return nm_fail(c->ctx, NM_INVALID,
                           "%s: holds a %s of another comparison, which would be replaced: choose another --run",
                           c->folder, files[i]);
    if (c->args->resume && !begun)
        fprintf(stderr, "norma: %s: there is nothing to resume yet: starting every variant at step 0\n",
                shown(c->folder));
    return NM_OK;
}

nm_status comparison_set_up(comparison *c)
{
    nm_yaml *base;
    int combinations = 1;
    for (int k = 0; k < c->args->varied; k++) {
        NM_TRY(vary_read(c->ctx, c->args->vary[k], &c->key[c->keys++]));
        combinations *= c->key[k].values;
        if (combinations > MOST_VARIANTS)
            return nm_fail(c->ctx, NM_INVALID, "more than %d variants", MOST_VARIANTS);
    }
    NM_TRY(load_document(c->ctx, &c->args->model, "mnist-cnn", &base));
    nm_status status = make_arms(c, base, combinations);
    if (status == NM_OK)
        status = check_arms(c);
    if (status == NM_OK)
        status = check_different(c);
    if (status == NM_OK)
        report_overruled(c);
    if (status == NM_OK)
        status = choose_folder(c, base);
    nm_yaml_free(base);
    NM_TRY(status);
    NM_TRY(name_runs(c));
    return check_folder(c);
}
