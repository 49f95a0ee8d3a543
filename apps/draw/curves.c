/* Curves through gnuplot: a script that holds the data, so that it can be drawn again anywhere. */
#include "curves.h"

#include "alloc.h"
#include "gnuplot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the panels ---------------------------------------------------------------------------- */

/* The curve of one column: the test split thick and with markers, training thin and pale. */
static void put_curve(FILE *f, const variant *v, int i, int x, int column, double scale, bool styles, bool train)
{
    int rows = v[i].rows.rows, values = count_values(&v[i], 1, column);
    bool marked = values < 2 || (!train && (styles || rows <= 60));
    fprintf(f, "$run%d using %d:(column(%d) * %g) with %s", i, x + 1, column + 1, scale,
            values < 2 ? "points"
            : marked   ? "linespoints"
                       : "lines");
    if (marked)
        fprintf(f, " pt %d ps %g", marker_of(&v[i]), values < 2 ? 1.2 : styles ? 0.8 : 0.5);
    if (values >= 2)
        fprintf(f, " lw %g dt %d", train ? 1.2 : 2.0, dash_of(&v[i]));
    if (values >= 2 && marked && rows > 60)
        fprintf(f, " pi %d", rows / 12);
    fprintf(f, " lc rgb '#%s%s' notitle", train ? "80" : "", colour_of(&v[i]) + 1);
}

static void widen(double range[2], const double by[2])
{
    range[0] = fmin(range[0], by[0]);
    range[1] = fmax(range[1], by[1]);
}

/* The steps or seconds: from 0 on, or from the first row where that is far from it. */
static void put_x_axis(FILE *f, const variant *v, int count, int x)
{
    double range[2] = {INFINITY, -INFINITY}, own[2];
    for (int i = 0; i < count; i++) { /* those that diverged too */
        find_range(&v[i], 1, x, own);
        widen(range, own);
    }
    double from = range[0] > 0.7 * range[1] && range[0] < range[1] ? range[0] : 0;
    fprintf(f, "set xrange [%.9g:%.9g]\nset xlabel '%s'\n", from,
            range[1] > from ? range[1] + 0.02 * (range[1] - from) : from + 1, x == COL_STEP ? "steps" : "seconds");
}

void put_y_axis(FILE *f, const double values[2], bool may_be_logarithmic)
{
    double range[2] = {values[0], values[1]};
    if (may_be_logarithmic && range[0] > 0 && range[1] > 10 * range[0]) {
        range[0] /= 1.1;
        range[1] *= 1.1;
        fprintf(f, "set logscale y\n");
        put_log_ticks(f, 'y', range);
    } else {
        round_range(range);
        fprintf(f, "unset logscale y\nset ytics autofreq\n");
    }
    fprintf(f, "set yrange [%.9g:%.9g]\n", range[0], range[1]);
}

/* The range of accuracy in %, without the first tenth of the steps: the steep beginning must not
 * flatten the rest. */
static void find_accuracy_range(const variant *v, int count, double range[2])
{
    double steps[2];
    find_range(v, count, COL_STEP, steps);
    range[0] = INFINITY;
    range[1] = -INFINITY;
    for (int i = 0; i < count; i++)
        for (int r = 0; r < v[i].rows.rows; r++)
            for (int train = 0; train < 2; train++) {
                const double *row = v[i].rows.row[r];
                double value = 100 * row[train ? COL_TRAIN_ACCURACY : COL_TEST_ACCURACY];
                bool early = row[COL_STEP] < steps[1] / 10 && v[i].rows.rows > 2;
                if (isfinite(value) && !early)
                    widen(range, (double[]){value, value});
            }
    if (range[0] < 20 || range[0] >= range[1])
        range[0] = 0;
    round_range(range);
    range[1] = fmin(range[1], 100);
}

