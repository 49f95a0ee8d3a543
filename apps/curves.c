/* Curves through gnuplot: a script that holds the data, so that it can be drawn again anywhere. */
#include "alloc.h"
#include "command.h"
#include "gnuplot.h"
#include "table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

typedef struct variant {
    const curve *of;
    table rows;
    int units;
    watched *unit;
} variant;

/* ---- the data ------------------------------------------------------------------------------------ */

static void close_variants(variant *v, int count)
{
    for (int i = 0; v && i < count; i++) {
        free_table(&v[i].rows);
        free_watched(v[i].unit, v[i].units);
    }
    nm_free(v);
}

/* Whether a column has a measured value. */
static bool any(const variant *v, int count, int column)
{
    for (int i = 0; i < count; i++)
        for (int r = 0; r < v[i].rows.rows; r++)
            if (isfinite(v[i].rows.row[r][column]))
                return true;
    return false;
}

static nm_status open_variants(nm_context *ctx, const curve *curves, int count, variant **out)
{
    variant *v = nm_alloc(ctx, (size_t)count + 1, sizeof *v);
    nm_status status = v ? NM_OK : NM_FAILED;
    for (int i = 0; i < count && status == NM_OK; i++) {
        v[i].of = &curves[i];
        status = read_metrics(ctx, curves[i].run, &v[i].rows);
        if (status == NM_OK)
            status = read_watched(ctx, curves[i].run, &v[i].unit, &v[i].units);
    }
    if (status == NM_OK && !any(v, count, COL_STEP))
        status = nm_fail(ctx, NM_INVALID, "%s: nothing to draw yet: metrics.csv has no row", curves[0].run);
    if (status != NM_OK) {
        close_variants(v, count);
        v = NULL;
    }
    *out = v;
    return status;
}

static void put_csv(FILE *f, const variant *v, int count)
{
    fprintf(f, "variant,%s\n", metrics_header);
    for (int i = 0; i < count; i++)
        for (const char *line = v[i].rows.text; line && *line; line += strcspn(line, "\n") + 1) {
            if (strchr(v[i].of->label, ','))
                put_quoted(f, '"', v[i].of->label);
            else
                fputs(v[i].of->label, f);
            fprintf(f, ",%.*s\n", (int)strcspn(line, "\n"), line);
        }
}

static void put_blocks(FILE *f, const variant *v, int count)
{
    for (int i = 0; i < count; i++) {
        fprintf(f, "$run%d << END\n", i);
        for (int r = 0; r < v[i].rows.rows; r++)
            for (int c = 0; c < COLUMNS; c++)
                fprintf(f, "%.9g%c", v[i].rows.row[r][c], c + 1 < COLUMNS ? ' ' : '\n');
        fprintf(f, "END\n");
        for (int u = 0; u < v[i].units; u++) {
            fprintf(f, "$run%d_unit%d << END\n", i, u);
            for (int r = 0; r < v[i].unit[u].rows; r++)
                fprintf(f, "%.0f %.9g %.9g %.9g\n", v[i].unit[u].row[r][0], v[i].unit[u].row[r][1],
                        v[i].unit[u].row[r][2], v[i].unit[u].row[r][3]);
            fprintf(f, "END\n");
        }
    }
}

/* ---- the panels ------------------------------------------------------------------------------------ */

/* Colours that colour-blind readers tell apart (Okabe, Ito 2008). */
static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};
enum { COLOURS = sizeof colours / sizeof *colours };

/* Whether the values of a column span more than a factor of ten, so that a logarithmic axis reads better. */
static bool spans_decades(const variant *v, int count, int column)
{
    double least = INFINITY, most = 0;
    for (int i = 0; i < count; i++)
        for (int r = 0; r < v[i].rows.rows; r++) {
            double value = v[i].rows.row[r][column];
            if (!isfinite(value))
                continue;
            least = fmin(least, value);
            most = fmax(most, value);
        }
    return least > 0 && most > 10 * least;
}

