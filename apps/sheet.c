/* Sheets as gnuplot scripts. */
#include "sheet.h"
#include "gnuplot.h"
#include "timing.h"

#include <math.h>
#include <stdlib.h>

static int columns_of(int count)
{
    int columns = (int)ceil(sqrt((double)count));
    return columns < 1 ? 1 : columns;
}

static real tile_value(const tiles *t, int tile, int y, int x)
{
    return t->data[(size_t)tile * t->tile_step + (size_t)(y * t->w + x) * t->pixel_step];
}

static void tile_range(const tiles *t, int tile, double *least, double *most)
{
    *least = INFINITY;
    *most = -INFINITY;
    for (int i = 0; i < t->h * t->w; i++) {
        double v = (double)tile_value(t, tile, i / t->w, i % t->w);
        *least = fmin(*least, v);
        *most = fmax(*most, v);
    }
    if (t->symmetric) {
        *most = fmax(fabs(*least), fabs(*most));
        *least = -*most;
    }
    if (!(*most > *least))
        *most = *least + 1;
}

/* A point of the picture: `share` 0 to 1 from black to white, or from blue over white to red. */
static void put_colour(FILE *f, int x, int y, double share, bool symmetric)
{
    static const double blue[3] = {33, 102, 172}, white[3] = {247, 247, 247}, red[3] = {178, 24, 43};
    fprintf(f, "%d %d", x, y);
    for (int c = 0; c < 3; c++) {
        double away = fabs(2 * share - 1), end = share < 0.5 ? blue[c] : red[c];
        fprintf(f, " %.0f", symmetric ? white[c] + away * (end - white[c]) : 255 * share);
    }
    fputc('\n', f);
}

void sheet_tiles(FILE *f, int number, const char *title, const tiles *t)
{
    int columns = columns_of(t->count), rows = (t->count + columns - 1) / columns, gap = t->w > 12 ? 2 : 1;
    fprintf(f, "$tiles%d << END\n", number);
    for (int y = 0; y < rows * (t->h + gap) - gap; y++) {
        for (int x = 0; x < columns * (t->w + gap) - gap; x++) {
            int tile = y / (t->h + gap) * columns + x / (t->w + gap), ty = y % (t->h + gap), tx = x % (t->w + gap);
            double least, most;
            if (tile >= t->count || ty >= t->h || tx >= t->w) {
                fprintf(f, "%d %d 255 255 255\n", x, y);
                continue;
            }
            tile_range(t, tile, &least, &most);
            put_colour(f, x, y, ((double)tile_value(t, tile, ty, tx) - least) / (most - least), t->symmetric);
        }
    }
    fprintf(f, "END\nset title ");
    put_label(f, title);
    fprintf(f, "\nset yrange [%g:-0.5]\nset xrange [-0.5:%g]\nset size ratio -1\nunset key\nset border 0\n",
            rows * (t->h + gap) - gap - 0.5, columns * (t->w + gap) - gap - 0.5);
    fprintf(f, "set xtics scale 0 (");
    for (int c = 0; c < columns; c++)
        fprintf(f, "%s'%d' %g", c ? ", " : "", c, c * (t->w + gap) + (t->w - 1) / 2.0);
    fprintf(f, ")\nset ytics scale 0 (");
    for (int r = 0; r < rows; r++)
        fprintf(f, "%s'%d' %g", r ? ", " : "", r * columns, r * (t->h + gap) + (t->h - 1) / 2.0);
    fprintf(f, ")\nplot $tiles%d using 1:2:3:4:5 with rgbimage\n", number);
}

static void plain_axes(FILE *f, const char *title, int h, int w)
{
    fprintf(f, "set title ");
    put_label(f, title);
    fprintf(f,
            "\nset yrange [%g:-0.5]\nset xrange [-0.5:%g]\nunset colorbox\nset size ratio -1\nunset key\nset border 0\n"
            "set xtics scale 0 autofreq\nset ytics scale 0 autofreq\n",
            h - 0.5, w - 0.5);
}

