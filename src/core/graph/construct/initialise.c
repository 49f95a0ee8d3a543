/* Initial values: each parameter from its own random stream. */
#include "parse.h"

#include <math.h>

const char *const nm_init_names[] = {"auto",           "torch",  "he_normal", "he_uniform", "glorot_normal",
                                     "glorot_uniform", "normal", "constant",  NULL};

void nm_find_rectified(nm_network *net)
{
    for (int i = net->nodes - 1; i >= net->inputs; i--) { /* every node follows those it reads */
        const nm_node *reader = &net->node[i];
        bool rectifies = reader->type->role == NM_ROLE_RECTIFIER ||
                         (reader->type->role == NM_ROLE_NORMALISATION && reader->rectified);
        for (int k = 0; rectifies && k < reader->inputs; k++)
            net->node[reader->from[k]].rectified = true;
    }
}

nm_init nm_init_resolve(const nm_network *net, int node, nm_init init)
{
    if (init.kind == NM_INIT_AUTO)
        init.kind = net->node[node].rectified ? NM_INIT_HE_NORMAL : NM_INIT_TORCH;
    return init;
}

static double scale_of(const nm_init *init)
{
    double in = init->fan_in > 0 ? init->fan_in : 1, both = in + init->fan_out;
    switch (init->kind) {
    case NM_INIT_AUTO: /* resolved when the parameter was declared */
    case NM_INIT_TORCH:
        return sqrt(1 / in);
    case NM_INIT_HE_NORMAL:
        return sqrt(2 / in);
    case NM_INIT_HE_UNIFORM:
        return sqrt(6 / in);
    case NM_INIT_GLOROT_NORMAL:
        return sqrt(2 / both);
    case NM_INIT_GLOROT_UNIFORM:
        return sqrt(6 / both);
    case NM_INIT_NORMAL:
    case NM_INIT_CONSTANT:
        break;
    }
    return init->value;
}

static void initialise(const nm_param *param, real *values, uint64_t seed)
{
    nm_rng r = nm_rng_stream(seed, "initial values", param->name);
    nm_rng_seek(&r, 0, 0);
    double scale = scale_of(&param->init);
    bool normal = param->init.kind == NM_INIT_HE_NORMAL || param->init.kind == NM_INIT_GLOROT_NORMAL ||
                  param->init.kind == NM_INIT_NORMAL;
    bool constant = param->init.kind == NM_INIT_CONSTANT;
    for (size_t i = 0; i < param->count; i++)
        values[i] = (real)(constant ? scale
                           : normal ? scale * nm_rng_normal(&r)
                                    : scale * (2 * nm_rng_uniform(&r) - 1));
}

void nm_network_initialise(nm_network *net, uint64_t seed)
{
    for (int i = 0; i < net->params; i++)
        initialise(&net->param[i], nm_param_values(net, &net->param[i]), seed);
}
