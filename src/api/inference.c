/* Sessions: the public functions of inference.h. */
#include <norma/inference.h>

#include "alloc.h"
#include "api_types.h"
#include "outputs.h"
#include "predictor.h"

#include <string.h>

struct nm_session {
    nm_network net; /* the shared one, through a struct of our own whose context is ours while the plan is made */
    nm_plan *plan;
    real *table; /* of pixels; NULL: it takes values only */
    real *x;     /* [batch][h][w][c] */
    size_t inputs, outputs;
    int batch, threads;
    int taps, *tap; /* [taps]: nodes */
    int done;       /* images of the last call; 0: none */
};

/* ---- making ---- */

/* The options, of a caller that was compiled against this version of the struct or an earlier one.
 */
static nm_status read_options(nm_context *ctx, const nm_session_options *given, nm_session_options *o)
{
    *o = (nm_session_options)NM_SESSION_OPTIONS_INIT;
    if (!given)
        return NM_OK;
    NM_TRY(nm_sized_read(ctx, "NM_SESSION_OPTIONS_INIT", given, o, sizeof *o));
    if (o->batch < 1)
        return nm_fail(ctx, NM_INVALID, "session: batch must be 1 or more; found %d", o->batch);
    if (o->threads < 1 || o->threads > NM_MOST_THREADS)
        return nm_fail(ctx, NM_INVALID, "session: threads must be 1 to %d; found %d", NM_MOST_THREADS, o->threads);
    if (o->tap_count < 0 || (o->tap_count > 0 && !o->taps))
        return nm_fail(ctx, NM_INVALID, "session: %d taps without names", o->tap_count);
    return NM_OK;
}

static nm_status unknown_tap(nm_context *ctx, const nm_network *net, const char *name)
{
    char hint[NM_HINT];
    const char **names = nm_alloc(ctx, (size_t)net->nodes, sizeof *names);
    if (!names)
        return NM_FAILED;
    for (int i = 0; i < net->nodes; i++)
        names[i] = net->node[i].name;
    nm_did_you_mean(hint, name, names, net->nodes);
    nm_free(names);
    return nm_fail(ctx, NM_INVALID, "session: tap: there is no layer '%s'%s", name, hint);
}

static nm_status find_taps(nm_context *ctx, const nm_session_options *o, nm_session *s)
{
    if (!(s->tap = nm_alloc(ctx, (size_t)o->tap_count + 1, sizeof *s->tap)))
        return NM_FAILED;
    for (; s->taps < o->tap_count; s->taps++) {
        const char *name = o->taps[s->taps];
        int node = nm_network_find(&s->net, name);
        if (node < 0)
            return unknown_tap(ctx, &s->net, name);
        s->tap[s->taps] = node;
    }
    return NM_OK;
}

/* The plan keeps the output and the taps. */
static nm_status make_plan(nm_context *ctx, nm_session *s)
{
    int keeps = 0, *keep = nm_alloc(ctx, (size_t)s->taps + 1, sizeof *keep);
    if (!keep)
        return NM_FAILED;
    keep[keeps++] = s->net.output;
    for (int i = 0; i < s->taps; i++)
        keep[keeps++] = s->tap[i];
    const nm_beside beside = {.per_sample = s->inputs * sizeof *s->x, .flag = "a session's batch of "};
    nm_request request = nm_evaluation_request(&s->net, s->batch, s->threads, &beside);
    request.keep = keep;
    request.keeps = keeps;
    nm_status status = nm_plan_new(&s->net, &request, &s->plan);
    nm_free(keep);
    return status;
}

static nm_status set_up(nm_context *ctx, const nm_network *net, const nm_session_options *given, nm_session *s)
{
    nm_session_options o;
    NM_TRY(read_options(ctx, given, &o));
    if (net->inputs != 1)
        return nm_fail(ctx, NM_INVALID, "session: the network has %d inputs; a session takes one", net->inputs);
    s->net = *net;
    s->net.ctx = ctx;
    s->batch = o.batch;
    s->threads = o.threads;
    s->inputs = nm_shape_size(net->node[0].out);
    s->outputs = nm_shape_size(net->node[net->output].out);
    NM_TRY(find_taps(ctx, &o, s));
    if (!(s->x = nm_alloc(ctx, (size_t)s->batch * s->inputs, sizeof *s->x)))
        return NM_FAILED;
    nm_status status = make_plan(ctx, s);
    s->net.ctx = NULL; /* another thread may have the session from now on */
    return status;
}

nm_status nm_session_on_network(nm_context *ctx, const struct nm_network *network, const nm_session_options *options,
                                nm_session **out)
{
    *out = NULL;
    nm_errors_clear(ctx);
    nm_session *s = nm_alloc(ctx, 1, sizeof *s);
    nm_status status = s ? set_up(ctx, network, options, s) : NM_FAILED;
    if (status == NM_OK)
        *out = s;
    else
        nm_session_free(s);
    return status;
}

