/* Changes of a model by the kinds of the options they change. */
#include "model.h"

#include "alloc.h"

#include <string.h>

/* The option that a path means: --set epochs=3 is a slip for train.epochs. */
static nm_status check_path(nm_context *ctx, const nm_yaml *document, const nm_change *change)
{
    const char *path = change->path;
    if (strncmp(path, "train.", 6) == 0 || strchr(path, '.') || !nm_option_find(nm_train_options, path))
        return NM_OK;
    return nm_fail(ctx, NM_INVALID, "%s: %s has no key '%s'; did you mean train.%s?",
                   change->origin ? change->origin : path, document->file, path, path);
}

/* Choices (optimizer, schedule) may be written as a map without braces: "adam: {lr: 0.1}". */
static nm_status change_choice(nm_context *ctx, nm_yaml *document, const nm_change *change)
{
    char *braced = nm_format(ctx, "{%s}", change->value);
    nm_change one = *change;
    one.value = braced;
    nm_status status = braced ? nm_document_change(ctx, document, &one) : NM_FAILED;
    nm_free(braced);
    return status;
}

nm_status nm_settings_change(nm_context *ctx, nm_yaml *document, const nm_change *change)
{
    bool train = strncmp(change->path, "train.", 6) == 0;
    const nm_option *option = train ? nm_option_find(nm_train_options, change->path + 6) : NULL;
    NM_TRY(check_path(ctx, document, change));
    bool text = option ? option->type == NM_OPT_STRING : strcmp(change->path, "name") == 0;
    nm_change word = *change;
    word.verbatim = change->verbatim || (text && !strchr("[{\"'", *change->value));
    if (option && option->type == NM_OPT_CHOICE && *change->value != '{' && strchr(change->value, ':'))
        return change_choice(ctx, document, change);
    return nm_document_change(ctx, document, &word);
}
