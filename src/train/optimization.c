/* The optimizer and the schedule of one run. */
#include "optimization.h"

#include "alloc.h"
#include "divergence.h"
#include "finite.h"
#include "foreign_names.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct nm_optimization {
    const nm_optimizer_type *type;
    void *self;
    const nm_schedule_type *schedule;
    void *schedule_self;
    double lr, clip_norm;
    double fixed_rate; /* in place of the schedule's; NaN: none */
    uint64_t steps, steps_per_epoch, warmup;
    const nm_network *net;
    real *slot[4];
    nm_span *spans;  /* of the parameters that are optimised */
    size_t *offsets; /* [spans], into the gradient slab */
    int count, threads;
};

/* ---- choosing -------------------------------------------------------------------------- */

static nm_status unknown(nm_context *ctx, const nm_network *net, const nm_choice *choice, nm_type_kind kind)
{
    char hint[NM_HINT];
    const nm_type_list *known = nm_types(ctx, kind);
    bool optimizer = kind == NM_OPTIMIZER;
    return nm_yaml_fail(ctx, choice->at ? choice->at : net->document, "train: unknown %s '%s'%s",
                        optimizer ? "optimizer" : "schedule", choice->name,
                        nm_called_here(hint, optimizer ? NM_FOREIGN_OPTIMIZER : NM_FOREIGN_SCHEDULE, choice->name,
                                       known->names, known->count));
}

static nm_status choose_optimizer(nm_context *ctx, const nm_choice *choice, nm_optimization *o)
{
    if (!(o->type = nm_type_find(ctx, NM_OPTIMIZER, choice->name)))
        return unknown(ctx, o->net, choice, NM_OPTIMIZER);
    if (!(o->self = nm_alloc(ctx, 1, o->type->size + 1)))
        return NM_FAILED;
    return nm_options_read(ctx, o->type->options, o->self, choice->options, NULL, o->type->name);
}

static nm_status choose_schedule(nm_context *ctx, const nm_choice *choice, nm_optimization *o)
{
    if (!(o->schedule = nm_type_find(ctx, NM_SCHEDULE, choice->name)))
        return unknown(ctx, o->net, choice, NM_SCHEDULE);
    if (!(o->schedule_self = nm_alloc(ctx, 1, o->schedule->size + 1)))
        return NM_FAILED;
    return nm_options_read(ctx, o->schedule->options, o->schedule_self, choice->options, NULL, o->schedule->name);
}

/* A setting of `train:` that stands for an option of the optimizer; NaN: not given. */
static nm_status override(nm_context *ctx, nm_optimization *o, const char *name, double value)
{
    if (isnan(value))
        return NM_OK;
    const nm_yaml *at = nm_yaml_get(nm_yaml_get(o->net->document, "train"), name);
    const nm_option *option = nm_option_find(o->type->options, name);
    if (!option || option->type != NM_OPT_REAL)
        return NM_OK; /* reported as a setting without effect */
    if (value < 0 || ((option->least != 0 || option->most != 0) && (value < option->least || value > option->most)))
        return nm_yaml_fail(ctx, at, "train: option '%s' must be a number from %g to %g; found %g", name, option->least,
                            option->most, value);
    *(double *)((char *)o->self + option->offset) = value;
    return NM_OK;
}

nm_status nm_optimizer_read(nm_context *ctx, const nm_train_settings *settings, const nm_network *net,
                            const nm_optimizer_type **type, void **options)
{
    nm_optimization o = {.net = net};
    nm_status status = choose_optimizer(ctx, &settings->optimizer, &o);
    if (status == NM_OK)
        status = override(ctx, &o, "lr", settings->lr);
    if (status == NM_OK)
        status = override(ctx, &o, "momentum", settings->momentum);
    *type = o.type;
    *options = o.self;
    return status;
}

void nm_optimizer_release(const nm_optimizer_type *type, void *options)
{
    if (options)
        nm_options_free(type->options, options);
    nm_free(options);
}

/* ---- spans ------------------------------------------------------------------------------ */

static nm_status make_spans(nm_context *ctx, const nm_train_settings *settings, nm_optimization *o)
{
    const nm_network *net = o->net;
    o->spans = nm_alloc(ctx, (size_t)net->params + 1, sizeof *o->spans);
    o->offsets = nm_alloc(ctx, (size_t)net->params + 1, sizeof *o->offsets);
    if (!o->spans || !o->offsets)
        return NM_FAILED;
    for (int s = 0; s < o->type->slots; s++)
        if (!(o->slot[s] = nm_alloc(ctx, net->weight_count + 1, sizeof(real))))
            return NM_FAILED;
    for (int i = 0; i < net->params; i++) {
        const nm_param *param = &net->param[i];
        if (param->kind == NM_STATE || param->frozen)
            continue;
        nm_span *span = &o->spans[o->count];
        *span = (nm_span){.count = param->count, .w = net->weights + param->offset};
        span->l2 = param->kind == NM_WEIGHT || settings->l2_all ? settings->l2 : 0;
        for (int s = 0; s < o->type->slots; s++)
            span->slot[s] = o->slot[s] + param->offset;
        o->offsets[o->count++] = param->offset;
    }
    if (o->count == 0 && settings->freeze.count)
        return nm_yaml_fail(ctx, net->document, "train: there is no parameter to train: all are frozen");
    return NM_OK;
}

