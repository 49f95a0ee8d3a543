/* Choosing algorithms by measuring whole training steps, in which every layer that can takes the
 * same algorithm for the same pass: so each is timed with the cache as its neighbours leave it. */
#include "tune.h"

#include "algorithm_choice.h"
#include "alloc.h"
#include "file.h"
#include "gemm.h"
#include "noise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STEPS = 4, KEY = 512, VALUE = 96, NAME = 32, PASSES = 3 };

/* What is known of a node. */
typedef struct tuned {
    bool open; /* the choice is to be made */
    bool known;
    int first; /* the first node of the same key: its choice is that of all */
    char key[KEY], value[VALUE];
    double forward, backward; /* seconds of the steps so far, with the plan that is measured */
    double best[PASSES];      /* seconds of a step */
    char name[PASSES][NAME];
} tuned;

typedef struct tuner {
    nm_context *ctx;
    nm_network *net;
    int batch;
    tuned *node; /* [nodes] */
    nm_noise noise;
} tuner;

/* ---- what is remembered -------------------------------------------------------------------- */

/* The file, or NULL where the environment names no place; nm_free. */
static char *cache_path(nm_context *ctx)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache)
        return nm_format(ctx, "%s/norma/tuned", cache);
    return home && *home ? nm_format(ctx, "%s/.cache/norma/tuned", home) : NULL;
}

/* This CPU's name; "unknown CPU" where the system does not say. */
static void cpu_name(char *name, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "unknown CPU");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n\t"), colon + 2);
            break;
        }
    }
    if (f)
        fclose(f);
}

/* Takes the line "key TAB value" of a node's key, the last where there are several. */
static void recall(tuner *t, const char *path)
{
    char line[KEY + VALUE + 2];
    FILE *f = path ? nm_file_stream(path) : NULL;
    while (f && fgets(line, sizeof line, f)) {
        char *tab = strchr(line, '\t');
        if (!tab)
            continue;
        *tab = '\0';
        tab[1 + strcspn(tab + 1, "\n")] = '\0';
        for (int i = 0; i < t->net->nodes; i++)
            if (t->node[i].open && strcmp(t->node[i].key, line) == 0) {
                snprintf(t->node[i].value, VALUE, "%s", tab + 1);
                t->node[i].known = true;
            }
    }
    if (f)
        fclose(f);
}

