/* The choice among the convolution algorithms. */
#include "conv.h"

#include <stdio.h>

enum { WORD = 32 };

void NM_ISA(nm_conv_wanted)(const char *wanted, nm_conv_kind kind, char *word, size_t size)
{
    for (int k = 0; k < (int)kind && strchr(wanted, '/'); k++)
        wanted = strchr(wanted, '/') + 1;
    snprintf(word, size, "%.*s", (int)strcspn(wanted, "/"), wanted);
}

/* NULL: `a` can be taken. */
static const char *why_not(const nm_conv_algorithm *a, const nm_conv_geometry *g, nm_conv_kind kind, bool exact)
{
    if (exact && !a->exact)
        return "does not sum exactly";
    if (kind == NM_CONV_DATA && !a->data)
        return "needs stride 1 for the gradient by x";
    return a->declines(g, kind);
}

const nm_conv_algorithm *NM_ISA(nm_conv_choose)(const nm_conv_geometry *g, nm_conv_kind kind, nm_conv_kind as,
                                                const nm_conv_wish *wish)
{
    const nm_conv_algorithm *best = NULL;
    const nm_conv_costs *costs = NM_ISA(nm_conv_costs_here)();
    char word[WORD];
    NM_ISA(nm_conv_wanted)(wish->wanted, as, word, sizeof word);
    for (const nm_conv_algorithm *const *a = NM_ISA(nm_conv_algorithms)(); *a; a++) {
        if (why_not(*a, g, kind, wish->exact))
            continue;
        if (strcmp((*a)->name, word) == 0)
            return *a;
        if (!best || (*a)->cost(g, kind, wish->by_sample, costs) < best->cost(g, kind, wish->by_sample, costs))
            best = *a;
    }
    return best;
}

void NM_ISA(nm_conv_explain)(const nm_conv_geometry *g, nm_conv_kind kind, const nm_conv_algorithm *chosen,
                             const nm_conv_wish *wish, char *text, size_t size)
{
    const char *join = "";
    const nm_conv_costs *costs = NM_ISA(nm_conv_costs_here)();
    for (const nm_conv_algorithm *const *a = NM_ISA(nm_conv_algorithms)(); *a; a++) {
        size_t used = strlen(text);
        const char *why = why_not(*a, g, kind, wish->exact);
        if (*a == chosen || *a == &NM_ISA(nm_conv_reference))
            continue;
        if (why)
            snprintf(text + used, size - used, "%s%s %s", join, (*a)->name, why);
        else
            snprintf(text + used, size - used, "%s%s costs %.2g times as much", join, (*a)->name,
                     (*a)->cost(g, kind, wish->by_sample, costs) / chosen->cost(g, kind, wish->by_sample, costs));
        join = "; ";
    }
}
