/* The roofline picture (Williams, Waterman, Patterson 2009): GFLOP/s of each layer's pass against
 * its operations for each byte, under what memory and the matrix product allow. */
#include "roofline.h"
#include "alloc.h"
#include "bench.h"
#include "characters.h"
#include "clock.h"
#include "csv.h"
#include "gnuplot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- points -------------------------------------------------------------------------------- */

static const struct {
    const char *name, *colour;
    int filled, open; /* gnuplot's point types for forward and backward */
} kinds[] = {
    {"conv 3x3", "#0072B2", 7, 6},
    {"conv 1x1", "#D55E00", 5, 4},
    {"conv of other size", "#A66A00", 15, 14},
    {"depthwise conv", "#009E73", 9, 8},
    {"dense", "#000000", 13, 12},
    {"normalisation", "#B5358C", 11, 10},
    {"pool, activation, add", "#666666", 7, 6},
};
enum { CONV_3X3, CONV_1X1, CONV_OTHER, DEPTHWISE, DENSE, NORM, OTHER, KINDS };

static int kind_of(const nm_network *net, const nm_node *node)
{
    if (strstr(node->type->name, "norm"))
        return NORM;
    if (nm_node_cost(node) == 0)
        return OTHER;
    for (int k = 0; k < node->params; k++) {
        const nm_param *p = &net->param[node->first_param + k];
        if (p->rank != 4) /* HWIO */
            continue;
        if (p->dims[2] == 1 && node->in[0].c > 1)
            return DEPTHWISE;
        return p->dims[0] == 3 && p->dims[1] == 3   ? CONV_3X3
               : p->dims[0] == 1 && p->dims[1] == 1 ? CONV_1X1
                                                    : CONV_OTHER;
    }
    return DENSE;
}

/* Operations of a pass. Layers without multiply-adds are so far below the roofs' ridge that a rough
 * number does: normalisation takes six a value forward (mean, variance, scale and shift) and eight
 * backward (two sums, and three terms), everything else one for each value that it reads. */
static double flops_of(const bench_layers *l, const bench_layer *layer, bool backward)
{
    const nm_node *node = &l->net->node[layer->node];
    double values = 0;
    if ((backward ? layer->backward.bytes : layer->forward.bytes) == 0)
        return 0;
    for (int k = 0; k < node->inputs; k++)
        values += (double)l->batch * (double)nm_shape_size(node->in[k]);
    if (kind_of(l->net, node) == NORM)
        return (backward ? 8 : 6) * values;
    if (nm_node_cost(node) > 0)
        return backward ? layer->backward.flops : layer->forward.flops;
    return values;
}

static nm_status collect(nm_context *ctx, const bench_layers *l, roofline *r)
{
    int passes = l->mode == NM_TRAIN ? 2 : 1;
    r->point = nm_alloc(ctx, 2 * (size_t)l->count + 1, sizeof *r->point);
    if (!r->point)
        return NM_FAILED;
    for (int k = 0; k < l->count; k++)
        for (int pass = 0; pass < passes; pass++) {
            const bench_pass *p = pass ? &l->layer[k].backward : &l->layer[k].forward;
            const nm_node *node = &l->net->node[l->layer[k].node];
            r->whole += p->seconds;
            r->point[r->points++] = (roofline_point){.name = node->name,
                                                     .type = node->type->name,
                                                     .kind = kind_of(l->net, node),
                                                     .backward = pass,
                                                     .seconds = p->seconds,
                                                     .bytes = p->bytes,
                                                     .flops = flops_of(l, &l->layer[k], pass)};
        }
    for (int i = 0; i < r->points; i++) {
        roofline_point *p = &r->point[i];
        p->x = p->bytes > 0 ? p->flops / p->bytes : 0;
        p->y = p->seconds > 0 ? 1e-9 * p->flops / p->seconds : 0;
        p->drawn = p->x > 0 && p->y > 0 && p->seconds >= 1e-3 * r->whole;
    }
    return NM_OK;
}

/* ---- files --------------------------------------------------------------------------------- */

static void put_csv(FILE *f, const roofline *r)
{
    fprintf(f, "layer,type,pass,seconds,flops,bytes,flops_per_byte,gflops,gemm_peak_gflops,memory_gbytes_per_second\n");
    for (int i = 0; i < r->points; i++) {
        const roofline_point *p = &r->point[i];
        nm_csv_put(f, shown(p->name));
        fprintf(f, ",%s,%s,%.9g,%.0f,%.0f,%.6g,%.6g,%.6g,%.6g\n", p->type, p->backward ? "backward" : "forward",
                p->seconds, p->flops, p->bytes, p->x, p->y, r->peak, r->bandwidth);
    }
}

static int count_of(const roofline *r, int kind, int backward)
{
    int count = 0;
    for (int i = 0; i < r->points; i++)
        count += r->point[i].drawn && r->point[i].kind == kind && (backward < 0 || r->point[i].backward == backward);
    return count;
}

static void put_blocks(FILE *f, const roofline *r)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int pass = 0; pass < 2; pass++) {
            fprintf(f, "$kind%d_pass%d << END\n", kind, pass);
            for (int i = 0; i < r->points; i++)
                if (r->point[i].drawn && r->point[i].kind == kind && r->point[i].backward == pass)
                    fprintf(f, "%.6g %.6g %.3g\n", r->point[i].x, r->point[i].y, roofline_size(r, &r->point[i]));
            fprintf(f, "END\n");
        }
}