/* One panel: the test column solid, the training column thin and dashed, against `x`. */
static void put_panel(FILE *f, const variant *v, int count, int x, int test, int train, double scale)
{
    const char *comma = " ";
    if (!any(v, count, test) && !any(v, count, train)) {
        fprintf(f, "set xrange [0:1]\nset yrange [0:1]\nplot NaN notitle\nset xrange [*:*]\nset yrange [*:*]\n");
        return;
    }
    fprintf(f, "plot");
    for (int pass = 0; pass < 2; pass++) {
        int column = pass ? train : test;
        for (int i = 0; i < count && any(v, count, column); i++) {
            if (!any(&v[i], 1, column)) { /* a run without a measured value */
                if (pass)
                    continue;
                fprintf(f, "%sNaN with lines lw 2 lc rgb '%s' title ", comma, colours[i % COLOURS]);
                put_quoted(f, '\'', v[i].of->label);
                fprintf(f, ".' (diverged)'");
                comma = ", \\\n     ";
                continue;
            }
            fprintf(f, "%s$run%d using %d:(column(%d) * %g) with %s lw %d dt %d pt 7 ps 0.4 lc rgb '%s' %s", comma, i,
                    x + 1, column + 1, scale,
                    v[i].rows.rows < 2    ? "points"
                    : v[i].rows.rows > 60 ? "lines"
                                          : "linespoints",
                    pass ? 1 : 2, pass ? 2 : 1, colours[i % COLOURS], pass ? "notitle" : "title ");
            if (!pass)
                put_quoted(f, '\'', v[i].of->label);
            comma = ", \\\n     ";
        }
    }
    fprintf(f, "%s NaN notitle\n", comma);
}

/* Where the axis of accuracy starts, in %: below everything after the first tenth of the steps, so that the steep
 * beginning does not flatten the rest. */
static double least_accuracy(const variant *v, int count)
{
    double last = 0, least = 100;
    for (int i = 0; i < count; i++)
        for (int r = 0; r < v[i].rows.rows; r++)
            last = fmax(last, v[i].rows.row[r][COL_STEP]);
    for (int i = 0; i < count; i++)
        for (int r = 0; r < v[i].rows.rows; r++) {
            const double *row = v[i].rows.row[r];
            if (row[COL_STEP] < last / 10 && v[i].rows.rows > 2)
                continue;
            least = isfinite(row[COL_TEST_ACCURACY]) ? fmin(least, 100 * row[COL_TEST_ACCURACY]) : least;
            least = isfinite(row[COL_TRAIN_ACCURACY]) ? fmin(least, 100 * row[COL_TRAIN_ACCURACY]) : least;
        }
    double start = least >= 95 ? floor(least) - 1 : 5 * floor(least / 5);
    return start > 20 ? start : 0;
}

static void put_curves(FILE *f, const variant *v, int count)
{
    static const struct {
        int x;
        const char *label;
    } axes[] = {{COL_STEP, "steps"}, {COL_SECONDS, "seconds"}};
    for (int a = 0; a < 2; a++) {
        fprintf(f, "set xlabel '%s'\nset ylabel 'accuracy, %%'\nset title 'accuracy (solid: test, dashed: training)'\n"
                   "unset logscale y\nset key inside bottom right\nset yrange [%g:100]\n", axes[a].label, least_accuracy(v, count));
        put_panel(f, v, count, axes[a].x, COL_TEST_ACCURACY, COL_TRAIN_ACCURACY, 100);
        fprintf(f, "set yrange [*:*]\nset key inside top right\nset ylabel 'loss'\nset title 'loss (solid: test, dashed: training)'\n%s\n",
                spans_decades(v, count, COL_TEST_LOSS) || spans_decades(v, count, COL_TRAIN_LOSS) ? "set logscale y"
                                                                                                  : "unset logscale y");
        put_panel(f, v, count, axes[a].x, COL_TEST_LOSS, COL_TRAIN_LOSS, 1);
    }
}

/* The percentiles of what a unit reads: figures 1 (b, c) of Ioffe, Szegedy 2015. All panels share one scale. */
static void put_units(FILE *f, const variant *v, int count)
{
    double least = INFINITY, most = -INFINITY;
    for (int i = 0; i < count; i++)
        for (int u = 0; u < v[i].units; u++)
            for (int r = 0; r < v[i].unit[u].rows; r++) {
                least = isfinite(v[i].unit[u].row[r][1]) ? fmin(least, v[i].unit[u].row[r][1]) : least;
                most = isfinite(v[i].unit[u].row[r][3]) ? fmax(most, v[i].unit[u].row[r][3]) : most;
            }
    if (!(least < most))
        return;
    fprintf(f, "unset logscale y\nset xlabel 'steps'\nset ylabel 'value'\nset key inside top left\nset yrange [%g:%g]\n",
            least - 0.05 * (most - least), most + 0.2 * (most - least));
    for (int i = 0; i < count; i++)
        for (int u = 0; u < v[i].units; u++) {
            char title[256];
            snprintf(title, sizeof title, "%s: input of %s, percentiles 15, 50, 85", v[i].of->label, v[i].unit[u].name);
            fprintf(f, "set title ");
            put_quoted(f, '\'', title);
            fprintf(f,
                    "\nplot $run%d_unit%d using 1:2:4 with filledcurves fc rgb '%s' fs transparent solid 0.25 notitle, "
                    "'' using 1:3 with lines lw 2 lc rgb '%s' title 'median', '' using 1:2 with lines lc rgb '%s' "
                    "notitle, '' using 1:4 with lines lc rgb '%s' notitle\n",
                    i, u, colours[i % COLOURS], colours[i % COLOURS], colours[i % COLOURS], colours[i % COLOURS]);
        }
    fprintf(f, "set yrange [*:*]\n");
}

