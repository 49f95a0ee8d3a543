/* Networks, plans and batches for tests; a test fails here where one cannot be made. */
#ifndef NETWORK_SUPPORT_H
#define NETWORK_SUPPORT_H

#include "alloc.h"
#include "parse.h"

#include <check.h>
#include <string.h>

/* A network from the text of its model file, without values; `without`: layer types that are left
 * out, or NULL. nm_network_free. */
static inline nm_network *network_from(nm_context *ctx, const char *text, const nm_strings *without)
{
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m.yaml", text, strlen(text), &document), NM_OK);
    nm_status status = nm_network_build(ctx, document, without, &net);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(ctx, 0));
    return net;
}

/* nm_plan_free. */
static inline nm_plan *plan_for(nm_network *net, nm_request request)
{
    nm_plan *plan = NULL;
    nm_status status = nm_plan_new(net, &request, &plan);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(net->ctx, 0));
    return plan;
}

/* Normal numbers for the input, and a label for each place of the output. */
typedef struct noise {
    int n;
    real *x;         /* [n][h][w][c]; nm_free */
    int32_t *labels; /* [n][h][w] of the output; nm_free */
} noise;

static inline noise make_noise(const nm_network *net, int n)
{
    nm_shape in = net->node[0].out, out = net->node[net->output].out;
    size_t count = (size_t)n * nm_shape_size(in), places = (size_t)n * (size_t)out.h * (size_t)out.w;
    noise z = {n, nm_alloc(net->ctx, count, sizeof(real)), nm_alloc(net->ctx, places, sizeof(int32_t))};
    nm_rng r = nm_rng_stream(1, "test", "noise");
    ck_assert_ptr_nonnull(z.x);
    ck_assert_ptr_nonnull(z.labels);
    for (size_t i = 0; i < count; i++)
        z.x[i] = (real)nm_rng_normal(&r);
    for (size_t i = 0; i < places; i++)
        z.labels[i] = (int32_t)nm_rng_below(&r, (uint32_t)out.c);
    return z;
}

#endif
