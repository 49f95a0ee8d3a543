/* Sheets as gnuplot scripts. */
#include "sheet.h"

#include "gnuplot.h"

#include <math.h>
#include <stdlib.h>

static int columns_of(int count)
{
    int columns = (int)ceil(sqrt((double)count));
    return columns < 1 ? 1 : columns;
}

/* Letters of Sans 11 that a panel's title can hold. */
enum { TITLE_LETTERS = 84, NAME_LETTERS = 24 };

static void put_title(FILE *f, const char *title)
{
    fprintf(f, "set title ");
    put_wrapped(f, title, TITLE_LETTERS);
    fputc('\n', f);
}

static double tile_value(const tiles *t, int tile, int pixel, int c)
{
    return (double)t->data[(size_t)tile * t->tile_step + (size_t)pixel * t->pixel_step + (size_t)c * t->channel_step];
}

/* How many values of the tile have no place in the range. */
static int tile_range(const tiles *t, int tile, double *least, double *most)
{
    int lost = 0;
    *least = INFINITY;
    *most = -INFINITY;
    for (int i = 0; i < t->h * t->w; i++)
        for (int c = 0; c < (t->colours == TILE_RGB ? 3 : 1); c++) {
            double v = tile_value(t, tile, i, c);
            lost += !isfinite(v);
            *least = isfinite(v) ? fmin(*least, v) : *least;
            *most = isfinite(v) ? fmax(*most, v) : *most;
        }
    if (t->colours != TILE_GREY) {
        *most = fmax(fabs(*least), fabs(*most));
        *least = -*most;
    }
    if (!(*most > *least))
        *most = *least + 1;
    return lost;
}

/* A pixel's red, green and blue, from 0 to 255. */
static void put_colour(FILE *f, const tiles *t, int tile, int pixel, const double range[2])
{
    static const double blue[3] = {33, 102, 172}, white[3] = {247, 247, 247}, red[3] = {178, 24, 43};
    static const double magenta[3] = {255, 0, 255};
    for (int c = 0; c < 3; c++) {
        double share = (tile_value(t, tile, pixel, t->colours == TILE_RGB ? c : 0) - range[0]) / (range[1] - range[0]);
        double away = fabs(2 * share - 1), end = share < 0.5 ? blue[c] : red[c];
        double shown = t->colours == TILE_SIGNED ? white[c] + away * (end - white[c]) : 255 * share;
        fprintf(f, " %.0f", isfinite(share) ? shown : magenta[c]);
    }
    fputc('\n', f);
}

int sheet_tiles(FILE *f, int number, const char *title, const tiles *t)
{
    int columns = columns_of(t->count), rows = (t->count + columns - 1) / columns, gap = t->w > 12 ? 2 : 1, lost = 0;
    /* between the tiles: no colour that they have */
    static const char *const between[] = {" 190 205 225\n", " 200 200 200\n", " 255 255 255\n"};
    double range[MOST_TILES][2];
    for (int tile = 0; tile < t->count; tile++)
        lost += tile_range(t, tile, &range[tile][0], &range[tile][1]);
    fprintf(f, "$tiles%d << END\n", number);
    for (int y = 0; y < rows * (t->h + gap) - gap; y++)
        for (int x = 0; x < columns * (t->w + gap) - gap; x++) {
            int tile = y / (t->h + gap) * columns + x / (t->w + gap), ty = y % (t->h + gap), tx = x % (t->w + gap);
            fprintf(f, "%d %d", x, y);
            if (tile >= t->count)
                fprintf(f, " 255 255 255\n");
            else if (ty >= t->h || tx >= t->w)
                fputs(between[t->colours], f);
            else
                put_colour(f, t, tile, ty * t->w + tx, range[tile]);
        }
    fprintf(f, "END\n");
    put_title(f, title);
    fprintf(f, "set yrange [%g:-0.5]\nset xrange [-0.5:%g]\nset size ratio -1\nunset key\nset border 0\n",
            rows * (t->h + gap) - gap - 0.5, columns * (t->w + gap) - gap - 0.5);
    fprintf(f, "set xtics scale 0 (");
    for (int c = 0; c < columns; c++)
        fprintf(f, "%s'%d' %g", c ? ", " : "", c, c * (t->w + gap) + (t->w - 1) / 2.0);
    fprintf(f, ")\nset ytics scale 0 (");
    for (int r = 0; r < rows; r++)
        fprintf(f, "%s'%d' %g", r ? ", " : "", r * columns, r * (t->h + gap) + (t->h - 1) / 2.0);
    fprintf(f, ")\nplot $tiles%d using 1:2:3:4:5 with rgbimage\n", number);
    return lost;
}