void sheet_image(FILE *f, int number, const char *title, nm_shape s, const real *data)
{
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < nm_shape_size(s); i++) {
        least = fmin(least, (double)data[i]);
        most = fmax(most, (double)data[i]);
    }
    if (!(most > least))
        most = least + 1;
    fprintf(f, "$image%d << END\n", number);
    for (int y = 0; y < s.h; y++)
        for (int x = 0; x < s.w; x++) {
            fprintf(f, "%d %d", x, y);
            for (int c = 0; c < 3; c++)
                fprintf(f, " %.0f",
                        255 * ((double)data[(y * s.w + x) * s.c + (s.c >= 3 ? c : 0)] - least) / (most - least));
            fputc('\n', f);
        }
    fprintf(f, "END\n");
    plain_axes(f, title, s.h, s.w);
    fprintf(f, "plot $image%d using 1:2:3:4:5 with rgbimage\n", number);
}

void sheet_heat(FILE *f, int number, const char *title, int h, int w, const double *values, const double box[4])
{
    double most = 0;
    for (int i = 0; i < h * w; i++)
        most = fmax(most, values[i]);
    fprintf(f, "$heat%d << END\n", number);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++)
            fprintf(f, "%.4f ", most > 0 ? values[y * w + x] / most : 0);
        fputc('\n', f);
    }
    fprintf(f, "END\n");
    plain_axes(f, title, h, w);
    fprintf(
        f,
        "set cbrange [0:1]\nset palette defined (0 '#000004', 0.25 '#57106e', 0.5 '#bc3754', 0.75 '#f98e09', 1 '#fcffa4')\n"
        "set object 1 rectangle from %g,%g to %g,%g front fillstyle empty border rgb '#56B4E9' lw 2\n",
        box[0], box[1], box[0] + box[2], box[1] + box[3]);
    fprintf(f, "plot $heat%d matrix with image\nunset object 1\n", number);
}

void sheet_spreads(FILE *f, int number, const char *title, const char *label, const spread *s, int count,
                   bool logarithmic)
{
    int every = (count + 39) / 40;
    fprintf(f, "$spread%d << END\n", number);
    for (int i = 0; i < count; i++)
        fprintf(f, "%d %.6g %.6g %.6g %.6g %.6g\n", i, s[i].of[0], s[i].of[1], s[i].of[2], s[i].of[3], s[i].of[4]);
    fprintf(f, "END\nset title ");
    put_label(f, title);
    fprintf(f, "\nset ylabel ");
    put_label(f, label);
    fprintf(
        f,
        "\nset xrange [-0.7:%g]\nset yrange [*:*]\nset size noratio\nunset key\nset border 3\n%s\nset grid ytics lc rgb "
        "'#cccccc'\nset ytics nomirror scale 0.5 autofreq\nset boxwidth 0.5\nset style fill solid 0.3\nset xtics scale 0 nomirror "
        "rotate by 45 right (",
        count - 0.3, logarithmic ? "set logscale y\nset format y '%.0e'" : "unset logscale y\nset format y '%g'");
    for (int i = 0; i < count; i += every) {
        fprintf(f, "%s", i ? ", " : "");
        put_label(f, s[i].name);
        fprintf(f, " %d", i);
    }
    fprintf(f,
            ")\nplot $spread%d using 1:3:2:6:5 with candlesticks lc rgb '#0072B2' whiskerbars 0.5, $spread%d using "
            "1:4:4:4:4 with candlesticks lc rgb '#D55E00' lw 2\nunset logscale y\nunset grid\nunset ylabel\n",
            number, number);
}

void take_spread(const real *values, size_t count, bool magnitudes, double of[5])
{
    static const double share[5] = {0.05, 0.25, 0.5, 0.75, 0.95};
    enum { MOST = 200000 };
    size_t step = count > MOST ? count / MOST : 1, used = 0;
    double *sorted = malloc((count / step + 1) * sizeof *sorted);
    for (int k = 0; k < 5; k++)
        of[k] = (double)NAN;
    if (!sorted)
        return;
    for (size_t i = 0; i < count; i += step) {
        double v = magnitudes ? fabs((double)values[i]) : (double)values[i];
        if (isfinite(v) && !(magnitudes && v == 0))
            sorted[used++] = v;
    }
    qsort(sorted, used, sizeof *sorted, ascending);
    for (int k = 0; k < 5 && used; k++)
        of[k] = sorted[(size_t)(share[k] * (double)(used - 1) + 0.5)];
    free(sorted);
}
