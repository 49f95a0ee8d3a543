/* The curves of several runs: their data (curves_data.c), how they are distinguished
 * (curves_key.c), as pictures (curves.c) and as text (curves_terminal.c). */
#ifndef CURVES_H
#define CURVES_H

#include "command.h"
#include "table.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct variant {
    const curve *of;
    table rows;
    int units;
    watched *unit;
    char *name;    /* what of the label differs from the others' */
    int hue;       /* of the key that was varied first, or the run's own */
    int style;     /* dash and marker: of all other keys */
    bool diverged; /* the last row says so */
} variant;

/* The variants with their rows; a run without any is reported. close_variants in the end, also
 * after a failure. */
nm_status open_variants(nm_context *ctx, const curve *curves, int count, variant **out) NM_MUST_USE;
void close_variants(variant *v, int count);

/* How many measured values a column has, of all `count` variants. */
int count_values(const variant *v, int count, int column);
/* Their range; least is above most where there is none. Runs that diverged count only where no
 * other has a value: what they were before would leave the others a flat line. */
void find_range(const variant *v, int count, int column, double range[2]);

/* The rows of metrics.csv with the label in front. */
void put_csv(FILE *f, const variant *v, int count);
/* The data blocks $run0, $run1, …, as columns of metrics.csv, and $run0_unit0, … of watched units.
 */
void put_blocks(FILE *f, const variant *v, int count);

/* The axis of such values; logarithmic where it may be and they span more than a factor of ten. */
void put_y_axis(FILE *f, const double values[2], bool may_be_logarithmic);

/* Sets names, hues and styles. *common is what all labels share, or the only label; nm_free. */
nm_status style_variants(nm_context *ctx, variant *v, int count, char **common) NM_MUST_USE;
/* What stands behind a name: " (diverged)", or nothing. */
const char *state_of(const variant *v);

/* A picture's width in pixels, and the header above the panels: the title, and the key where there
 * are several. */
enum { CURVES_WIDTH = 1400 };
typedef struct header {
    const char *title;
    int title_lines, columns, letters, lines; /* of the key: columns, letters of a line, lines of an entry */
    int height;                               /* pixels */
} header;
header plan_header(const variant *v, int count, const char *title);
/* As labels and arrows of the next panel; `height`: of the picture. */
void put_header(FILE *f, const variant *v, int count, const header *s, int height);

const char *colour_of(const variant *v);
int dash_of(const variant *v);   /* gnuplot's dash type */
int marker_of(const variant *v); /* and point type */

#endif
