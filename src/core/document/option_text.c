/* Text that grows, and options as text. */
#include "option_text.h"

#include "alloc.h"
#include "number_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool reserve(nm_text *t, size_t more)
{
    if (t->size + more + 1 <= t->capacity)
        return true;
    size_t capacity = 2 * (t->size + more + 1);
    char *text = nm_alloc(t->ctx, capacity, 1);
    if (!text) {
        t->failed = true;
        return false;
    }
    if (t->text)
        memcpy(text, t->text, t->size + 1);
    nm_free(t->text);
    t->text = text;
    t->capacity = capacity;
    return true;
}

void nm_text_add(nm_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (length < 0 || !reserve(t, (size_t)length))
        return;
    va_start(args, fmt);
    vsnprintf(t->text + t->size, (size_t)length + 1, fmt, args);
    va_end(args);
    t->size += (size_t)length;
}

static void add_number(nm_text *t, double number)
{
    char text[NM_NUMBER_TEXT];
    nm_number_text(number, text);
    nm_text_add(t, "%s", text);
}

/* One number where all are equal, as a person writes it. */
static void add_sides(nm_text *t, const int *side, int count)
{
    bool equal = true;
    for (int i = 1; i < count; i++)
        equal = equal && side[i] == side[0];
    nm_text_add(t, equal ? "%d" : "[%d", side[0]);
    for (int i = 1; i < count && !equal; i++)
        nm_text_add(t, ", %d", side[i]);
    nm_text_add(t, equal ? "" : "]");
}

static void add_reals(nm_text *t, const nm_reals *list)
{
    for (int i = 0; i < list->count; i++) {
        nm_text_add(t, "%s", i ? ", " : "");
        add_number(t, list->values[i]);
    }
}

static void add_strings(nm_text *t, const nm_strings *list)
{
    for (int i = 0; i < list->count; i++)
        nm_text_add(t, "%s%s", i ? ", " : "", list->values[i]);
}

void nm_text_add_option(nm_text *t, const nm_option *o, const void *target)
{
    const void *field = (const char *)target + o->offset;
    switch (o->type) {
    case NM_OPT_INT:
        nm_text_add(t, "%d", *(const int *)field);
        break;
    case NM_OPT_REAL:
        add_number(t, *(const double *)field);
        break;
    case NM_OPT_BOOL:
        nm_text_add(t, "%s", *(const bool *)field ? "true" : "false");
        break;
    case NM_OPT_PAIR:
        add_sides(t, field, 2);
        break;
    case NM_OPT_PAD: { /* `same` is told by the numbers that infer has found */
        const nm_pad *pad = field;
        add_sides(t, (const int[]){pad->top, pad->bottom, pad->left, pad->right}, 4);
        break;
    }
    case NM_OPT_ENUM:
        nm_text_add(t, "%s", o->choices[*(const int *)field]);
        break;
    case NM_OPT_STRING:
        nm_text_add(t, "%s", *(char *const *)field ? *(char *const *)field : "");
        break;
    case NM_OPT_REALS:
        add_reals(t, field);
        break;
    case NM_OPT_STRINGS:
        add_strings(t, field);
        break;
    case NM_OPT_CHOICE: {
        const nm_choice *choice = field;
        nm_text_add(t, "%s", choice->name ? choice->name : "");
        break;
    }
    }
}

bool nm_option_same(nm_context *ctx, const nm_option *option, const void *a, const void *b)
{
    nm_text texts[2] = {{.ctx = ctx}, {.ctx = ctx}};
    nm_text_add_option(&texts[0], option, a);
    nm_text_add_option(&texts[1], option, b);
    bool same = !texts[0].failed && !texts[1].failed && texts[0].size == texts[1].size &&
                (texts[0].size == 0 || memcmp(texts[0].text, texts[1].text, texts[0].size) == 0);
    nm_free(texts[0].text);
    nm_free(texts[1].text);
    return same;
}
