/* Reading option tables. */
#include "option_read.h"
#include "real.h"

#include "alloc.h"
#include "option/option_message.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One value being read into its field. */
typedef struct reading {
    nm_context *ctx;
    const nm_option *option;
    const char *who;
    void *field;
} reading;

const nm_option *nm_option_find(const nm_option *table, const char *name)
{
    for (; table && table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static nm_status wrong(const reading *r, const nm_yaml *value)
{
    return nm_option_wrong(r->ctx, r->option, r->who, value);
}

/* ---- scalars ------------------------------------------------------------------------- */

static bool in_range(const nm_option *o, double value)
{
    if (o->least == 0 && o->most == 0)
        return isfinite((real)value); /* what computes with it does so in this precision */
    return value >= o->least && value <= o->most;
}

static bool scalar_int(const nm_option *o, const nm_yaml *value, int *out)
{
    if (value->kind != NM_YAML_SCALAR || value->quoted || !*value->text)
        return false;
    char *end;
    errno = 0;
    long number = strtol(value->text, &end, 10);
    if (*end || errno || number < INT_MIN || number > INT_MAX || !in_range(o, (double)number))
        return false;
    *out = (int)number;
    return true;
}

static bool scalar_real(const nm_option *o, const nm_yaml *value, double *out)
{
    if (value->kind != NM_YAML_SCALAR || value->quoted || !*value->text)
        return false;
    char *end;
    double number = strtod(value->text, &end);
    if (*end || !isfinite(number) || !in_range(o, number))
        return false;
    *out = number;
    return true;
}

static bool scalar_bool(const nm_yaml *value, bool *out)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes"};
    for (int i = 0; value->kind == NM_YAML_SCALAR && i < 6; i++)
        if (strcmp(value->text, words[i]) == 0) {
            *out = i % 2;
            return true;
        }
    return false;
}

static bool scalar_enum(const nm_option *o, const nm_yaml *value, int *out)
{
    for (int i = 0; value->kind == NM_YAML_SCALAR && o->choices[i]; i++)
        if (strcmp(value->text, o->choices[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

/* ---- composed values ------------------------------------------------------------------ */

/* `count` whole numbers from a list of as many, or all of them from one scalar. */
static bool ints(const nm_option *o, const nm_yaml *value, int count, int *out)
{
    if (value->kind == NM_YAML_LIST) {
        if (value->count != count)
            return false;
        for (int i = 0; i < count; i++)
            if (!scalar_int(o, value->items[i], &out[i]))
                return false;
        return true;
    }
    if (!scalar_int(o, value, &out[0]))
        return false;
    for (int i = 1; i < count; i++)
        out[i] = out[0];
    return true;
}

static bool read_pad(const nm_option *o, const nm_yaml *value, nm_pad *pad)
{
    int side[4];
    *pad = (nm_pad){0};
    if (value->kind == NM_YAML_SCALAR && strcmp(value->text, "same") == 0) {
        pad->same = true;
        return true;
    }
    if (value->kind == NM_YAML_SCALAR && strcmp(value->text, "valid") == 0)
        return true;
    if (value->kind == NM_YAML_LIST && value->count == 4) {
        if (!ints(o, value, 4, side))
            return false;
        *pad = (nm_pad){false, side[0], side[1], side[2], side[3]};
        return true;
    }
    if (!ints(o, value, 2, side))
        return false;
    *pad = (nm_pad){false, side[0], side[0], side[1], side[1]};
    return true;
}

static nm_status read_reals(const reading *r, const nm_yaml *value)
{
    nm_reals *out = r->field;
    int count = value->kind == NM_YAML_LIST ? value->count : 1;
    out->values = nm_alloc(r->ctx, (size_t)count + 1, sizeof *out->values);
    if (!out->values)
        return NM_FAILED;
    for (out->count = 0; out->count < count; out->count++) {
        const nm_yaml *item = value->kind == NM_YAML_LIST ? value->items[out->count] : value;
        if (!scalar_real(r->option, item, &out->values[out->count]))
            return wrong(r, value);
    }
    return NM_OK;
}

static nm_status add_string(nm_context *ctx, nm_strings *out, const char *text, size_t length)
{
    char *copy = nm_alloc(ctx, length + 1, 1);
    if (!copy)
        return NM_FAILED;
    out->values[out->count++] = memcpy(copy, text, length);
    return NM_OK;
}

/* A scalar is cut at commas; an empty one is an empty list. */
static nm_status read_strings(const reading *r, const nm_yaml *value)
{
    nm_strings *out = r->field;
    if (value->kind == NM_YAML_MAP)
        return wrong(r, value);
    size_t capacity = 1;
    if (value->kind == NM_YAML_LIST)
        capacity += (size_t)value->count;
    else
        for (const char *c = value->text; *c; c++)
            capacity += *c == ',';
    out->values = nm_alloc(r->ctx, capacity, sizeof *out->values);
    if (!out->values)
        return NM_FAILED;
    if (value->kind == NM_YAML_SCALAR) {
        const char *text = value->text;
        while (*text) {
            size_t length = strcspn(text, ",");
            if (length)
                NM_TRY(add_string(r->ctx, out, text, length));
            text += length + (text[length] == ',');
        }
        return NM_OK;
    }
    for (int i = 0; i < value->count; i++) {
        if (value->items[i]->kind != NM_YAML_SCALAR)
            return wrong(r, value);
        NM_TRY(add_string(r->ctx, out, value->items[i]->text, strlen(value->items[i]->text)));
    }
    return NM_OK;
}

static nm_status read_choice(const reading *r, const nm_yaml *value)
{
    nm_choice *out = r->field;
    const char *name = NULL;
    const nm_yaml *options = NULL;
    if (value->kind == NM_YAML_SCALAR) {
        name = value->text;
    } else if (value->kind == NM_YAML_MAP && value->count == 1) {
        name = value->keys[0]->text;
        options = value->items[0];
        if (nm_yaml_is_null(options))
            options = NULL;
    }
    if (!name || !*name || (options && options->kind != NM_YAML_MAP))
        return wrong(r, value);
    *out = (nm_choice){nm_strdup(r->ctx, name), options, value->line > 0 || value->origin ? value : NULL};
    return out->name ? NM_OK : NM_FAILED;
}

static nm_status read_value(const reading *r, const nm_yaml *value)
{
    const nm_option *o = r->option;
    bool right = false;
    switch (o->type) {
    case NM_OPT_INT:
        right = scalar_int(o, value, r->field);
        break;
    case NM_OPT_REAL:
        right = scalar_real(o, value, r->field);
        break;
    case NM_OPT_BOOL:
        right = scalar_bool(value, r->field);
        break;
    case NM_OPT_PAIR:
        right = ints(o, value, 2, r->field);
        break;
    case NM_OPT_PAD:
        right = read_pad(o, value, r->field);
        break;
    case NM_OPT_ENUM:
        right = scalar_enum(o, value, r->field);
        break;
    case NM_OPT_STRING:
        if (value->kind != NM_YAML_SCALAR)
            return wrong(r, value);
        *(char **)r->field = nm_strdup(r->ctx, value->text);
        return *(char **)r->field ? NM_OK : NM_FAILED;
    case NM_OPT_REALS:
        return read_reals(r, value);
    case NM_OPT_STRINGS:
        return read_strings(r, value);
    case NM_OPT_CHOICE:
        return read_choice(r, value);
    }
    return right ? NM_OK : wrong(r, value);
}

/* ---- tables --------------------------------------------------------------------------- */

static nm_status read_preset(const reading *r, const nm_yaml *place)
{
    if (!r->option->preset)
        return nm_yaml_fail(r->ctx, place, "%s: option '%s' (%s) must be given", r->who, r->option->name,
                            r->option->help);
    if (!*r->option->preset) {
        if (r->option->type == NM_OPT_REAL)
            *(double *)r->field = (double)NAN;
        return NM_OK;
    }
    nm_yaml *value = NULL;
    NM_TRY(nm_yaml_parse(r->ctx, "preset", r->option->preset, strlen(r->option->preset), &value));
    value->line = value->column = 0;
    nm_status status = read_value(r, value);
    nm_yaml_free(value);
    return status;
}

nm_status nm_options_read(nm_context *ctx, const nm_option *table, void *target, const nm_yaml *given,
                          const nm_yaml *defaults, const char *who)
{
    nm_status first = nm_option_check_keys(ctx, table, given, who);
    nm_status second = nm_option_check_keys(ctx, table, defaults, who);
    nm_status status = first != NM_OK ? first : second;
    for (const nm_option *o = table; o && o->name; o++) {
        reading r = {ctx, o, who, (char *)target + o->offset};
        const nm_yaml *value = nm_yaml_get(given, o->name);
        if (!value || nm_yaml_is_null(value))
            value = nm_yaml_get(defaults, o->name);
        nm_status one = value && !nm_yaml_is_null(value) ? read_value(&r, value) : read_preset(&r, given);
        if (one != NM_OK)
            status = one;
    }
    return status;
}

void nm_options_free(const nm_option *table, void *target)
{
    for (const nm_option *o = table; target && o && o->name; o++) {
        void *field = (char *)target + o->offset;
        if (o->type == NM_OPT_STRING) {
            nm_free(*(char **)field);
            *(char **)field = NULL;
        } else if (o->type == NM_OPT_REALS) {
            nm_free(((nm_reals *)field)->values);
            *(nm_reals *)field = (nm_reals){0};
        } else if (o->type == NM_OPT_STRINGS) {
            nm_strings *list = field;
            for (int i = 0; i < list->count; i++)
                nm_free(list->values[i]);
            nm_free(list->values);
            *list = (nm_strings){0};
        } else if (o->type == NM_OPT_CHOICE) {
            nm_free(((nm_choice *)field)->name);
            *(nm_choice *)field = (nm_choice){0};
        }
    }
}
