/* What the settings of a network say of its parameters before the first step: which stay as they
 * are, and from where their values come. */
#include "train.h"

#include "checkpoint.h"

#include <fnmatch.h>

nm_status nm_network_freeze(nm_context *ctx, nm_network *net)
{
    const nm_strings *patterns = &nm_settings_of(net)->freeze;
    nm_status status = NM_OK;
    for (int f = 0; f < patterns->count; f++) {
        const char *pattern = patterns->values[f];
        int hit = 0;
        for (int i = 0; i < net->params; i++)
            if (net->param[i].kind != NM_STATE && fnmatch(pattern, net->param[i].name, 0) == 0) {
                net->param[i].frozen = true;
                hit++;
            }
        if (!hit)
            status = nm_yaml_fail(ctx, nm_yaml_get(nm_yaml_get(net->document, "train"), "freeze"),
                                  "train: option 'freeze': no parameter is called like '%s'", pattern);
    }
    return status;
}

nm_status nm_network_take_values(nm_context *ctx, nm_network *net, int *taken)
{
    const char *path = nm_settings_of(net)->init_from;
    nm_checkpoint *from;
    *taken = 0;
    if (!path)
        return NM_OK;
    NM_TRY(nm_checkpoint_open(ctx, path, &from));
    nm_status status = nm_checkpoint_load(ctx, from, net, true, taken);
    nm_checkpoint_free(from);
    NM_TRY(status);
    return *taken ? NM_OK
                  : nm_fail(ctx, NM_INVALID,
                            "%s: none of its parameters fits a parameter of the model by name and shape", path);
}
