/* A network in whole numbers, whose results are exact: to compare without tolerance. */
#ifndef INTEGER_MAP_H
#define INTEGER_MAP_H

#include "layer_check.h"
#include "parse.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>

enum { ROOM = 1 << 14 };

/* A network of layers on inputs x0, x1 …, in eval mode with gradients, its parameters small whole
 * numbers. */
typedef struct map {
    nm_network *net;
    nm_plan *plan;
    size_t in[2], out; /* elements of all samples */
    nm_shape shape;    /* of the output */
} map;

enum { N = 3 };

static inline map open_map(const char *layers, const nm_shape *in, int inputs)
{
    char model[2048] = "inputs: {";
    for (int k = 0; k < inputs; k++)
        sprintf(model + strlen(model), "%sx%d: {height: %d, width: %d, channels: %d}", k ? ", " : "", k, in[k].h,
                in[k].w, in[k].c);
    sprintf(model + strlen(model), "}\nlayers:\n%s", layers);
    map m = {0};
    nm_yaml *document = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", model, strlen(model), &document), NM_OK);
    ck_assert_msg(nm_network_build(ctx, document, NULL, &m.net) == NM_OK, "%s", nm_error_message(ctx, 0));
    for (size_t i = 0; i < m.net->weight_count; i++)
        m.net->weights[i] = (real)pick(-3, 3);
    nm_request request = {.mode = NM_EVAL,
                          .batch = N,
                          .threads = 2,
                          .gradients = true,
                          .input_gradients = true,
                          .exact = true}; /* whole numbers */
    ck_assert_int_eq(nm_plan_new(m.net, &request, &m.plan), NM_OK);
    m.shape = m.net->node[m.net->output].out;
    m.out = N * nm_shape_size(m.shape);
    for (int k = 0; k < inputs; k++)
        m.in[k] = N * nm_shape_size(in[k]);
    ck_assert(m.in[0] <= ROOM && m.in[1] <= ROOM && m.out <= ROOM);
    return m;
}

static inline void close_map(map *m)
{
    nm_plan_free(m->plan);
    nm_network_free(m->net);
}

static inline void apply(map *m, const real *x0, const real *x1, real *y)
{
    const real *xs[] = {x0, x1};
    nm_plan_run(m->plan, &(nm_batch){.n = N, .x = xs}, NM_PHASE_FORWARD);
    memcpy(y, nm_plan_output(m->plan, m->net->output), m->out * sizeof *y);
}

static inline void whole_numbers(real *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (real)pick(-4, 4);
}

#endif