static int panels(const variant *v, int count)
{
    int units = 0;
    for (int i = 0; i < count; i++)
        units += v[i].units;
    return 4 + units;
}

static void put_script(FILE *f, const variant *v, int count)
{
    int rows = (panels(v, count) + 1) / 2;
    fprintf(f, "# Curves of training. 'gnuplot FILE.gp' draws them again.\n"
               "if (!exists('prefix')) prefix = ARG0[1:strlen(ARG0) - 3]\n"
               "set datafile missing 'nan'\n");
    put_blocks(f, v, count);
    fprintf(
        f,
        "set grid lc rgb '#cccccc'\nset border 3\nset tics nomirror\nset format x '%%.12g'\n"
        "do for [picture = 1:2] {\n"
        "if (picture == 1) { set terminal pngcairo noenhanced size 1400,%d font 'Sans,12'; set output prefix.'.png' }\n"
        "if (picture == 2) { set terminal svg noenhanced size 1400,%d font 'Sans,12' background 'white'; set output "
        "prefix.'.svg' }\n"
        "set multiplot layout %d,2 %s margins 0.06,0.97,%g,%g spacing 0.07,%g\n",
        450 * rows, 450 * rows, rows, "rowsfirst", 0.14 / rows, 1 - 0.1 / rows, 0.24 / rows);
    put_curves(f, v, count);
    put_units(f, v, count);
    fprintf(f, "unset multiplot\nset output\n}\n");
}

/* ---- writing and drawing -------------------------------------------------------------------------------- */

typedef void put_function(FILE *f, const variant *v, int count);

static nm_status write_text(nm_context *ctx, const char *prefix, const char *ending, put_function *put,
                            const variant *v, int count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return nm_fail_memory(ctx, 0);
    put(f, v, count);
    fclose(f);
    nm_status status = plot_write(ctx, prefix, ending, text, size);
    free(text);
    return status;
}

nm_status write_curves(nm_context *ctx, const char *prefix, const curve *curves, int count, bool *drawn)
{
    variant *v;
    *drawn = false;
    NM_TRY(open_variants(ctx, curves, count, &v));
    nm_status status = write_text(ctx, prefix, "csv", put_csv, v, count);
    if (status == NM_OK)
        status = write_text(ctx, prefix, "gp", put_script, v, count);
    close_variants(v, count);
    NM_TRY(status);
    return plot_draw(ctx, prefix, drawn);
}

static void put_terminal(FILE *f, const variant *v, int count)
{
    struct winsize w = {0};
    bool screen = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 40;
    fprintf(f, "set terminal dumb noenhanced size %d,%d\nset datafile missing 'nan'\n",
            screen ? (w.ws_col < 160 ? w.ws_col : 160) : 100, 24);
    put_blocks(f, v, count);
    fprintf(f, "set xlabel 'steps'\nset key below\nset border 3\nset tics nomirror\nset format x '%%.12g'\n"
               "set title 'test accuracy, %%'\nplot ");
    for (int pass = 0; pass < 2; pass++) {
        int column = pass ? COL_TEST_LOSS : COL_TEST_ACCURACY;
        for (int i = 0; i < count; i++) {
            if (!any(&v[i], 1, column))
                continue;
            fprintf(f, "$run%d using 2:(column(%d) * %d) with lines title ", i, column + 1, pass ? 1 : 100);
            put_quoted(f, '\'', v[i].of->label);
            fprintf(f, ", ");
        }
        fprintf(f, "NaN notitle\n%s", pass ? "" : "set title 'test loss'\nplot ");
    }
}

nm_status draw_on_terminal(nm_context *ctx, const curve *curves, int count)
{
    variant *v;
    char *text = NULL;
    size_t size = 0;
    NM_TRY(open_variants(ctx, curves, count, &v));
    FILE *f = open_memstream(&text, &size);
    if (f) {
        put_terminal(f, v, count);
        fclose(f);
    }
    close_variants(v, count);
    if (!text)
        return nm_fail_memory(ctx, 0);
    int result = gnuplot_run(NULL, text);
    free(text);
    return gnuplot_status(ctx, result);
}
