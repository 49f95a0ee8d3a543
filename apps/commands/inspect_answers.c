/* norma inspect: what was found, as a table and as JSON. */
#include "inspect.h"

#include "alloc.h"
#include "characters.h"
#include "escaped.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- facts: attributes and single values --------------------------------------------------- */

typedef struct fact {
    const char *name, *path, *note; /* note NULL: an array of one, or a text */
    bool whole;
} fact;

static const fact facts[] = {
    {"format", "/", "format", false},
    {"format_version", "/", "format_version", true},
    {"norma_version", "/", "norma_version", false},
    {"real", "/", "real", false},
    {"isa", "/", "isa", false},
    {"openblas_core", "/", "openblas_core", false},
    {"step", "/train/step", NULL, true},
    {"epoch", "/train/epoch", NULL, true},
    {"steps_per_epoch", "/train/steps_per_epoch", NULL, true},
    {"seed", "/train/seed", NULL, true},
    {"optimizer", "/optimizer", "type", false},
    {"data", "/train/data", NULL, false},
    {"data_digest", "/train/data_digest", NULL, false},
};
enum { FACTS = sizeof facts / sizeof *facts, FACT_TEXT = 256 };

/* Without a message: what is not there is left out, what is damaged has its object's problem. */
static json_t *read_fact(const inspection *in, const fact *f)
{
    int64_t number;
    char *text = NULL;
    if (!f->note && !nm_contents_find(in->contents, f->path))
        return NULL;
    if (f->whole)
        return nm_contents_whole(in->contents, f->path, f->note, &number) ? json_integer(number) : NULL;
    if (nm_contents_text(in->contents, f->path, f->note, &text) != NM_OK)
        nm_errors_clear(in->ctx);
    json_t *value = text ? json_string(escaped(text)) : NULL;
    nm_free(text);
    return value;
}

/* The name in the model file, found without reading it as YAML: norma writes it on a line of its
 * own. */
static json_t *read_network_name(const inspection *in)
{
    char *text = NULL, name[FACT_TEXT] = "";
    if (!nm_contents_find(in->contents, "/model_yaml"))
        return NULL;
    if (nm_contents_text(in->contents, "/model_yaml", NULL, &text) != NM_OK)
        nm_errors_clear(in->ctx);
    for (const char *line = text; line && *line && !*name;) {
        if (strncmp(line, "name: ", 6) == 0)
            snprintf(name, sizeof name, "%.*s", (int)strcspn(line + 6, "\n"), line + 6);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    nm_free(text);
    return *name ? json_string(escaped(name)) : NULL;
}

/* All that are there, in their order. */
static json_t *read_facts(const inspection *in)
{
    json_t *all = json_object(), *name = read_network_name(in);
    for (int i = 0; i < FACTS; i++) {
        json_t *value = read_fact(in, &facts[i]);
        if (value)
            json_object_set_new(all, facts[i].name, value);
    }
    if (name)
        json_object_set_new(all, "network", name);
    return all;
}

static const char *text_of(json_t *facts_found, const char *name)
{
    const char *text = json_string_value(json_object_get(facts_found, name));
    return text ? text : "?";
}

/* The number between two words, or nothing where there is none. */
static bool print_whole(json_t *facts_found, const char *name, const char *before, const char *after)
{
    json_t *value = json_object_get(facts_found, name);
    if (value)
        printf("%s%lld%s", before, (long long)json_integer_value(value), after);
    return value != NULL;
}

static void print_facts(json_t *f)
{
    printf("%s", text_of(f, "format"));
    print_whole(f, "format_version", ", format version ", "");
    printf(", written by norma %s (%s, %s, %s)\n", text_of(f, "norma_version"), text_of(f, "real"), text_of(f, "isa"),
           text_of(f, "openblas_core"));
    printf("network %s", text_of(f, "network"));
    if (!print_whole(f, "step", ", step ", ""))
        printf(", no step");
    print_whole(f, "epoch", ", ", " whole epochs");
    print_whole(f, "steps_per_epoch", " of ", " steps");
    print_whole(f, "seed", ", seed ", "");
    printf("\n");
    if (json_object_get(f, "data"))
        printf("data %s, digest %s, optimizer %s\n", text_of(f, "data"), text_of(f, "data_digest"),
               text_of(f, "optimizer"));
}

/* ---- the arrays ---------------------------------------------------------------------------- */

static bool begins_with(const char *path, const char *start)
{
    return strncmp(path, start, strlen(start)) == 0;
}

static const struct {
    const char *title, *folder;
} parts[] = {{"parameters", "/model/"},
             {"optimizer", "/optimizer/"},
             {"training", "/train/"},
             {"history", "/history/"},
             {"others", ""}};
enum { PARTS = sizeof parts / sizeof *parts };

static int part_of(const char *path)
{
    int p = 0;
    while (!begins_with(path, parts[p].folder))
        p++;
    return p;
}

static const char *name_in(const nm_stored *o)
{
    return escaped(o->path + strlen(parts[part_of(o->path)].folder));
}

static void shape_text(const nm_h5_shape *s, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, s->rank ? "" : "1");
    for (int i = 0; i < s->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? "x" : "", s->dims[i]);
}