/* One panel: `test` and `train` against `x`. */
static void put_panel(FILE *f, const variant *v, int count, int x, int test, int train, double scale)
{
    const char *comma = "plot ";
    bool styles = false;
    put_x_axis(f, v, count, x);
    for (int i = 0; i < count; i++)
        styles = styles || v[i].style > 0;
    for (int pass = 0; pass < 2; pass++) /* the test split's curves lie over training's */
        for (int i = 0; i < count; i++) {
            int column = pass ? test : train;
            if (count_values(&v[i], 1, column) == 0)
                continue;
            fputs(comma, f);
            put_curve(f, v, i, x, column, scale, styles, !pass);
            comma = ", \\\n     ";
        }
    fprintf(f, "%s\n", comma[0] == 'p' ? "plot NaN notitle" : "");
}

static const char *kinds_of(const variant *v, int count, int test, int train)
{
    bool tests = count_values(v, count, test) > 0, trains = count_values(v, count, train) > 0;
    return tests && trains ? "thick: test, thin: training" : tests ? "test" : trains ? "training" : "no finite value";
}

static bool has_accuracy(const variant *v, int count)
{
    return count_values(v, count, COL_TEST_ACCURACY) + count_values(v, count, COL_TRAIN_ACCURACY) > 0;
}

/* After the first panel the header's labels must not be drawn again. */
static const char clear_header[] = "unset label\nunset arrow\n";

static void put_curves(FILE *f, const variant *v, int count)
{
    static const int axes[] = {COL_STEP, COL_SECONDS};
    for (int a = 0; a < 2; a++) {
        double range[2], test[2];
        if (has_accuracy(v, count)) {
            fprintf(f, "set ylabel 'accuracy, %%'\nset title 'accuracy (%s)'\n",
                    kinds_of(v, count, COL_TEST_ACCURACY, COL_TRAIN_ACCURACY));
            find_accuracy_range(v, count, range);
            fprintf(f, "unset logscale y\nset ytics autofreq\nset yrange [%g:%g]\n", range[0], range[1]);
            put_panel(f, v, count, axes[a], COL_TEST_ACCURACY, COL_TRAIN_ACCURACY, 100);
            fputs(clear_header, f);
        }
        fprintf(f, "set ylabel 'loss'\nset title 'loss (%s)'\n", kinds_of(v, count, COL_TEST_LOSS, COL_TRAIN_LOSS));
        find_range(v, count, COL_TRAIN_LOSS, range);
        find_range(v, count, COL_TEST_LOSS, test);
        widen(range, test);
        if (!(range[0] <= range[1]))
            range[0] = range[1] = 0;
        put_y_axis(f, range, true);
        put_panel(f, v, count, axes[a], COL_TEST_LOSS, COL_TRAIN_LOSS, 1);
        fputs(clear_header, f);
    }
}

static char *unit_title(const variant *v, int u, char text[1024])
{
    snprintf(text, 1024, "%s: input of %s, percentiles 15, 50, 85", v->name, v->unit[u].name);
    return text;
}

enum { PANEL = 450, FOOT = 64, TITLE_LETTERS = 62 }; /* pixels of a panel and below it; letters of its title */

/* The percentiles of what a unit reads: figures 1 (b, c) of Ioffe, Szegedy 2015. All panels share
 * one scale. */