static void remember(const tuner *t, const char *path)
{
    char *folder = path ? nm_strdup(t->ctx, path) : NULL;
    for (char *slash = folder ? strchr(folder + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(folder, 0777);
        *slash = '/';
    }
    nm_free(folder);
    FILE *f = path ? fopen(path, "a") : NULL;
    for (int i = 0; f && i < t->net->nodes; i++) {
        if (t->node[i].open && !t->node[i].known && t->node[i].first == i)
            fprintf(f, "%s\t%s\n", t->node[i].key, t->node[i].value);
    }
    if (f)
        fclose(f);
}

/* ---- measuring ----------------------------------------------------------------------------- */

static nm_status find_open(tuner *t)
{
    char cpu[128];
    cpu_name(cpu, sizeof cpu);
    t->node = nm_alloc(t->ctx, (size_t)t->net->nodes, sizeof *t->node);
    if (!t->node)
        return NM_FAILED;
    for (int i = t->net->inputs; i < t->net->nodes; i++) {
        const nm_node *node = &t->net->node[i];
        char shape[192];
        tuned *n = &t->node[i];
        n->open = node->type->algorithms && node->type->algorithms->key(node->self, shape, sizeof shape);
        if (n->open)
            snprintf(n->key, KEY, "%s, OpenBLAS %s, %s, %d threads, batch %d%s: %s", cpu, nm_gemm_core(),
                     nm_isa_name(nm_isa_level()), nm_context_threads(t->ctx), t->batch, t->net->exact ? ", exact" : "",
                     shape);
        n->first = i;
        for (int k = t->net->inputs; k < i && n->open && n->first == i; k++)
            n->first = t->node[k].open && strcmp(t->node[k].key, n->key) == 0 ? k : i;
        for (int p = 0; p < PASSES; p++) {
            n->best[p] = INFINITY;
            snprintf(n->name[p], NAME, "auto");
        }
    }
    return NM_OK;
}

/* Pass p of a choice "forward/weights/data". */
static void take_word(const char *chosen, int p, char name[NAME])
{
    for (; p > 0; p--)
        chosen = strchr(chosen, '/') ? strchr(chosen, '/') + 1 : chosen;
    snprintf(name, NAME, "%.*s", (int)strcspn(chosen, "/"), chosen);
}

static void judge(tuned *n, int p, double seconds, const char *chosen)
{
    char word[NAME];
    take_word(chosen, p, word);
    if (seconds >= n->best[p] || strcmp(word, "auto") == 0) /* nothing is chosen for a pass that is not run */
        return;
    n->best[p] = seconds;
    memcpy(n->name[p], word, NAME);
}

/* Steps in which layers prefer `name` for forward and weights, or for data: forward's time judges
 * the first, backward's the second, the third. */
static nm_status time_steps(tuner *t, const char *name, bool data)
{
    char prefer[VALUE], chosen[VALUE];
    snprintf(prefer, sizeof prefer, data ? "auto/auto/%s" : "%s/%s/auto", name, name);
    nm_request request = {
        .mode = NM_TRAIN, .batch = t->batch, .threads = nm_context_threads(t->ctx), .timing = true, .prefer = prefer};
    nm_plan *plan;
    NM_TRY(nm_plan_new(t->net, &request, &plan));
    nm_batch batch = nm_noise_batch(&t->noise);
    for (int step = 0; step < STEPS; step++) {
        nm_plan_run(plan, &batch, NM_PHASE_ALL);
        for (int i = t->net->inputs; i < t->net->nodes; i++) {
            tuned *n = &t->node[i], *first = &t->node[n->first];
            double forward = n->forward, backward = n->backward;
            nm_plan_seconds(plan, i, &n->forward, &n->backward);
            if (step == 0 || !n->open || n->known) /* the first step touches memory for the first time */
                continue;
            t->net->node[i].type->algorithms->chosen(nm_plan_choice(plan, i), chosen, sizeof chosen);
            if (!data)
                judge(first, 0, n->forward - forward, chosen);
            judge(first, data ? 2 : 1, n->backward - backward, chosen);
        }
    }
    nm_plan_free(plan);
    return NM_OK;
}

static nm_status measure(tuner *t)
{
    const nm_algorithm_choice *choice = NULL; /* one type of layer has it, so far */
    for (int i = t->net->inputs; i < t->net->nodes && !choice; i++)
        if (t->node[i].open && !t->node[i].known)
            choice = t->net->node[i].type->algorithms;
    if (!choice)
        return NM_OK;
    NM_TRY(nm_noise_new(t->ctx, t->net, t->batch, &t->noise));
    nm_network_initialise(t->net, 1);
    for (int k = 0; choice->names[k]; k++)
        for (int data = 0; data < 2; data++)
            NM_TRY(time_steps(t, choice->names[k], data));
    for (int i = t->net->inputs; i < t->net->nodes; i++) {
        const tuned *first = &t->node[t->node[i].first];
        if (t->node[i].open && !t->node[i].known)
            snprintf(t->node[i].value, VALUE, "%s/%s/%s", first->name[0], first->name[1], first->name[2]);
    }
    return NM_OK;
}

/* ---- the document -------------------------------------------------------------------------- */

static nm_status write_choices(tuner *t, nm_yaml *document, int *measured, int *known)
{
    nm_status status = NM_OK;
    for (int i = t->net->inputs; i < t->net->nodes && status == NM_OK; i++) {
        if (!t->node[i].open)
            continue;
        char path[256];
        snprintf(path, sizeof path, "%s.%s", t->net->node[i].name, t->net->node[i].type->algorithms->option);
        status = nm_document_set(t->ctx, document, path, t->node[i].value);
        *(t->node[i].known ? known : measured) += 1;
    }
    return status;
}

nm_status nm_tune(nm_context *ctx, nm_yaml *document, int *measured, int *known)
{
    tuner t = {.ctx = ctx};
    nm_yaml *copy;
    *measured = *known = 0;
    NM_TRY(nm_yaml_copy(ctx, document, &copy));
    NM_TRY(nm_network_open(ctx, copy, &nm_train_section, &t.net));
    t.batch = nm_settings_of(t.net)->batch;
    char *path = cache_path(ctx);
    nm_status status = find_open(&t);
    if (status == NM_OK) {
        recall(&t, path);
        status = measure(&t);
    }
    if (status == NM_OK) {
        remember(&t, path);
        status = write_choices(&t, document, measured, known);
    }
    nm_free(path);
    nm_noise_free(&t.noise);
    nm_free(t.node);
    nm_network_free(t.net);
    return status;
}
