/* Which number belongs to a word. Finding and adding compare of the order of log n words, whatever
 * the words are: a hostile file may choose them.
 *
 *     nm_lookup names = {0};
 *     NM_TRY(nm_lookup_add(ctx, &names, word, 7));
 *     int *number = nm_lookup_find(&names, word);      // may be changed
 *     nm_lookup_free(&names);
 */
#ifndef NM_LOOKUP_H
#define NM_LOOKUP_H

#include "error.h"

typedef struct nm_lookup {
    void *tree;
} nm_lookup;

/* NULL: it was not added. */
int *nm_lookup_find(const nm_lookup *lookup, const char *word);
/* The word is the caller's, and lives as long as the lookup. One that is there already keeps its
 * number. */
nm_status nm_lookup_add(nm_context *ctx, nm_lookup *lookup, const char *word, int number) NM_MUST_USE;
void nm_lookup_free(nm_lookup *lookup);

#endif
