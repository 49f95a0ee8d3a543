/* The rows that curves are drawn from: reading them, their ranges, and writing them out. */
#include "alloc.h"
#include "characters.h"
#include "csv.h"
#include "curves.h"
#include "gnuplot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void close_variants(variant *v, int count)
{
    for (int i = 0; v && i < count; i++) {
        free_table(&v[i].rows);
        free_watched(v[i].unit, v[i].units);
        nm_free(v[i].name);
    }
    nm_free(v);
}

int count_values(const variant *v, int count, int column)
{
    int values = 0;
    for (int i = 0; i < count; i++)
        for (int r = 0; r < v[i].rows.rows; r++)
            values += isfinite(v[i].rows.row[r][column]) != 0;
    return values;
}

void find_range(const variant *v, int count, int column, double range[2])
{
    range[0] = INFINITY;
    range[1] = -INFINITY;
    for (int diverged = 0; diverged < 2 && !(range[0] <= range[1]); diverged++)
        for (int i = 0; i < count; i++)
            for (int r = 0; r < v[i].rows.rows && v[i].diverged == diverged; r++) {
                double value = v[i].rows.row[r][column];
                if (!isfinite(value))
                    continue;
                range[0] = fmin(range[0], value);
                range[1] = fmax(range[1], value);
            }
}

static nm_status open_variant(nm_context *ctx, variant *v)
{
    NM_TRY(read_metrics(ctx, v->of->run, &v->rows));
    NM_TRY(read_watched(ctx, v->of->run, &v->unit, &v->units));
    v->diverged = v->rows.rows > 0 && !isfinite(v->rows.row[v->rows.rows - 1][COL_TRAIN_LOSS]);
    return NM_OK;
}

nm_status open_variants(nm_context *ctx, const curve *curves, int count, variant **out)
{
    variant *v = nm_alloc(ctx, (size_t)count + 1, sizeof *v);
    nm_status status = v ? NM_OK : NM_FAILED;
    bool values = false;
    for (int i = 0; i < count && status == NM_OK; i++) {
        v[i].of = &curves[i];
        status = open_variant(ctx, &v[i]);
    }
    if (status == NM_OK && count_values(v, count, COL_STEP) == 0)
        status = nm_fail(ctx, NM_INVALID, "%s: nothing to draw yet: metrics.csv has no row", curves[0].run);
    for (int i = 0; i < count && status == NM_OK; i++)
        if (v[i].rows.rows == 0)
            nm_log(ctx, "%s: no curve yet: metrics.csv has no row", curves[i].run);
    for (int c = COL_TRAIN_LOSS; c <= COL_TEST_ACCURACY && status == NM_OK; c++)
        values = values || count_values(v, count, c) > 0;
    if (status == NM_OK && !values)
        nm_log(ctx, "%s: the picture has no curve: metrics.csv has no finite loss or accuracy", curves[0].run);
    if (status != NM_OK) {
        close_variants(v, count);
        v = NULL;
    }
    *out = v;
    return status;
}

void put_csv(FILE *f, const variant *v, int count)
{
    fprintf(f, "variant,%s\n", metrics_header);
    for (int i = 0; i < count; i++)
        for (const char *line = v[i].rows.text; line && *line; line += strcspn(line, "\n") + 1) {
            nm_csv_put(f, shown(v[i].of->label));
            fprintf(f, ",%.*s\n", (int)strcspn(line, "\n"), line);
        }
}

void put_blocks(FILE *f, const variant *v, int count)
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