static void plain_axes(FILE *f, const char *title, int h, int w)
{
    put_title(f, title);
    fprintf(f,
            "set yrange [%g:-0.5]\nset xrange [-0.5:%g]\nunset colorbox\nset size ratio -1\nunset key\nset border 0\n"
            "set xtics scale 0 autofreq\nset ytics scale 0 autofreq\n",
            h - 0.5, w - 0.5);
}

void sheet_image(FILE *f, int number, const char *title, nm_shape s, const nm_real *data)
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
    fprintf(f, "set cbrange [0:1]\n"
               "set palette defined (0 '#000004', 0.25 '#57106e', 0.5 '#bc3754', 0.75 '#f98e09', 1 '#fcffa4')\n");
    if (box)
        fprintf(f, "set object 1 rectangle from %g,%g to %g,%g front fillstyle empty border rgb '#56B4E9' lw 2\n",
                box[0], box[1], box[0] + box[2], box[1] + box[3]);
    fprintf(f, "plot $heat%d matrix with image\n%s", number, box ? "unset object 1\n" : "");
}

/* The axis of what the boxes span; false: there is none. */
static bool put_spread_axis(FILE *f, const spread *s, int count, bool logarithmic)
{
    double range[2] = {INFINITY, -INFINITY};
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 5; k++)
            if (isfinite(s[i].of[k])) {
                range[0] = fmin(range[0], s[i].of[k]);
                range[1] = fmax(range[1], s[i].of[k]);
            }
    bool any = range[0] <= range[1];
    if (!any)
        range[0] = range[1] = 1;
    if (logarithmic) {
        range[0] /= 1.5;
        range[1] *= 1.5;
        fprintf(f, "set logscale y\n");
        put_log_ticks(f, 'y', range);
    } else {
        round_range(range);
        fprintf(f, "unset logscale y\nset format y '%%g'\nset ytics autofreq\n");
    }
    fprintf(f, "set yrange [%.9g:%.9g]\n", range[0], range[1]);
    return any;
}

void sheet_spreads(FILE *f, int number, const char *title, const char *label, const spread *s, int count,
                   bool logarithmic)
{
    int every = (count + 39) / 40;
    fprintf(f, "$spread%d << END\n", number);
    for (int i = 0; i < count; i++)
        fprintf(f, "%d %.6g %.6g %.6g %.6g %.6g\n", i, s[i].of[0], s[i].of[1], s[i].of[2], s[i].of[3], s[i].of[4]);
    fprintf(f, "END\n");
    put_title(f, title);
    fprintf(f, "set ylabel ");
    put_label(f, label);
    fprintf(f,
            "\nset xrange [-0.7:%g]\nset size noratio\nunset key\nset border 3\nset grid ytics lc rgb '#cccccc'\n"
            "set ytics nomirror scale 0.5\nset boxwidth 0.5\nset style fill solid 0.3\n",
            count - 0.3);
    bool any = put_spread_axis(f, s, count, logarithmic);
    fprintf(f, "set xtics scale 0 nomirror rotate by 45 right (");
    for (int i = 0; i < count; i += every) {
        fprintf(f, "%s", i ? ", " : "");
        put_tick_label(f, s[i].name, NAME_LETTERS);
        fprintf(f, " %d", i);
    }
    fprintf(f, ")\n");
    if (any)
        fprintf(f,
                "plot $spread%d using 1:3:2:6:5 with candlesticks lc rgb '#0072B2' whiskerbars 0.5, $spread%d using "
                "1:4:4:4:4 with candlesticks lc rgb '#D55E00' lw 2\n",
                number, number);
    else
        fprintf(f, "set label 1 'no finite value other than 0' at graph 0.5,0.5 center\nplot NaN\nunset label 1\n");
    fprintf(f, "unset logscale y\nunset grid\nunset ylabel\n");
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void take_spread(const nm_real *values, size_t count, bool magnitudes, double of[5])
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
