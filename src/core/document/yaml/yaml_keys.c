/* The keys of a map. */
#include "yaml_parse.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

typedef struct placed_key {
    const char *text;
    int place;
} placed_key;

static int by_text(const void *a, const void *b)
{
    const placed_key *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* What is wrong is told in the order of the file. */
nm_status nm_yaml_check_keys(nm_yaml_reader *r, const nm_yaml *map)
{
    placed_key *keys = nm_alloc(r->ctx, (size_t)map->count + 1, sizeof *keys + sizeof(int));
    int *first = (int *)(keys + map->count + 1), words = 0; /* of each key: the first of its text, and 1 more */
    if (!keys)
        return NM_FAILED;
    for (int i = 0; i < map->count; i++)
        if (map->keys[i]->kind == NM_YAML_SCALAR)
            keys[words++] = (placed_key){map->keys[i]->text, i};
    qsort(keys, (size_t)words, sizeof *keys, by_text);
    for (int i = 1; i < words; i++)
        if (strcmp(keys[i].text, keys[i - 1].text) == 0) {
            int before = first[keys[i - 1].place];
            first[keys[i].place] = before ? before : keys[i - 1].place + 1;
        }
    for (int i = 0; i < map->count; i++) {
        const nm_yaml *key = map->keys[i];
        r->wrong = r->wrong || first[i] || key->kind != NM_YAML_SCALAR;
        if (key->kind != NM_YAML_SCALAR)
            nm_yaml_fail(r->ctx, key, "a key must be a word");
        else if (first[i])
            nm_yaml_fail(r->ctx, key, "key '%s' is given twice, first in line %d: keep one of them", key->text,
                         map->keys[first[i] - 1]->line);
    }
    nm_free(keys);
    return NM_OK;
}