static nm_status set_up(nm_context *ctx, const nm_train_settings *settings, nm_optimization *o)
{
    nm_status optimizer = choose_optimizer(ctx, &settings->optimizer, o);
    nm_status schedule = choose_schedule(ctx, &settings->schedule, o);
    NM_TRY(optimizer);
    NM_TRY(schedule);
    NM_TRY(override(ctx, o, "lr", settings->lr));
    NM_TRY(override(ctx, o, "momentum", settings->momentum));
    const nm_option *lr = nm_option_find(o->type->options, "lr");
    o->lr = *(const double *)((const char *)o->self + lr->offset);
    return make_spans(ctx, settings, o);
}

nm_status nm_optimization_new(nm_context *ctx, const nm_train_settings *settings, nm_network *net, uint64_t steps,
                              uint64_t steps_per_epoch, nm_optimization **out)
{
    *out = NULL;
    nm_optimization *o = nm_alloc(ctx, 1, sizeof *o);
    if (!o)
        return NM_FAILED;
    *o = (nm_optimization){.net = net,
                           .steps = steps,
                           .steps_per_epoch = steps_per_epoch,
                           .warmup = (uint64_t)settings->warmup,
                           .clip_norm = settings->clip_norm,
                           .fixed_rate = (double)NAN,
                           .threads = nm_context_threads(ctx)};
    nm_status status = set_up(ctx, settings, o);
    if (status == NM_OK)
        *out = o;
    else
        nm_optimization_free(o);
    return status;
}

void nm_optimization_free(nm_optimization *o)
{
    if (!o)
        return;
    if (o->self)
        nm_options_free(o->type->options, o->self);
    if (o->schedule_self)
        nm_options_free(o->schedule->options, o->schedule_self);
    nm_free(o->self);
    nm_free(o->schedule_self);
    for (int s = 0; s < 4; s++)
        nm_free(o->slot[s]);
    nm_free(o->spans);
    nm_free(o->offsets);
    nm_free(o);
}

/* ---- running ---------------------------------------------------------------------------- */

void nm_optimization_state(const nm_optimization *o, nm_train_state *state)
{
    state->optimizer = o->type->name;
    state->slots = o->type->slots;
    state->slot_names = o->type->slot_names;
    for (int s = 0; s < 4; s++)
        state->slot[s] = o->slot[s];
}

size_t nm_optimization_bytes(const nm_optimization *o)
{
    return o ? (size_t)o->type->slots * o->net->weight_count * sizeof(real) : 0;
}

int nm_optimization_parameters(const nm_optimization *o)
{
    return o->count;
}

const nm_optimizer_type *nm_optimization_type(const nm_optimization *o)
{
    return o->type;
}

const void *nm_optimization_options(const nm_optimization *o)
{
    return o->self;
}

const nm_schedule_type *nm_optimization_schedule(const nm_optimization *o, const void **options)
{
    *options = o->schedule_self;
    return o->schedule;
}

bool nm_optimization_steady(const nm_optimization *o)
{
    enum { MOST = 4096 }; /* steps looked at, the last among them */
    uint64_t last = o->steps ? o->steps - 1 : 0;
    double first = o->schedule->factor(0, o->steps, o->steps_per_epoch, o->schedule_self);
    for (uint64_t i = 1; i <= MOST && i <= last; i++) {
        uint64_t step = last <= MOST ? i : last / MOST * i + last % MOST * i / MOST;
        if (o->schedule->factor(step, o->steps, o->steps_per_epoch, o->schedule_self) != first)
            return false;
    }
    return true;
}

void nm_optimization_fix_rate(nm_optimization *o, double rate)
{
    o->fixed_rate = rate;
}

double nm_optimization_rate(const nm_optimization *o, uint64_t step)
{
    if (!isnan(o->fixed_rate))
        return o->fixed_rate;
    return nm_schedule_rate(o->schedule, o->schedule_self, o->lr, step, o->steps, o->steps_per_epoch, o->warmup);
}

nm_update_outcome nm_optimization_step(nm_optimization *o, nm_plan *plan, uint64_t step)
{
    const real *gradients = nm_plan_gradients(plan);
    nm_update_outcome outcome;
    for (int i = 0; i < o->count; i++)
        o->spans[i].dw = gradients + o->offsets[i];
    nm_optimize(o->type, o->self, o->spans, o->count, nm_optimization_rate(o, step), step + 1, o->clip_norm, o->threads,
                &outcome);
    return outcome;
}

/* ---- NaN and infinity ---------------------------------------------------------------------- */

static const char *name_at(const nm_network *net, size_t offset)
{
    for (int i = 0; i < net->params; i++)
        if (net->param[i].kind != NM_STATE && net->param[i].offset == offset)
            return net->param[i].name;
    return "";
}

bool nm_optimization_find_bad(const nm_optimization *o, const nm_plan *plan, char *text, size_t size)
{
    const real *gradients = nm_plan_gradients(plan);
    for (int i = o->count - 1; i >= 0; i--)
        if (!nm_all_finite(gradients + o->offsets[i], o->spans[i].count)) {
            snprintf(text, size, "the gradient of %s", name_at(o->net, o->offsets[i]));
            return true;
        }
    nm_train_state state = {0};
    nm_optimization_state(o, &state);
    return nm_find_not_finite(o->net, &state, text, size);
}
