/* The data set of a run, kept for those that follow. */
#include "train_run.h"

#include "alloc.h"
#include "option_text.h"

#include <string.h>

/* All that what is opened depends on: the data set's name, the form that the network wants, the
 * rules for image files.
 */
static char *make_key(const nm_train_run *t)
{
    static const char *const rules[] = {"resize", "fit", "background", "orient"};
    nm_text key = {.ctx = t->ctx};
    nm_text_add(&key, "%s " NM_SHAPE_FMT, t->settings->data, NM_SHAPE_ARGS(t->net->node[0].out));
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const nm_option *option = nm_option_find(nm_train_options, rules[i]);
        nm_text_add(&key, " ");
        nm_text_add_option(&key, option, t->settings);
    }
    if (!key.failed)
        return key.text;
    nm_free(key.text);
    return NULL;
}

nm_status nm_train_run_open_data(nm_train_run *t)
{
    nm_data_cache *cache = t->request->cache;
    char *key = NULL;
    if (cache) {
        if (!(key = make_key(t)))
            return NM_FAILED;
        if (cache->key && strcmp(cache->key, key) == 0) {
            nm_free(key);
            t->data = cache->data;
            return NM_OK;
        }
        nm_data_cache_free(cache);
    }
    nm_data_form form = nm_settings_form(t->settings, t->net);
    nm_status status = nm_dataset_open(t->ctx, t->settings->data, &form, &t->data);
    if (cache && status == NM_OK)
        *cache = (nm_data_cache){.key = key, .data = t->data};
    else
        nm_free(key);
    return status;
}

void nm_train_run_digest_data(nm_train_run *t)
{
    nm_data_cache *cache = t->request->cache;
    char *digest = cache ? cache->digest : t->data_digest;
    if (!*digest)
        nm_dataset_digest(t->data, digest);
    memmove(t->data_digest, digest, sizeof t->data_digest);
    t->state.data_digest = t->data_digest;
}

void nm_data_cache_free(nm_data_cache *cache)
{
    nm_free(cache->key);
    nm_dataset_free(cache->data);
    *cache = (nm_data_cache){0};
}