static void put_units(FILE *f, const variant *v, int count)
{
    double range[2] = {INFINITY, -INFINITY};
    char title[1024];
    for (int i = 0; i < count; i++)
        for (int u = 0; u < v[i].units; u++)
            for (int r = 0; r < v[i].unit[u].rows; r++)
                for (int k = 1; k < 4; k++)
                    if (isfinite(v[i].unit[u].row[r][k]))
                        widen(range, (double[]){v[i].unit[u].row[r][k], v[i].unit[u].row[r][k]});
    if (!(range[0] <= range[1]))
        return;
    round_range(range);
    fprintf(f, "unset logscale y\nset ytics autofreq\nset ylabel 'value'\nset yrange [%g:%g]\n", range[0], range[1]);
    put_x_axis(f, v, count, COL_STEP);
    for (int i = 0; i < count; i++)
        for (int u = 0; u < v[i].units; u++) {
            const char *colour = colour_of(&v[i]);
            fprintf(f, "set title ");
            put_wrapped(f, unit_title(&v[i], u, title), TITLE_LETTERS);
            fprintf(f,
                    "\nplot $run%d_unit%d using 1:2:4 with filledcurves fc rgb '%s' fs transparent solid 0.25 notitle, "
                    "'' using 1:3 with lines lw 2 lc rgb '%s' notitle, '' using 1:2 with lines lc rgb '%s' "
                    "notitle, '' using 1:4 with lines lc rgb '%s' notitle\n",
                    i, u, colour, colour, colour, colour);
        }
}

static int count_panels(const variant *v, int count, int *title_lines)
{
    int panels = has_accuracy(v, count) ? 4 : 2, longest;
    char title[1024];
    *title_lines = 1;
    for (int i = 0; i < count; i++)
        for (int u = 0; u < v[i].units; u++) {
            int lines = count_wrapped(unit_title(&v[i], u, title), TITLE_LETTERS, &longest);
            *title_lines = lines > *title_lines ? lines : *title_lines;
            panels++;
        }
    return panels;
}

static void put_script(FILE *f, const variant *v, int count, const char *title)
{
    int lines, rows = (count_panels(v, count, &lines) + 1) / 2, above = 14 + 22 * lines;
    header s = plan_header(v, count, title);
    int height = s.height + PANEL * rows;
    fprintf(f, "# Curves of training. 'gnuplot FILE.gp' draws them again.\n");
    put_prefix(f);
    fprintf(f, "set datafile missing 'nan'\n");
    put_blocks(f, v, count);
    fprintf(
        f,
        "set grid lc rgb '#cccccc'\nset border 3\nset tics nomirror\nunset key\nset format x '%%.12g'\n"
        "do for [picture = 1:2] {\n"
        "if (picture == 1) { set terminal pngcairo noenhanced size %d,%d font 'Sans,12'; set output prefix.'.png' }\n"
        "if (picture == 2) { set terminal svg noenhanced size %d,%d font 'Sans,12' background 'white'; set output "
        "prefix.'.svg' }\n"
        "set multiplot layout %d,2 rowsfirst margins 0.065,0.98,%g,%g spacing 0.08,%g\n",
        CURVES_WIDTH, height, CURVES_WIDTH, height, rows, (double)FOOT / height,
        1 - (double)(s.height + above) / height, (double)(FOOT + above) / height);
    put_header(f, v, count, &s, height);
    put_curves(f, v, count);
    put_units(f, v, count);
    fprintf(f, "unset multiplot\nset output\n}\n");
}

/* ---- writing and drawing ------------------------------------------------------------------- */

static nm_status write_text(nm_context *ctx, const char *prefix, const char *ending, const variant *v, int count,
                            const char *title)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return nm_fail_memory(ctx, 0);
    if (strcmp(ending, "csv") == 0)
        put_csv(f, v, count);
    else
        put_script(f, v, count, title);
    fclose(f);
    nm_status status = plot_write(ctx, prefix, ending, text, size);
    free(text);
    return status;
}

nm_status write_curves(nm_context *ctx, const char *prefix, const curve *curves, int count, bool *drawn)
{
    variant *v;
    char *title;
    *drawn = false;
    NM_TRY(open_variants(ctx, curves, count, &v));
    nm_status status = style_variants(ctx, v, count, &title);
    if (status == NM_OK)
        status = write_text(ctx, prefix, "csv", v, count, title);
    if (status == NM_OK)
        status = write_text(ctx, prefix, "gp", v, count, title);
    nm_free(title);
    close_variants(v, count);
    NM_TRY(status);
    return plot_draw(ctx, prefix, drawn);
}
