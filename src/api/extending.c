/* Types of the caller's own: what can be wrong with one is found when it is registered. */
#include "error.h"
#include "registry.h"

#include <string.h>

/* What is being registered. */
typedef struct candidate {
    nm_context *ctx;
    const char *what; /* "layer type" */
    const char *name;
    size_t size; /* of the struct that the options fill */
} candidate;

static nm_status refuse(const candidate *c, const char *why)
{
    return nm_fail(c->ctx, NM_INVALID, "%s '%s': %s", c->what, c->name, why);
}

static nm_status check_compiled(nm_context *ctx, const size_t *compiled)
{
    static const size_t here[NM_EXTENDING_NUMBERS] = NM_EXTENDING;
    int same = 0; /* a program of another version may have fewer numbers: read none behind a difference */
    while (same < NM_EXTENDING_NUMBERS && compiled[same] == here[same])
        same++;
    if (same == NM_EXTENDING_NUMBERS)
        return NM_OK;
    return nm_fail(ctx, NM_INVALID,
                   "a type was compiled against the headers of another version of norma, or in another precision: "
                   "compile it against those of norma %s",
                   nm_version());
}

/* ---- names ---- */

static nm_status check_name(const candidate *c, nm_type_kind kind)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    /* What stands beside a type in an entry of a model file. */
    static const char *const taken[NM_TYPE_KINDS][4] = {
        [NM_LAYER] = {"name", "from", "share"}, [NM_LOSS] = {"from", "target", "weight"}};
    if (!c->name || !*c->name || c->name[strspn(c->name, word)] || !c->name[strspn(c->name, "-_")])
        return nm_fail(c->ctx, NM_INVALID, "%s '%s': a name is a word of letters, digits, - and _", c->what,
                       c->name ? c->name : "");
    for (int i = 0; taken[kind][i]; i++)
        if (strcmp(taken[kind][i], c->name) == 0)
            return refuse(c, "the word means something else in model files");
    if (nm_type_find(c->ctx, kind, c->name))
        return refuse(c, "there is one of this name");
    return NM_OK;
}

/* ---- options ---- */

static size_t field_size(nm_option_type type)
{
    switch (type) {
    case NM_OPT_INT:
    case NM_OPT_ENUM:
        return sizeof(int);
    case NM_OPT_REAL:
        return sizeof(double);
    case NM_OPT_BOOL:
        return sizeof(bool);
    case NM_OPT_PAIR:
        return 2 * sizeof(int);
    case NM_OPT_PAD:
        return sizeof(nm_pad);
    case NM_OPT_STRING:
        return sizeof(char *);
    case NM_OPT_REALS:
        return sizeof(nm_reals);
    case NM_OPT_STRINGS:
        return sizeof(nm_strings);
    case NM_OPT_CHOICE:
        return sizeof(nm_choice);
    }
    return 0;
}

static nm_status check_options(const candidate *c, const nm_option *options)
{
    for (const nm_option *o = options; o && o->name; o++) {
        const char *why = NULL;
        size_t field = field_size(o->type);
        if (field == 0)
            why = "has no known type";
        else if (o->offset > c->size || field > c->size - o->offset)
            why = "lies outside the struct that 'size' tells";
        else if (o->type == NM_OPT_ENUM && !o->choices)
            why = "lacks its choices";
        else if (!o->help)
            why = "lacks its help";
        if (why)
            return nm_fail(c->ctx, NM_INVALID, "%s '%s': option '%s' %s", c->what, c->name, o->name, why);
    }
    return NM_OK;
}

/* ---- what each kind must have ---- */

static nm_status check_layer(candidate *c, const nm_layer_type *type)
{
    c->size = type->size;
    if (!type->forward || !type->backward)
        return refuse(c, "forward and backward must be given");
    if (type->least_inputs < 1 || (type->most_inputs != 0 && type->most_inputs < type->least_inputs))
        return refuse(c, "least_inputs must be 1 or more, and most_inputs not less, or 0 for any number");
    if (type->fusion || type->algorithms)
        return refuse(c, "fusion and algorithms are the library's own: they must be NULL");
    return check_options(c, type->options);
}

static nm_status check_loss(candidate *c, const nm_loss_type *type)
{
    c->size = type->size;
    return type->run ? check_options(c, type->options) : refuse(c, "run must be given");
}

static nm_status check_optimizer(candidate *c, const nm_optimizer_type *type)
{
    bool has_rate = false;
    c->size = type->size;
    if (!type->update)
        return refuse(c, "update must be given");
    if (type->slots < 0 || type->slots > NM_MOST_SLOTS)
        return refuse(c, "it may have 4 slots at most");
    for (int i = 0; i < type->slots; i++)
        if (!type->slot_names || !type->slot_names[i])
            return refuse(c, "each slot must have a name");
    for (const nm_option *o = type->options; o && o->name; o++)
        has_rate = has_rate || (strcmp(o->name, "lr") == 0 && o->type == NM_OPT_REAL);
    return has_rate ? check_options(c, type->options) : refuse(c, "it must have the option lr, NM_OPT_REAL");
}

static nm_status check_schedule(candidate *c, const nm_schedule_type *type)
{
    c->size = type->size;
    return type->factor ? check_options(c, type->options) : refuse(c, "factor must be given");
}

nm_status nm_register_type(nm_context *ctx, nm_type_kind kind, const void *type,
                           const size_t compiled[NM_EXTENDING_NUMBERS])
{
    static const char *const what[NM_TYPE_KINDS] = {"layer type", "loss", "optimizer", "schedule"};
    nm_errors_clear(ctx);
    NM_TRY(check_compiled(ctx, compiled));
    candidate c = {ctx, what[kind], *(const char *const *)type, 0};
    NM_TRY(check_name(&c, kind));
    switch (kind) {
    case NM_LAYER:
        NM_TRY(check_layer(&c, type));
        break;
    case NM_LOSS:
        NM_TRY(check_loss(&c, type));
        break;
    case NM_OPTIMIZER:
        NM_TRY(check_optimizer(&c, type));
        break;
    case NM_SCHEDULE:
        NM_TRY(check_schedule(&c, type));
        break;
    }
    return nm_type_add(ctx, kind, type) ? NM_OK : nm_fail_memory(ctx, sizeof type);
}
