#include "classes.h"

#include "alloc.h"
#include "printable.h"
#include "sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct numbered {
    char *name;
    int number;
} numbered;

typedef struct match {
    char *text; /* the names, each ended by a zero byte */
    int count;
    numbered *known; /* [count], by name */
    char **in_order; /* [count] */
    int *number;     /* [data->classes]: the number wanted; -1: not known */
    bool *used;      /* [data->classes]: there are samples of it */
} match;

nm_status nm_class_name_check(nm_context *ctx, const char *source, int number, const char *name)
{
    if (nm_text_is_printable(name, ""))
        return NM_OK;
    return nm_fail(ctx, NM_INVALID, "%s: class %d: a name must be of printable characters in UTF-8; found '%s'", source,
                   number, name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const numbered *)a)->name, ((const numbered *)b)->name);
}

static nm_status read_names(nm_context *ctx, const char *names, match *m)
{
    m->count = 1;
    for (const char *c = names; *c; c++)
        m->count += *c == '\n';
    m->text = nm_strdup(ctx, names);
    m->known = nm_alloc(ctx, (size_t)m->count, sizeof *m->known);
    m->in_order = nm_alloc(ctx, (size_t)m->count, sizeof *m->in_order);
    if (!m->text || !m->known || !m->in_order)
        return NM_FAILED;
    char *line = m->text;
    for (int i = 0; i < m->count; i++) {
        char *end = line + strcspn(line, "\n");
        *end = '\0';
        m->known[i] = (numbered){line, i};
        m->in_order[i] = line;
        line = end + 1;
    }
    qsort(m->known, (size_t)m->count, sizeof *m->known, by_name);
    return NM_OK;
}

static nm_status find_numbers(nm_context *ctx, const nm_dataset *data, match *m)
{
    m->number = nm_alloc(ctx, (size_t)data->classes + 1, sizeof *m->number);
    m->used = nm_alloc(ctx, (size_t)data->classes + 1, sizeof *m->used);
    if (!m->number || !m->used)
        return NM_FAILED;
    for (int c = 0; c < data->classes; c++) {
        numbered wanted = {data->class_names[c], 0};
        bool same = c < m->count && strcmp(m->in_order[c], wanted.name) == 0; /* also where two have one name */
        const numbered *found = bsearch(&wanted, m->known, (size_t)m->count, sizeof *m->known, by_name);
        m->number[c] = same ? c : found ? found->number : -1;
    }
    const nm_samples *splits[] = {&data->train, &data->test};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; splits[s]->labels && i < (size_t)splits[s]->count * nm_label_places(splits[s]); i++)
            if (splits[s]->labels[i] >= 0)
                m->used[splits[s]->labels[i]] = true;
    return NM_OK;
}

/* "'a', 'b', …": as many as a message bears. */
static void list_names(char *text, size_t size, char *const *names, const bool *listed, int count)
{
    size_t used = 0;
    text[0] = '\0';
    for (int c = 0; c < count && used < size; c++) {
        if (listed && !listed[c])
            continue;
        if (used > size - 100) {
            snprintf(text + used, size - used, ", …");
            return;
        }
        used += (size_t)snprintf(text + used, size - used, "%s'%.60s'", used ? ", " : "", names[c]);
    }
}

static nm_status check_known(nm_context *ctx, const nm_dataset *data, match *m)
{
    char strange[400], known[400];
    int count = 0;
    for (int c = 0; c < data->classes; c++) {
        m->used[c] = m->used[c] && m->number[c] < 0; /* from here on: those that are the matter */
        count += m->used[c];
    }
    if (count == 0)
        return NM_OK;
    list_names(strange, sizeof strange, data->class_names, m->used, data->classes);
    list_names(known, sizeof known, m->in_order, NULL, m->count);
    return nm_fail(
        ctx, NM_INVALID,
        "%s: it has samples of %d class%s that the network was not trained on: %s; the network's %d classes: "
        "%s. Classes are matched by name",
        data->found, count, count == 1 ? "" : "es", strange, m->count, known);
}

static nm_status renumber(nm_context *ctx, nm_dataset *data, const match *m)
{
    nm_samples *splits[] = {&data->train, &data->test};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; splits[s]->labels && i < (size_t)splits[s]->count * nm_label_places(splits[s]); i++)
            if (splits[s]->labels[i] >= 0)
                splits[s]->labels[i] = m->number[splits[s]->labels[i]];
    for (int c = 0; c < data->classes; c++)
        nm_free(data->class_names[c]);
    nm_free(data->class_names);
    data->class_names = NULL;
    return nm_dataset_set_classes(ctx, data, (const char *const *)m->in_order, m->count);
}

nm_status nm_dataset_match_classes(nm_context *ctx, nm_dataset *data, const char *names)
{
    match m = {0};
    nm_status status = read_names(ctx, names, &m);
    if (status == NM_OK)
        status = find_numbers(ctx, data, &m);
    if (status == NM_OK)
        status = check_known(ctx, data, &m);
    if (status == NM_OK)
        status = renumber(ctx, data, &m);
    nm_free(m.text);
    nm_free(m.known);
    nm_free(m.in_order);
    nm_free(m.number);
    nm_free(m.used);
    return status;
}
