/* The model file's losses, with their options. */
#include "parse.h"

#include "alloc.h"
#include "foreign_names.h"

#include <string.h>

enum { MOST_LOSSES = 1000 };

/* The factor of a loss in the sum, where the file gives it. */
static nm_status read_weight(nm_context *ctx, const nm_yaml *item, nm_objective *objective)
{
    static const nm_option option[] = {
        {"weight", NM_OPT_REAL, 0, "1", 0, 1e9, .help = "factor of this loss in the sum"}, {0}};
    const nm_yaml *weight = item->kind == NM_YAML_MAP ? nm_yaml_get(item, "weight") : NULL;
    if (!weight)
        return NM_OK;
    nm_yaml key = {.kind = NM_YAML_SCALAR, .text = (char[]){"weight"}}, *keys = &key, *items = (nm_yaml *)weight;
    nm_yaml only = {.kind = NM_YAML_MAP,
                    .file = item->file,
                    .line = item->line,
                    .column = item->column,
                    .origin = item->origin,
                    .count = 1,
                    .keys = &keys,
                    .items = &items};
    return nm_options_read(ctx, option, &objective->weight, &only, NULL, objective->type->name);
}

/* A loss is NAME, {NAME: {options}} or {NAME: {options}, from: LAYER, target: LAYER, weight: 0.3}.
 */
static nm_status parse_objective(nm_network *net, const nm_yaml *item)
{
    nm_context *ctx = net->ctx;
    const nm_yaml *word = item->kind == NM_YAML_SCALAR ? item : NULL, *options = NULL;
    for (int i = 0; item->kind == NM_YAML_MAP && i < item->count; i++) {
        const char *key = item->keys[i]->text;
        if (strcmp(key, "from") == 0 || strcmp(key, "weight") == 0 || strcmp(key, "target") == 0)
            continue;
        if (word)
            return nm_yaml_fail(ctx, item->keys[i], "a loss has one type; found '%s' and '%s'", word->text, key);
        word = item->keys[i];
        options = item->items[i];
    }
    if (!word)
        return nm_yaml_fail(ctx, item, "a loss must be written as NAME or {NAME: {options}}");
    const nm_loss_type *type = nm_type_find(ctx, NM_LOSS, word->text);
    if (!type) {
        char hint[NM_HINT];
        const nm_type_list *known = nm_types(ctx, NM_LOSS);
        return nm_yaml_fail(ctx, word, "unknown loss '%s'%s", word->text,
                            nm_called_here(hint, NM_FOREIGN_LOSS, word->text, known->names, known->count));
    }
    nm_objective *objective = &net->objective[net->objectives++];
    *objective = (nm_objective){.type = type, .from = -1, .target = -1, .weight = 1, .at = item};
    objective->self = nm_alloc(ctx, 1, type->size + 1);
    char place[512];
    nm_yaml_place(word, place, sizeof place);
    objective->who = nm_format(ctx, "%s: loss %s", place, type->name);
    if (!objective->self || !objective->who)
        return NM_FAILED;
    NM_TRY(read_weight(ctx, item, objective));
    return nm_options_read(ctx, type->options, objective->self, options, NULL, type->name);
}

nm_status nm_parse_losses(nm_network *net)
{
    const nm_yaml *loss = nm_yaml_get(net->document, "loss");
    if (!loss)
        return NM_OK;
    bool list = loss->kind == NM_YAML_LIST;
    int count = list ? loss->count : 1;
    if (count > MOST_LOSSES)
        return nm_yaml_fail(net->ctx, loss, "found %d losses; expected at most %d", count, MOST_LOSSES);
    net->objective = nm_alloc(net->ctx, (size_t)count + 1, sizeof *net->objective);
    if (!net->objective)
        return NM_FAILED;
    nm_status status = NM_OK;
    for (int i = 0; i < count; i++)
        if (parse_objective(net, list ? loss->items[i] : loss) != NM_OK)
            status = nm_failed_status(net->ctx);
    return status;
}
