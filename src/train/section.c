/* The section `train:` of model files, as networks take it: nm_network_open. */
#include "train.h"

#include "layer.h"

#include <stdlib.h>
#include <string.h>

nm_status nm_read_save_every(const char *text, uint64_t *count, bool *epochs)
{
    char *end = NULL;
    long number = text && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
    *epochs = end && strcmp(end, "e") == 0;
    *count = (uint64_t)number;
    return number >= 0 && number <= 1000000000 && (*epochs || strcmp(end, "s") == 0 || !*end) ? NM_OK : NM_INVALID;
}

static nm_status check_section(nm_context *ctx, const nm_yaml *section, const void *settings)
{
    const nm_train_settings *s = settings;
    nm_status status = NM_OK;
    uint64_t count;
    bool epochs;
    for (int i = 0; i < s->without.count; i++)
        if (!nm_type_find(ctx, NM_LAYER, s->without.values[i]))
            status = nm_yaml_fail(ctx, nm_yaml_get(section, "without"),
                                  "train: option 'without': there is no layer type '%s'", s->without.values[i]);
    if (status == NM_OK && nm_read_save_every(s->save_every, &count, &epochs) != NM_OK)
        status = nm_yaml_fail(ctx, nm_yaml_get(section, "save_every"),
                              "train: option 'save_every' must be a number of steps (200s) or epochs (1e); found '%s'",
                              s->save_every ? s->save_every : "");
    return status;
}

static void rule_network(const void *settings, nm_network_rules *rules)
{
    const nm_train_settings *s = settings;
    *rules = (nm_network_rules){
        .without = s->without, .exact = s->exact, .no_fuse = s->no_fuse, .bf16 = s->storage == NM_STORAGE_BF16};
}

const nm_settings_type nm_train_section = {.section = "train",
                                           .options = nm_train_options,
                                           .size = sizeof(nm_train_settings),
                                           .check = check_section,
                                           .rule = rule_network};
