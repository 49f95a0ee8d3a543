/* Curves as text. */
#include "alloc.h"
#include "characters.h"
#include "curves.h"
#include "gnuplot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Letters of the runs' points; more runs than letters begin again. */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static char letter_of(int run)
{
    return letters[run % (int)(sizeof letters - 1)];
}

/* The terminal's columns, or 100 where stdout is none. */
static int find_width(void)
{
    struct winsize w = {0};
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
        return 100;
    return w.ws_col < 30 ? 30 : w.ws_col > 160 ? 160 : w.ws_col;
}

/* Black is no colour for a dark terminal. */
static const char *terminal_colour(const variant *v)
{
    return strcmp(colour_of(v), "#000000") == 0 ? "#999999" : colour_of(v);
}

/* The column that is drawn of a run: the test split's, or training's where that was never measured.
 */
static int choose_column(const variant *v, int test, int train)
{
    return count_values(v, 1, test) ? test : train;
}

/* The range of what is drawn; runs that diverged count where no other has a value. How many runs
 * are drawn. */
static int find_panel_range(const variant *v, int count, int test, int train, double range[2])
{
    int drawn = 0;
    range[0] = INFINITY;
    range[1] = -INFINITY;
    for (int diverged = 0; diverged < 2; diverged++)
        for (int i = 0; i < count; i++) {
            double own[2];
            int column = choose_column(&v[i], test, train);
            if (v[i].diverged != diverged || count_values(&v[i], 1, column) == 0)
                continue;
            drawn++;
            if (diverged && drawn > 1)
                continue;
            find_range(&v[i], 1, column, own);
            range[0] = fmin(range[0], own[0]);
            range[1] = fmax(range[1], own[1]);
        }
    return drawn;
}

static void put_panel(FILE *f, const variant *v, int count, const char *what, int test, int train, double scale)
{
    double range[2], steps[2];
    int tests = 0, drawn = find_panel_range(v, count, test, train, range);
    const char *comma = "plot ";
    for (int i = 0; i < count; i++)
        tests += count_values(&v[i], 1, test) > 0;
    if (!drawn)
        return;
    range[0] *= scale;
    range[1] *= scale;
    find_range(v, count, COL_STEP, steps);
    fprintf(f, "set title '%s %s'\nset xrange [0:%g]\n",
            tests == drawn ? "test"
            : tests        ? "test (training where there is no test)"
                           : "training",
            what, fmax(1, steps[1]));
    put_y_axis(f, range, scale == 1);
    for (int i = 0; i < count; i++) {
        int column = choose_column(&v[i], test, train), values = count_values(&v[i], 1, column);
        if (!values)
            continue;
        fprintf(f, "%s$run%d using 2:(column(%d) * %g) with %s lt %d lc rgb '%s' notitle", comma, i, column + 1, scale,
                values == 1 ? "points pt '*'" : "lines", i + 1, terminal_colour(&v[i]));
        comma = ", ";
        if (count > 1)
            fprintf(f, ", '' using 2:(column(%d) * %g) every %d with points pt '%c' lc rgb '%s' notitle", column + 1,
                    scale, (v[i].rows.rows + 14) / 15, letter_of(i), terminal_colour(&v[i]));
    }
    fprintf(f, "\n");
}

static void put_terminal(FILE *f, const variant *v, int count)
{
    bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    fprintf(f, "set terminal dumb noenhanced %s size %d,24\n", colour ? "ansi256" : "mono", find_width());
    put_blocks(f, v, count);
    fprintf(f, "set xlabel 'steps'\nset border 3\nset tics nomirror\nset format x '%%.12g'\n");
    put_panel(f, v, count, "accuracy, %", COL_TEST_ACCURACY, COL_TRAIN_ACCURACY, 100);
    put_panel(f, v, count, "loss", COL_TEST_LOSS, COL_TRAIN_LOSS, 1);
}

static void print_key(const variant *v, int count, const char *common)
{
    if (common)
        printf("%s\n", shown(common));
    for (int i = 0; i < count && count > 1; i++)
        printf("%c  %s%s\n", letter_of(i), shown(v[i].name), state_of(&v[i]));
}

nm_status draw_on_terminal(nm_context *ctx, const curve *curves, int count)
{
    variant *v;
    char *text = NULL, *common;
    size_t size = 0;
    NM_TRY(open_variants(ctx, curves, count, &v));
    nm_status status = style_variants(ctx, v, count, &common);
    FILE *f = status == NM_OK ? open_memstream(&text, &size) : NULL;
    if (f) {
        put_terminal(f, v, count);
        fclose(f);
        status = gnuplot_status(ctx, gnuplot_run(NULL, text));
    }
    if (status == NM_OK && text)
        print_key(v, count, common);
    free(text);
    nm_free(common);
    close_variants(v, count);
    return text ? status : status == NM_OK ? nm_fail_memory(ctx, 0) : status;
}
