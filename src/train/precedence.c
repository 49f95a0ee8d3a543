/* Which setting wins where two say the same: the one given last, on this command line or by this
 * call. */
#include "train.h"

#include <string.h>

/* Paths as nm_document_set takes them; `*` is any one key. Where both are given at once both stay:
 * which of them has no effect is logged when training starts. */
static const char *const rivals[][2] = {
    {"train.epochs", "train.steps"},
    {"train.lr", "train.optimizer.*.lr"},
    {"train.momentum", "train.optimizer.*.momentum"},
    {"train.schedule.step.every", "train.schedule.step.milestones"},
};

/* The value at a path; *map is where it lies, *key its last word. */
static nm_yaml *find(nm_yaml *document, const char *path, nm_yaml **map, const char **key)
{
    nm_yaml *at = document;
    for (;;) {
        size_t length = strcspn(path, ".");
        nm_yaml *next = NULL;
        for (int i = 0; at && at->kind == NM_YAML_MAP && i < at->count; i++) {
            const char *word = at->keys[i]->text;
            if ((length == 1 && *path == '*' && at->count == 1) ||
                (strlen(word) == length && memcmp(word, path, length) == 0)) {
                *map = at;
                *key = word;
                next = at->items[i];
            }
        }
        at = next;
        if (!at || !path[length])
            return at;
        path += length + 1;
    }
}

/* Whether `given` is the path, or one above it: the whole optimizer is given with the options that
 * its value has. */
static bool covers(const char *given, const char *path)
{
    for (;;) {
        size_t a = strcspn(given, "."), b = strcspn(path, ".");
        bool any = b == 1 && *path == '*';
        if (!any && (a != b || memcmp(given, path, a) != 0))
            return false;
        if (!given[a])
            return true;
        if (!path[b])
            return false;
        given += a + 1;
        path += b + 1;
    }
}

/* A value that stands for "not given" ("steps: 0") says nothing. */
static bool is_given(nm_yaml *document, const char *path, const char *const *given, int count)
{
    nm_yaml *map;
    const char *key;
    const nm_yaml *value = find(document, path, &map, &key);
    const nm_option *option = nm_option_find(nm_train_options, strrchr(path, '.') + 1);
    if (!value || (value->kind == NM_YAML_SCALAR && option && strcmp(option->name, "epochs") != 0 &&
                   strcmp(value->text, option->preset) == 0))
        return false;
    for (int i = 0; i < count; i++)
        if (covers(given[i], path))
            return true;
    return false;
}

static void drop(nm_yaml *document, const char *path)
{
    nm_yaml *map;
    const char *key;
    if (find(document, path, &map, &key))
        nm_yaml_remove(map, key);
}

void nm_settings_settle(nm_yaml *document, const char *const *given, int count)
{
    for (size_t i = 0; i < sizeof rivals / sizeof *rivals; i++) {
        bool first = is_given(document, rivals[i][0], given, count);
        bool second = is_given(document, rivals[i][1], given, count);
        if (first != second)
            drop(document, rivals[i][first]);
    }
}
