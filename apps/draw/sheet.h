/* Sheets: pictures made of tiles, curves of quantiles, heat maps; drawn by gnuplot from scripts
 * that hold their data.
 */
#ifndef SHEET_H
#define SHEET_H

#include <norma/real.h>
#include <norma/shape.h>

#include <stdbool.h>
#include <stdio.h>

typedef enum tile_colours {
    TILE_GREY,   /* from the tile's least value, black, to its largest, white */
    TILE_SIGNED, /* from blue over white, zero, to red */
    TILE_RGB,    /* three channels together: zero is grey */
} tile_colours;

/* Tiles of height and width h, w: value (tile, y, x, c) stands at
 * data[tile * tile_step + (y * w + x) * pixel_step + c * channel_step]; c is 0 but for TILE_RGB. */
enum { MOST_TILES = 64 };
typedef struct tiles {
    const nm_real *data;
    int count, h, w; /* at most MOST_TILES */
    size_t tile_step, pixel_step, channel_step;
    tile_colours colours;
} tiles;

/* One panel of a multiplot, as all below: the tiles side by side, each stretched over the whole
 * range of colours. Titles are wrapped for a panel 700 pixels wide. Returns how many values were
 * NaN or infinite; they are drawn in magenta. */
int sheet_tiles(FILE *f, int number, const char *title, const tiles *t);

/* One panel: the colour image [h][w][3], or grey with c 1, scaled to its own range. */
void sheet_image(FILE *f, int number, const char *title, nm_shape s, const nm_real *data);

/* One panel: a heat map [h][w] of values from 0 up, with a rectangle (x, y, width, height) drawn
 * over it; NULL: none. */
void sheet_heat(FILE *f, int number, const char *title, int h, int w, const double *values, const double box[4]);

/* Five quantiles (5, 25, 50, 75, 95 %) of one layer's numbers. */
typedef struct spread {
    const char *name;
    double of[5];
} spread;

/* One panel: a box for each layer. `logarithmic`: the values are magnitudes. Where no layer has a
 * value the panel says so. */
void sheet_spreads(FILE *f, int number, const char *title, const char *label, const spread *s, int count,
                   bool logarithmic);

/* Quantiles of `count` numbers (or of their magnitudes); takes a copy. NaN where memory is short.
 */
void take_spread(const nm_real *values, size_t count, bool magnitudes, double of[5]);

#endif
