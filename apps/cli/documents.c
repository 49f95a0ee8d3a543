/* Models for the commands that work on their documents and networks from within. */
#include "command.h"
#include "model.h"

nm_status change_document(nm_context *ctx, nm_yaml *document, const char *origin, const char *path, const char *value)
{
    return nm_settings_change(ctx, document, &(nm_change){.path = path, .value = value, .origin = origin});
}

nm_status load_document(nm_context *ctx, const model_args *args, const char *otherwise, nm_yaml **document)
{
    nm_model *model;
    *document = NULL;
    NM_TRY(load_model(ctx, args, otherwise, &model));
    *document = model->document;
    model->document = NULL;
    nm_model_free(model);
    return NM_OK;
}

nm_status open_model(nm_context *ctx, const model_args *args, const char *otherwise, nm_network **net)
{
    nm_yaml *document;
    *net = NULL;
    NM_TRY(load_document(ctx, args, otherwise, &document));
    return nm_network_open(ctx, document, &nm_train_section, net);
}
