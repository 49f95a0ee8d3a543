/* What is said of an option: what it expects, and what was found in its place. */
#include "option_message.h"

#include "foreign_names.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* 1e9, 0.5, 250: as a person writes it. */
static void number_text(double value, bool whole, char *text, size_t size)
{
    snprintf(text, size, whole || fabs(value) < 1e6 ? "%.10g" : "%g", value);
    char *plus = strstr(text, "e+");
    if (!plus)
        return;
    char *digits = plus + 2;
    while (*digits == '0')
        digits++;
    memmove(plus + 1, digits, strlen(digits) + 1);
}

static void range_text(const nm_option *o, bool whole, char *text, size_t size)
{
    const char *what = whole ? "a whole number" : "a number";
    bool any = o->least == 0 && o->most == 0;
    if (any && !whole) {
        snprintf(text, size, "%s that float holds", what);
        return;
    }
    char least[32], most[32];
    number_text(any ? INT_MIN : o->least, whole, least, sizeof least);
    number_text(any ? INT_MAX : o->most, whole, most, sizeof most);
    snprintf(text, size, "%s from %s to %s", what, least, most);
}

void nm_option_expected(const nm_option *o, char *text, size_t size)
{
    char number[96];
    bool whole = o->type == NM_OPT_INT || o->type == NM_OPT_PAIR || o->type == NM_OPT_PAD;
    range_text(o, whole, number, sizeof number);
    switch (o->type) {
    case NM_OPT_INT:
    case NM_OPT_REAL:
        snprintf(text, size, "%s", number);
        break;
    case NM_OPT_BOOL:
        snprintf(text, size, "true or false");
        break;
    case NM_OPT_PAIR:
        snprintf(text, size, "%s, or [height, width]", number);
        break;
    case NM_OPT_PAD:
        snprintf(text, size, "same, valid, %s, [height, width] or [top, bottom, left, right]", number);
        break;
    case NM_OPT_ENUM: {
        size_t used = (size_t)snprintf(text, size, "one of");
        for (int i = 0; o->choices[i] && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s %s", i ? "," : "", o->choices[i]);
        break;
    }
    case NM_OPT_STRING:
        snprintf(text, size, "a word");
        break;
    case NM_OPT_REALS:
        snprintf(text, size, "%s, or a list of them", number);
        break;
    case NM_OPT_STRINGS:
        snprintf(text, size, "a list of words");
        break;
    case NM_OPT_CHOICE:
        snprintf(text, size, "NAME or {NAME: {options}}");
        break;
    }
}

/* A value as it is written, for messages: 'x', [1, -1], or what it is where it is too long or
 * nested. */
static void found_text(const nm_yaml *value, char *text, size_t size)
{
    if (value->kind == NM_YAML_SCALAR) {
        snprintf(text, size, "'%.60s'", value->text);
        return;
    }
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; value->kind == NM_YAML_LIST && i < value->count && used < size; i++)
        used += value->items[i]->kind == NM_YAML_SCALAR
                    ? (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", value->items[i]->text)
                    : size;
    if (value->kind != NM_YAML_LIST || used + 2 > size)
        snprintf(text, size, "a %s of %d", value->kind == NM_YAML_LIST ? "list" : "map", value->count);
    else
        snprintf(text + used, size - used, "]");
}

/* Whether the value came by the flag that has the option's name: --save-every for save_every. */
static bool by_own_flag(const nm_option *o, const nm_yaml *value)
{
    const char *flag = value->origin;
    if (!flag || strncmp(flag, "--", 2) != 0)
        return false;
    const char *name = o->name;
    for (flag += 2; *flag && *name; flag++, name++)
        if (*flag != (*name == '_' ? '-' : *name))
            return false;
    return !*flag && !*name;
}

/* ": norma calls it 'he_normal'" for kaiming_normal; nothing where no other framework calls a
 * choice so. */
static void known_value(const nm_option *o, const char *word, char text[NM_HINT])
{
    int count = 0;
    while (o->choices[count])
        count++;
    const nm_foreign_name *f = nm_foreign_find(NM_FOREIGN_VALUE, word, o->choices, count);
    if (f)
        nm_called_here(text, NM_FOREIGN_VALUE, word, o->choices, count);
}

nm_status nm_option_wrong(nm_context *ctx, const nm_option *option, const char *who, const nm_yaml *value)
{
    char expected[512], found[80];
    nm_option_expected(option, expected, sizeof expected);
    found_text(value, found, sizeof found);
    char known[NM_HINT] = "";
    if (option->type == NM_OPT_ENUM && value->kind == NM_YAML_SCALAR)
        known_value(option, value->text, known);
    if (by_own_flag(option, value))
        return nm_fail(ctx, NM_INVALID, "%s must be %s; found %s%s", value->origin, expected, found, known);
    return nm_yaml_fail(ctx, value, "%s: option '%s' must be %s; found %s%s", who, option->name, expected, found,
                        known);
}

nm_status nm_option_check_keys(nm_context *ctx, const nm_option *table, const nm_yaml *map, const char *who)
{
    enum { MOST = 64 };
    nm_status status = NM_OK;
    if (map && map->kind != NM_YAML_MAP) {
        if (nm_yaml_is_null(map))
            return NM_OK;
        bool lacks = map->kind == NM_YAML_SCALAR && nm_yaml_space_lacks(map->text);
        return nm_yaml_fail(ctx, map, "%s: expected a map of options, as {name: value}%s", who,
                            lacks ? " (a space is missing after the ':')" : "");
    }
    for (int i = 0; map && i < map->count && !(status != NM_OK && nm_errors_full(ctx)); i++) {
        if (nm_option_find(table, map->keys[i]->text))
            continue;
        const char *names[MOST];
        int count = 0;
        for (const nm_option *o = table; o && o->name && count < MOST; o++)
            names[count++] = o->name;
        char hint[NM_HINT];
        const nm_yaml *at = map->keys[i];
        nm_called_here(hint, NM_FOREIGN_OPTION, at->text, names, count);
        if (nm_yaml_space_lacks(at->text))
            snprintf(hint, sizeof hint, " (a space is missing after the ':')");
        else if (strcmp(at->text, "<<") == 0)
            snprintf(hint, sizeof hint,
                     ": merge keys are not read; 'defaults:' gives a layer type's options to all of it");
        status = nm_yaml_fail(ctx, at, "%s: unknown option '%s'%s", who, at->text,
                              count || *hint ? hint : " (it has no options)");
    }
    return status;
}