nm_status nm_session_new(nm_context *ctx, const nm_predictor *p, const nm_session_options *options, nm_session **out)
{
    NM_TRY(nm_session_on_network(ctx, p->net, options, out));
    int channels = p->net->node[0].out.c;
    if (p->normalisation.channels == 0 && !p->settings->binary)
        return NM_OK; /* a network of values */
    nm_status status = nm_pixel_table_new(ctx, &p->normalisation, channels, p->settings->binary, &(*out)->table);
    if (status != NM_OK) {
        nm_session_free(*out);
        *out = NULL;
    }
    return status;
}

void nm_session_free(nm_session *s)
{
    if (!s)
        return;
    nm_plan_free(s->plan);
    nm_free(s->table);
    nm_free(s->x);
    nm_free(s->tap);
    nm_free(s);
}

/* ---- shapes ---- */

nm_shape nm_session_input(const nm_session *s)
{
    return s->net.node[0].out;
}

nm_shape nm_session_output(const nm_session *s)
{
    return s->net.node[s->net.output].out;
}

nm_shape nm_session_tap_shape(const nm_session *s, int tap)
{
    return tap >= 0 && tap < s->taps ? s->net.node[s->tap[tap]].out : (nm_shape){0, 0, 0};
}

/* ---- running ---- */

static nm_status check_call(nm_context *ctx, const nm_session *s, int n, size_t given, size_t room)
{
    nm_errors_clear(ctx);
    if (n < 1 || n > s->batch)
        return nm_fail(ctx, NM_INVALID, "session: expected 1 to %d images; found %d", s->batch, n);
    if (given < (size_t)n * s->inputs)
        return nm_fail(ctx, NM_INVALID, "session: %d images are %zu numbers; the input has %zu", n,
                       (size_t)n * s->inputs, given);
    if (room < (size_t)n * s->outputs)
        return nm_fail(ctx, NM_INVALID, "session: %d images give %zu numbers; there is room for %zu", n,
                       (size_t)n * s->outputs, room);
    return NM_OK;
}

static const real *output_of(const nm_session *s, int node)
{
    return node < s->net.inputs ? s->x : nm_plan_output(s->plan, node);
}

/* Of the n images in s->x. */
static nm_status run(nm_context *ctx, nm_session *s, int n, float *outputs)
{
    const real *x = s->x;
    nm_batch batch = {.n = n, .x = &x};
    nm_plan_run(s->plan, &batch, NM_PHASE_FORWARD);
    const real *y = output_of(s, s->net.output);
    int broken = 0, first = 0;
    for (int i = 0; i < n; i++)
        if (!nm_finish_outputs(&s->net, y + (size_t)i * s->outputs, outputs + (size_t)i * s->outputs) && broken++ == 0)
            first = i;
    s->done = n;
    if (!broken)
        return NM_OK;
    char culprit[NM_CULPRIT];
    x += (size_t)first * s->inputs;
    s->net.ctx = ctx;
    bool found = nm_find_culprit(&s->net, NM_EVAL, &(nm_batch){.n = 1, .x = &x}, culprit);
    s->net.ctx = NULL;
    return nm_fail(ctx, NM_DIVERGED, "the network yields NaN or infinity for %d of %d images%s%s", broken, n,
                   found ? "; the first to hold it is " : "", culprit);
}

nm_status nm_session_run_u8(nm_context *ctx, nm_session *s, int n, const uint8_t *pixels, size_t pixels_length,
                            float *outputs, size_t outputs_length)
{
    NM_TRY(check_call(ctx, s, n, pixels_length, outputs_length));
    if (!s->table)
        return nm_fail(ctx, NM_INVALID, "session: how pixels are normalised is not known: this network takes values");
    nm_normalise(s->table, s->net.node[0].out.c, pixels, (size_t)n * s->inputs, s->x);
    return run(ctx, s, n, outputs);
}

nm_status nm_session_run_f32(nm_context *ctx, nm_session *s, int n, const float *values, size_t values_length,
                             float *outputs, size_t outputs_length)
{
    NM_TRY(check_call(ctx, s, n, values_length, outputs_length));
    for (size_t i = 0; i < (size_t)n * s->inputs; i++)
        s->x[i] = (real)values[i];
    return run(ctx, s, n, outputs);
}

nm_status nm_session_tap(nm_context *ctx, const nm_session *s, int tap, float *values, size_t values_length)
{
    nm_errors_clear(ctx);
    if (tap < 0 || tap >= s->taps)
        return nm_fail(ctx, NM_INVALID, "session: there is no tap %d; it has %d", tap, s->taps);
    if (!s->done)
        return nm_fail(ctx, NM_INVALID, "session: a tap can be read after a call");
    size_t count = (size_t)s->done * nm_shape_size(nm_session_tap_shape(s, tap));
    if (values_length < count)
        return nm_fail(ctx, NM_INVALID, "session: the tap has %zu numbers; there is room for %zu", count,
                       values_length);
    const real *y = output_of(s, s->tap[tap]);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)y[i];
    return NM_OK;
}
