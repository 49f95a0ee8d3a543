/* The convolutions of model files, as pieces of work. */
#include "calibrate.h"
#include "conv_layer.h"
#include "train.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the instruction set in use -------------------------------------------------------------- */

#define DECLARE(level)                                                                                                 \
    const nm_conv_algorithm *const *nm_conv_algorithms_##level(void);                                                  \
    const nm_conv_costs *nm_conv_costs_here_##level(void);
#define CALL(name)                                                                                                     \
    (nm_isa_level() == NM_ISA_V4 ? name##_v4() : nm_isa_level() == NM_ISA_V3 ? name##_v3() : name##_base())
#ifdef NM_HAVE_V3
DECLARE(v3)
DECLARE(v4)
#else
#undef CALL
#define CALL(name) name##_base()
#endif

const nm_conv_algorithm *const *algorithms_here(void)
{
    return CALL(nm_conv_algorithms);
}

const nm_conv_costs *costs_here(void)
{
    return CALL(nm_conv_costs_here);
}

/* ---- pieces of work -------------------------------------------------------------------------- */

/* Samples of a batch of training: the model's, or as many as `MOST_WORK` multiply-adds do. */
static int training_samples(const nm_conv_geometry *g, int batch)
{
    const double MOST_WORK = 3e9;
    double most = MOST_WORK / nm_conv_direct_cost(g);
    return most < 2 ? 2 : most < batch ? (int)most : batch;
}

/* Evaluation takes the whole batch through layers of many weights, and through others about as many
 * samples at once as a core's caches hold (src/core/plan/segments.c). */
static int evaluation_samples(const nm_conv_geometry *g, int batch)
{
    enum { CACHE = 1 << 20, MANY_WEIGHTS = 1 << 16 };
    int most = training_samples(g, batch);
    if (nm_conv_weight_count(g) > MANY_WEIGHTS)
        return most;
    int held = (int)(CACHE / ((nm_shape_size(g->in) + nm_shape_size(g->out)) * sizeof(real)));
    return held < 1 ? 1 : held < most ? held : most;
}

static void describe(work *w, const char *pass)
{
    const nm_conv_geometry *g = &w->g;
    char more[48] = "";
    if (g->stride[0] * g->stride[1] > 1)
        snprintf(more, sizeof more, " by %d", g->stride[0]);
    if (g->dilation[0] * g->dilation[1] > 1)
        snprintf(more + strlen(more), sizeof more - strlen(more), " dilated %d", g->dilation[0]);
    if (g->groups > 1)
        snprintf(more + strlen(more), sizeof more - strlen(more), " in %d groups", g->groups);
    snprintf(w->name, NAME, "%s %dx%d%s %d-%d at %dx%d, %d samples", pass, g->kernel[0], g->kernel[1], more, g->in.c,
             g->out.c, g->out.h, g->out.w, w->n);
}

/* Whether planning could take it: nm_conv_choose. */
static bool can_do(const nm_conv_algorithm *a, const work *w)
{
    return strcmp(a->name, "reference") != 0 && !(w->kind == NM_CONV_DATA && !a->data) && !a->declines(&w->g, w->kind);
}

static nm_status add_work(nm_context *ctx, works *all, work w, const char *pass)
{
    describe(&w, pass);
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->list[i].name, w.name) == 0)
            return NM_OK;
    for (const nm_conv_algorithm *const *a = algorithms_here(); *a && w.candidates < MOST_CANDIDATES; a++)
        if (can_do(*a, &w))
            w.of[w.candidates++].by = *a;
    if (w.candidates < 2)
        return NM_OK;
    if (all->count == all->capacity) {
        all->capacity += 256;
        work *more = realloc(all->list, (size_t)all->capacity * sizeof *more);
        if (!more)
            return nm_fail(ctx, NM_FAILED, "out of memory");
        all->list = more;
    }
    all->list[all->count++] = w;
    return NM_OK;
}

/* The gradient by x too, unless x is the network's input. */
static nm_status add_passes(nm_context *ctx, works *all, const nm_conv_geometry *g, int batch, bool data)
{
    int n = training_samples(g, batch);
    NM_TRY(add_work(ctx, all, (work){.g = *g, .kind = NM_CONV_FORWARD, .n = n}, "forward"));
    NM_TRY(add_work(ctx, all,
                    (work){.g = *g, .kind = NM_CONV_FORWARD, .evaluation = true, .n = evaluation_samples(g, batch)},
                    "evaluation"));
    NM_TRY(add_work(ctx, all, (work){.g = *g, .kind = NM_CONV_WEIGHTS, .n = n}, "weights"));
    if (!data)
        return NM_OK;
    work w = {.g = *g, .kind = NM_CONV_DATA, .n = n};
    if (NM_ISA(nm_conv_turn)(g, &w.g))
        w.kind = NM_CONV_FORWARD;
    return add_work(ctx, all, w, "data");
}

nm_status collect_works(nm_context *ctx, const char *model, works *all)
{
    nm_yaml *document;
    nm_network *net;
    NM_TRY(nm_yaml_load(ctx, model, &document));
    NM_TRY(nm_network_open(ctx, document, &nm_train_section, &net));
    nm_status status = NM_OK;
    for (int i = net->inputs; i < net->nodes && status == NM_OK; i++) {
        const nm_node *node = &net->node[i];
        if (strcmp(node->type->name, "conv") == 0)
            status = add_passes(ctx, all, &((const conv *)node->self)->g, nm_settings_of(net)->batch,
                                node->from[0] >= net->inputs);
    }
    nm_network_free(net);
    return status;
}

/* ---- the choice ------------------------------------------------------------------------------ */

int chosen_of(const work *w, const nm_conv_costs *costs)
{
    int best = 0;
    double least = w->of[0].by->cost(&w->g, w->kind, w->evaluation, costs);
    for (int i = 1; i < w->candidates; i++) {
        double cost = w->of[i].by->cost(&w->g, w->kind, w->evaluation, costs);
        if (cost < least) {
            best = i;
            least = cost;
        }
    }
    return best;
}

int fastest_of(const work *w)
{
    int best = 0;
    for (int i = 1; i < w->candidates; i++)
        if (w->of[i].seconds < w->of[best].seconds)
            best = i;
    return best;
}

double regret_of(const work *w, const nm_conv_costs *costs)
{
    return w->of[chosen_of(w, costs)].seconds / w->of[fastest_of(w)].seconds;
}
