/* The data that a trained network is judged by: of its own classes, whatever order they have in the
 * files. */
#include "train.h"

#include "alloc.h"
#include "classes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The path in the checkpoint was written by whoever started the run, where it was started. */
static nm_status check_path(nm_context *ctx, const char *spec)
{
    const char *path = strchr(spec, ':');
    if (!path || access(path + 1, F_OK) == 0 || errno != ENOENT)
        return NM_OK;
    int name = (int)(path++ - spec);
    if (*path == '/')
        return nm_fail(
            ctx, NM_INVALID,
            "%s: the network was trained on it, but it is not there; to name another place: --data %.*s:PATH", spec,
            name, spec);
    return nm_fail(
        ctx, NM_INVALID,
        "%s: the network was trained on it; the path is relative to the folder that training was started in, and "
        "not there from the present folder: go to that folder, or name the data with --data %.*s:PATH",
        spec, name, spec);
}

nm_status nm_trained_data_open(nm_context *ctx, const char *given, const nm_train_settings *settings,
                               const nm_network *net, const char *classes, nm_dataset **out)
{
    nm_data_form form = nm_settings_form(settings, net);
    *out = NULL;
    if (!given)
        NM_TRY(check_path(ctx, settings->data));
    NM_TRY(nm_dataset_open(ctx, given ? given : settings->data, &form, out));
    nm_status status = classes ? nm_dataset_match_classes(ctx, *out, classes) : NM_OK;
    if (status != NM_OK) {
        nm_dataset_free(*out);
        *out = NULL;
    }
    return status;
}