static void print_numbers(const number_summary *s)
{
    if (!s->known)
        return;
    printf("  %12.6g  %12.6g  %12.6g", s->least, s->mean, s->largest);
    if (s->not_finite)
        printf("  %zu not finite", s->not_finite);
}

static void print_object(const inspection *in, int i, int width)
{
    const nm_stored *o = &in->contents->object[i];
    const char *name = name_in(o);
    char shape[NM_H5_DESCRIPTION];
    printf("%-*s", padded_width(name, width), name);
    if (o->problem) {
        printf("  not read: %s\n", escaped(o->problem));
        return;
    }
    shape_text(&o->shape, shape, sizeof shape);
    printf("  %-7s  %-12s  %-6s  %-6s", nm_h5_type_name(o->shape.type), shape, o->layout ? escaped(o->layout) : "",
           o->kind ? escaped(o->kind) : "");
    print_numbers(&in->numbers[i]);
    printf("\n");
}

static void print_part(const inspection *in, int part)
{
    const nm_contents *c = in->contents;
    int width = wider(10, parts[part].title), found = 0;
    for (int i = 0; i < c->count; i++)
        if (part_of(c->object[i].path) == part) {
            width = wider(width, name_in(&c->object[i]));
            found++;
        }
    width = width < 60 ? width : 60;
    if (found)
        printf("\n%-*s  %-7s  %-12s  %-6s  %-6s  %12s  %12s  %12s\n", width, parts[part].title, "type", "shape",
               "layout", "kind", "least", "mean", "largest");
    for (int i = 0; i < c->count; i++)
        if (part_of(c->object[i].path) == part)
            print_object(in, i, width);
}

static bool is_whole(const nm_contents *c)
{
    bool whole = !c->digest_problem && !c->problem;
    for (int i = 0; i < c->count; i++)
        whole = whole && !c->object[i].problem;
    return whole;
}

bool print_inspection(const inspection *in)
{
    const nm_contents *c = in->contents;
    json_t *found = read_facts(in);
    print_facts(found);
    json_decref(found);
    printf("digest %s%s\n", c->digest_problem ? "wrong: " : "right",
           c->digest_problem ? escaped(c->digest_problem) : "");
    if (c->problem)
        printf("objects are missing here: %s\n", escaped(c->problem));
    for (int part = 0; part < PARTS; part++)
        print_part(in, part);
    return is_whole(c);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(escaped(text)));
}

static json_t *object_as_json(const nm_stored *o, const number_summary *s)
{
    json_t *object = json_object(), *shape = json_array();
    for (int i = 0; i < o->shape.rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)o->shape.dims[i]));
    set_text(object, "path", o->path);
    json_object_set_new(object, "type", json_string(nm_h5_type_name(o->shape.type)));
    json_object_set_new(object, "shape", shape);
    set_text(object, "layout", o->layout);
    set_text(object, "kind", o->kind);
    set_text(object, "problem", o->problem);
    if (s->known) {
        json_object_set_new(object, "least", json_number(s->least));
        json_object_set_new(object, "mean", json_number(s->mean));
        json_object_set_new(object, "largest", json_number(s->largest));
        json_object_set_new(object, "not_finite", json_integer((json_int_t)s->not_finite));
    }
    return object;
}

bool print_inspection_as_json(const inspection *in)
{
    const nm_contents *c = in->contents;
    json_t *all = read_facts(in), *objects = json_array();
    set_text(all, "file", in->file);
    json_object_set_new(all, "digest", json_string(c->digest_problem ? "wrong" : "right"));
    set_text(all, "digest_problem", c->digest_problem);
    set_text(all, "problem", c->problem);
    for (int i = 0; i < c->count; i++)
        json_array_append_new(objects, object_as_json(&c->object[i], &in->numbers[i]));
    json_object_set_new(all, "objects", objects);
    print_json(all);
    return is_whole(c);
}
