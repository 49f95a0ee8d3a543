/* Golden values: cases that PyTorch computed, kept as small HDF5 files that
 * tests/golden/make_golden.py writes.
 *
 * A group is a case. Attributes: `layer` (YAML), `mode` (train or eval). Data sets, all double,
 * NHWC and in the memory layout of weights: x0, x1, …; each parameter by name; y; dy; dx0, …;
 * d<parameter>; <state>_after. */
#include "layer_check.h"
#include "parse.h"

#include "alloc.h"

#include <check.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tensor {
    int rank;
    hsize_t dims[4];
    size_t count;
    double *values;
} tensor;

static bool read_tensor(nm_context *ctx, hid_t group, const char *name, tensor *t)
{
    *t = (tensor){.count = 1};
    if (H5Lexists(group, name, H5P_DEFAULT) <= 0)
        return false;
    hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space = H5Dget_space(set);
    t->rank = H5Sget_simple_extent_dims(space, t->dims, NULL);
    for (int i = 0; i < t->rank; i++)
        t->count *= (size_t)t->dims[i];
    t->values = nm_alloc(ctx, t->count + 1, sizeof *t->values);
    ck_assert_int_ge(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, t->values), 0);
    H5Sclose(space);
    H5Dclose(set);
    return true;
}

static void read_text(hid_t group, const char *name, char *to, size_t size)
{
    hid_t attribute = H5Aopen(group, name, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
    ck_assert_int_ge(attribute, 0);
    H5Tset_size(type, size);
    ck_assert_int_ge(H5Aread(attribute, type, to), 0);
    H5Tclose(type);
    H5Aclose(attribute);
}

static void narrow(const tensor *t, real *to)
{
    for (size_t i = 0; i < t->count; i++)
        to[i] = (real)t->values[i];
}

typedef struct golden {
    nm_context *ctx;
    hid_t group;
    const char *name;
    char layer[512], mode[16];
    int inputs, n;
    real *x[MAX_INPUTS];
    nm_network *net;
} golden;

static void build_case(golden *g)
{
    layer_case c = {.layer = g->layer};
    char ins[512] = "inputs: {", from[128] = "";
    for (g->inputs = 0; g->inputs < MAX_INPUTS; g->inputs++) {
        tensor t;
        if (!read_tensor(g->ctx, g->group, text("x%d", g->inputs), &t))
            break;
        int i = g->inputs;
        c.in[i] =
            t.rank == 4 ? (nm_shape){(int)t.dims[1], (int)t.dims[2], (int)t.dims[3]} : (nm_shape){1, 1, (int)t.dims[1]};
        g->n = (int)t.dims[0];
        g->x[i] = nm_alloc(g->ctx, t.count, sizeof(real));
        narrow(&t, g->x[i]);
        nm_free(t.values);
        snprintf(ins + strlen(ins), sizeof ins - strlen(ins), "%sx%d: {height: %d, width: %d, channels: %d}",
                 i ? ", " : "", i, c.in[i].h, c.in[i].w, c.in[i].c);
        snprintf(from + strlen(from), sizeof from - strlen(from), "%sx%d", i ? ", " : "", i);
    }
    char *model = nm_format(g->ctx, "%s}\nlayers:\n- name: l\n  from: [%s]\n  %s\n", ins, from, g->layer);
    nm_yaml *document = NULL;
    nm_status status = nm_yaml_parse(g->ctx, g->name, model, strlen(model), &document);
    if (status == NM_OK)
        status = nm_network_build(g->ctx, document, NULL, &g->net);
    nm_free(model);
    ck_assert_msg(status == NM_OK, "golden %s: %s", g->name, nm_error_message(g->ctx, 0));
}

static void load_params(golden *g)
{
    for (int i = 0; i < g->net->params; i++) {
        const nm_param *param = &g->net->param[i];
        tensor t;
        ck_assert_msg(read_tensor(g->ctx, g->group, param->field, &t), "golden %s has no %s", g->name, param->field);
        ck_assert_uint_eq(t.count, param->count);
        narrow(&t, nm_param_values(g->net, param));
        nm_free(t.values);
    }
}

/* The double build computed with PyTorch's float64 too, so 1e-10 holds there. */
static void compare(golden *g, const char *name, const real *found, bool must)
{
    tensor t;
    bool is_there = read_tensor(g->ctx, g->group, name, &t);
    ck_assert_msg(is_there || !must, "golden %s has no %s", g->name, name);
    if (is_there)
        check_close(text("golden %s: %s", g->name, name), found, t.values, t.count,
                    sizeof(real) == sizeof(double) ? 1e-10 : 1e-5);
    nm_free(t.values);
}

static void run_case(golden *g)
{
    nm_mode mode = strcmp(g->mode, "train") == 0 ? NM_TRAIN : NM_EVAL;
    nm_plan *plan = NULL;
    nm_request request = {.mode = mode, .batch = g->n, .threads = 2, .gradients = true, .input_gradients = true};
    ck_assert_msg(nm_plan_new(g->net, &request, &plan) == NM_OK, "golden %s: %s", g->name, nm_error_message(g->ctx, 0));
    const real *xs[MAX_INPUTS];
    for (int i = 0; i < g->inputs; i++)
        xs[i] = g->x[i];
    nm_batch batch = {.n = g->n, .x = xs};
    nm_plan_run(plan, &batch, NM_PHASE_FORWARD);
    compare(g, "y", nm_plan_output(plan, g->net->output), true);
    for (int i = 0; i < g->net->params; i++)
        if (g->net->param[i].kind == NM_STATE)
            compare(g, text("%s_after", g->net->param[i].field), nm_param_values(g->net, &g->net->param[i]),
                    mode == NM_TRAIN);
    tensor t;
    ck_assert(read_tensor(g->ctx, g->group, "dy", &t));
    real *dy = nm_alloc(g->ctx, t.count, sizeof *dy);
    narrow(&t, dy);
    batch.dy = dy;
    nm_plan_run(plan, &batch, NM_PHASE_LOSS | NM_PHASE_BACKWARD);
    for (int i = 0; i < g->inputs; i++)
        compare(g, text("dx%d", i), nm_plan_output_gradient(plan, i), true);
    for (int i = 0; i < g->net->params; i++)
        if (g->net->param[i].kind != NM_STATE)
            compare(g, text("d%s", g->net->param[i].field), nm_plan_gradients(plan) + g->net->param[i].offset, true);
    nm_free(dy);
    nm_free(t.values);
    nm_plan_free(plan);
}

static herr_t each_case(hid_t file, const char *name, const H5L_info_t *info, void *arg)
{
    (void)info;
    int *cases = arg;
    golden g = {.ctx = nm_context_new(), .group = H5Gopen2(file, name, H5P_DEFAULT), .name = name};
    read_text(g.group, "layer", g.layer, sizeof g.layer);
    read_text(g.group, "mode", g.mode, sizeof g.mode);
    build_case(&g);
    load_params(&g);
    run_case(&g);
    for (int i = 0; i < g.inputs; i++)
        nm_free(g.x[i]);
    nm_network_free(g.net);
    nm_context_free(g.ctx);
    H5Gclose(g.group);
    ++*cases;
    return 0;
}

void check_golden(const char *name)
{
    const char *folder = getenv("NORMA_GOLDEN");
    const char *path = text("%s/%s.h5", folder ? folder : "tests/golden", name);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_msg(file >= 0, "%s cannot be opened (NORMA_GOLDEN names its folder)", path);
    int cases = 0;
    H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, each_case, &cases);
    H5Fclose(file);
    ck_assert_int_gt(cases, 0);
}
