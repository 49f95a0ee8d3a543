/* What norma bn-report says: each batch norm against the population. */
#include "bn_report.h"

#include "alloc.h"
#include "characters.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const real *state_of(const nm_network *net, const real *states, int node, const char *field)
{
    for (int i = 0; i < net->node[node].params; i++) {
        const nm_param *p = &net->param[net->node[node].first_param + i];
        if (strcmp(p->field, field) == 0)
            return states + p->offset;
    }
    return NULL;
}

static bool compare_node(const nm_network *net, const real *running, int node, bn_comparison *out)
{
    const real *mean = state_of(net, running, node, "running_mean"), *var = state_of(net, running, node, "running_var");
    if (!mean || !var)
        return false;
    const real *true_mean = state_of(net, net->states, node, "running_mean");
    const real *true_var = state_of(net, net->states, node, "running_var");
    const nm_option *rate = nm_option_find(net->node[node].type->options, "rate");
    int channels = net->node[node].out.c;
    *out = (bn_comparison){.node = node, .var_least = INFINITY};
    out->rate = rate ? *(const double *)(const void *)((const char *)net->node[node].self + rate->offset) : 0;
    for (int c = 0; c < channels; c++) {
        double sd = sqrt((double)true_var[c]), off = fabs((double)mean[c] - (double)true_mean[c]) / (sd > 0 ? sd : 1);
        double ratio = (double)var[c] / ((double)true_var[c] > 0 ? (double)true_var[c] : 1e-30);
        out->mean_off += off / channels;
        out->mean_off_most = fmax(out->mean_off_most, off);
        out->var_least = fmin(out->var_least, ratio);
        out->var_most = fmax(out->var_most, ratio);
    }
    return true;
}

/* How much of the initial values is still in running averages after so many steps. */
static double left_of_start(double rate, uint64_t steps)
{
    return pow(1 - rate, (double)steps);
}

/* ---- printing ------------------------------------------------------------------------------ */

static void print_text(const bn_report *r)
{
    const nm_network *net = r->t->net;
    bool few = false, far = false;
    int width = 24;
    for (int i = 0; i < r->count; i++)
        width = wider(width, net->node[r->of[i].node].name);
    printf("%-*s %6s %24s %26s\n", width, "batch norm", "rate", "mean off (deviations)", "running / population var");
    printf("%-*s %6s %12s %11s %13s %12s\n", width, "", "", "average", "largest", "least", "most");
    for (int i = 0; i < r->count; i++) {
        const bn_comparison *c = &r->of[i];
        const char *name = net->node[c->node].name;
        printf("%-*s %6g %12.4f %11.4f %13.4f %12.4f\n", padded_width(name, width), name, c->rate, c->mean_off,
               c->mean_off_most, c->var_least, c->var_most);
        few = few || left_of_start(c->rate, r->t->step) > 0.01;
        far = far || c->mean_off_most > 0.5 || c->var_least < 0.5 || c->var_most > 2;
    }
    printf("\nloss on the same training batches: %.4f with each batch's own statistics (train mode), %.4f with the "
           "running ones (eval mode)\n",
           r->train_loss, r->eval_loss);
    if (few)
        printf("warning: after %llu steps at this rate the running averages still hold more than 1 %% of their start; "
               "train longer, raise batchnorm's rate, or run norma recalibrate\n",
               (unsigned long long)r->t->step);
    if (far)
        printf("warning: running statistics are far from the population's; norma recalibrate sets them right\n");
    if (!few && !far)
        printf("the running statistics stand for the population\n");
}

static void print_as_json(const bn_report *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->count; i++) {
        const bn_comparison *c = &r->of[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name", r->t->net->node[c->node].name,
                                        "rate", json_number(c->rate), "mean_off", json_number(c->mean_off),
                                        "mean_off_largest", json_number(c->mean_off_most), "var_ratio_least",
                                        json_number(c->var_least), "var_ratio_most", json_number(c->var_most),
                                        "share_of_start", json_number(left_of_start(c->rate, r->t->step))));
    }
    json_t *all = json_pack("{s:o, s:o, s:o, s:I}", "batchnorms", list, "train_mode_loss", json_number(r->train_loss),
                            "eval_mode_loss", json_number(r->eval_loss), "steps", (json_int_t)r->t->step);
    add_trained(all, r->t);
    print_json(all);
}

nm_status bn_report_print(nm_context *ctx, bn_report *r, const real *running, bool json)
{
    const nm_network *net = r->t->net;
    r->of = nm_alloc(ctx, (size_t)net->nodes, sizeof *r->of);
    if (!r->of)
        return NM_FAILED;
    for (int i = net->inputs; i < net->nodes; i++)
        r->count += compare_node(net, running, i, &r->of[r->count]);
    if (json)
        print_as_json(r);
    else
        print_text(r);
    return NM_OK;
}
