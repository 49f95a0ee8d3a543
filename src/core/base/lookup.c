/* Words and their numbers, in the C library's balanced tree. */
#include "lookup.h"

#include "alloc.h"

#include <search.h>
#include <string.h>

typedef struct word_entry {
    const char *word; /* first: what is compared */
    int number;
} word_entry;

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int *nm_lookup_find(const nm_lookup *lookup, const char *word)
{
    void *found = tfind(&word, &lookup->tree, compare_words);
    return found ? &(*(word_entry **)found)->number : NULL;
}

nm_status nm_lookup_add(nm_context *ctx, nm_lookup *lookup, const char *word, int number)
{
    word_entry *fresh = nm_alloc(ctx, 1, sizeof *fresh);
    if (!fresh)
        return NM_FAILED;
    *fresh = (word_entry){word, number};
    void *place = tsearch(fresh, &lookup->tree, compare_words);
    if (!place || *(word_entry **)place != fresh)
        nm_free(fresh);
    return place ? NM_OK : nm_fail_memory(ctx, sizeof *fresh);
}

void nm_lookup_free(nm_lookup *lookup)
{
    tdestroy(lookup->tree, nm_free);
    lookup->tree = NULL;
}