static void put_axes(FILE *f, const roofline *r)
{
    fprintf(f, "set logscale xy\nset xrange [%g:%g]\nset yrange [%g:%g]\n", r->range[0][0], r->range[0][1],
            r->range[1][0], r->range[1][1]);
    put_log_ticks(f, 'x', r->range[0]);
    put_log_ticks(f, 'y', r->range[1]);
    fprintf(f, "set xlabel 'operations for each byte that the pass has to read or write'\n"
               "set ylabel 'effective GFLOP/s (counted as if summed directly)'\nset title ");
    put_wrapped(f, r->title, (int)(0.9 * ROOFLINE_WIDTH / LETTER));
    fprintf(f,
            "\nset grid lt 1 lc rgb '#cccccc'\nset border 3\nset tics nomirror\nset lmargin screen %g\n"
            "set rmargin screen %g\nset bmargin screen %g\nset tmargin screen %g\n"
            "set key at screen 0.5,0.01 center bottom maxrows 4 Left reverse samplen 2\n",
            ROOFLINE_LEFT, ROOFLINE_RIGHT, ROOFLINE_BOTTOM, ROOFLINE_TOP);
}

/* The areas above the roofs, and the roofs. */
static void put_roofs(FILE *f, const roofline *r)
{
    fprintf(f,
            "plot '+' using 1:(peak):(%g) with filledcurves fc rgb '#d9e6f2' title "
            "'above matrix product: Winograd', \\\n"
            "     '+' using 1:(bandwidth * $1 < peak ? bandwidth * $1 : NaN):(peak) with filledcurves "
            "fc rgb '#f3e8d6' title 'above memory: values in a cache', \\\n"
            "     peak with lines lw 1 lc rgb '#777777' notitle, \\\n"
            "     '+' using 1:(bandwidth * $1 < peak ? bandwidth * $1 : peak) with lines lw 2.5 lc rgb '#000000' "
            "notitle",
            r->range[1][1]);
}

/* The points, and what their shapes mean. */
static void put_points(FILE *f, const roofline *r)
{
    for (int kind = 0; kind < KINDS; kind++) {
        if (count_of(r, kind, -1) == 0)
            continue;
        for (int pass = 0; pass < 2; pass++)
            if (count_of(r, kind, pass))
                fprintf(f,
                        ", \\\n     $kind%d_pass%d using 1:2:3 with points pt %d ps variable lw 1.6 lc rgb '%s' "
                        "notitle",
                        kind, pass, pass ? kinds[kind].open : kinds[kind].filled, kinds[kind].colour);
        fprintf(f, ", \\\n     NaN with points pt %d ps 1.4 lc rgb '%s' title '%s'", kinds[kind].filled,
                kinds[kind].colour, kinds[kind].name);
    }
    fprintf(f, ", \\\n     NaN with points pt 7 ps 1.4 lc rgb '#444444' title 'filled: forward'");
    if (r->passes == 2)
        fprintf(f, ", \\\n     NaN with points pt 6 ps 1.4 lw 1.6 lc rgb '#444444' title 'open: backward'");
    fprintf(f, ", \\\n     NaN with points pt 7 ps 2.4 lc rgb '#444444' title 'larger: takes more time'\n");
}

static void put_script(FILE *f, const roofline *r)
{
    fprintf(f, "# Roofline of a network's layers. 'gnuplot FILE.gp' draws it again.\n");
    put_prefix(f);
    fprintf(f, "peak = %.6g # GFLOP/s\nbandwidth = %.6g # GB/s\n", r->peak, r->bandwidth);
    put_blocks(f, r);
    put_axes(f, r);
    roofline_put_labels(f, r);
    fprintf(f,
            "set samples 1000\ndo for [picture = 1:2] {\n"
            "if (picture == 1) { set terminal pngcairo noenhanced size %d,%d font 'Sans,12'; set output "
            "prefix.'.png' }\n"
            "if (picture == 2) { set terminal svg noenhanced size %d,%d font 'Sans,12' background 'white'; set output "
            "prefix.'.svg' }\n",
            ROOFLINE_WIDTH, ROOFLINE_HEIGHT, ROOFLINE_WIDTH, ROOFLINE_HEIGHT);
    put_roofs(f, r);
    put_points(f, r);
    fprintf(f, "set output\n}\n");
}

static nm_status write_file(nm_context *ctx, const char *prefix, const char *ending, const roofline *r,
                            void (*put)(FILE *f, const roofline *r))
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return nm_fail_memory(ctx, 0);
    put(f, r);
    fclose(f);
    nm_status status = plot_write(ctx, prefix, ending, text, size);
    free(text);
    return status;
}

nm_status write_roofline(nm_context *ctx, const char *prefix, const bench_layers *layers, double peak, int threads,
                         bool *drawn)
{
    roofline r = {.peak = peak, .passes = layers->mode == NM_TRAIN ? 2 : 1};
    *drawn = false;
    NM_TRY(bench_bandwidth(ctx, threads, &r.bandwidth));
    nm_status status = collect(ctx, layers, &r);
    snprintf(r.title, sizeof r.title, "%s: a step of %s, %d sample%s, %d thread%s", layers->net->name,
             r.passes == 2 ? "training" : "evaluation", layers->batch, layers->batch == 1 ? "" : "s", threads,
             threads == 1 ? "" : "s");
    if (status == NM_OK) {
        roofline_arrange(&r);
        status = write_file(ctx, prefix, "csv", &r, put_csv);
    }
    if (status == NM_OK)
        status = write_file(ctx, prefix, "gp", &r, put_script);
    if (status == NM_OK)
        status = plot_draw(ctx, prefix, drawn);
    nm_free(r.point);
    return status;
}
