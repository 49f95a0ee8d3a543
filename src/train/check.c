/* Checking a document without training it, and what it comes to. */
#include "idle.h"

#include "alloc.h"
#include "option_text.h"

#include <string.h>

static void add_options(nm_text *text, const nm_option *table, const void *target)
{
    for (const nm_option *o = table; o && o->name; o++) {
        nm_text_add(text, " %s=", o->name);
        nm_text_add_option(text, o, target);
    }
    nm_text_add(text, "\n");
}

static void add_network(nm_text *text, const nm_network *net)
{
    for (int i = 0; i < net->nodes; i++) {
        const nm_node *node = &net->node[i];
        nm_text_add(text, "%s %s " NM_SHAPE_FMT " %d", node->name, node->type ? node->type->name : "input",
                    NM_SHAPE_ARGS(node->out), node->share);
        for (int k = 0; k < node->inputs; k++)
            nm_text_add(text, " %d", node->from[k]);
        add_options(text, node->type ? node->type->options : NULL, node->self);
    }
    for (int i = 0; i < net->params; i++)
        if (net->param[i].frozen)
            nm_text_add(text, "frozen %s\n", net->param[i].name);
    for (int i = 0; i < net->objectives; i++) {
        const nm_objective *o = &net->objective[i];
        nm_text_add(text, "%s %d %d %.17g", o->type->name, o->from, o->target, o->weight);
        add_options(text, o->type->options, o->self);
    }
    nm_text_add(text, "output %d\n", net->output);
}

/* The settings by what they do: those that others overrule or that have no effect are left out. */
static void add_settings(nm_text *text, nm_train_run *t)
{
    static const char *const resolved[] = {"data",     "epochs", "steps",    "batch",  "limit",  "optimizer",
                                           "schedule", "lr",     "momentum", "freeze", "without"};
    static const char *const records[] = {"save_every", "keep", "watch", "watch_every"}; /* change no result */
    const void *schedule;
    const nm_schedule_type *type = nm_optimization_schedule(t->optimization, &schedule);
    int samples = t->data->train.count;
    nm_train_run_digest_data(t);
    nm_text_add(text, "data %s steps %llu of %llu batch %d limit %d %s", t->data_digest, (unsigned long long)t->steps,
                (unsigned long long)t->state.steps_per_epoch, t->loading.batch,
                t->settings->limit > 0 && t->settings->limit < samples ? t->settings->limit : samples,
                nm_optimization_type(t->optimization)->name);
    add_options(text, nm_optimization_type(t->optimization)->options, nm_optimization_options(t->optimization));
    if (!nm_optimization_steady(t->optimization)) {
        nm_text_add(text, "%s", type->name);
        add_options(text, type->options, schedule);
    }
    for (const nm_option *o = nm_train_options; o->name; o++) {
        bool skip = false;
        for (size_t i = 0; i < sizeof resolved / sizeof *resolved; i++)
            skip = skip || strcmp(o->name, resolved[i]) == 0;
        for (size_t i = 0; i < sizeof records / sizeof *records; i++)
            skip = skip || strcmp(o->name, records[i]) == 0;
        if (skip || nm_idle(t, o->name))
            continue;
        nm_text_add(text, "%s=", o->name);
        nm_text_add_option(text, o, t->settings);
        nm_text_add(text, "\n");
    }
}

nm_status nm_train_check(nm_context *ctx, const nm_train_request *given, bool data, char **effect)
{
    nm_train_request request = {.document = given->document, .cache = given->cache};
    nm_train_result result = {0};
    nm_train_run t;
    nm_text text = {.ctx = ctx};
    nm_status status = nm_train_run_set_up(ctx, &request, data, &t, &result);
    if (status == NM_OK && effect) {
        add_network(&text, t.net);
        add_settings(&text, &t);
        status = text.failed ? NM_FAILED : NM_OK;
        if (status == NM_OK)
            *effect = text.text;
        else
            nm_free(text.text);
    }
    nm_train_run_close(&t);
    return status;
}
