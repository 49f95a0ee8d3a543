/* Reading metrics.csv and watch.csv. */
#include "table.h"

#include "alloc.h"
#include "csv.h"
#include "file.h"
#include "number_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char metrics_header[] = "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds";

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* `fields` numbers with commas between them; where the next line starts, or NULL. */
static const char *read_numbers(const char *line, double *numbers, int fields)
{
    char *end = NULL;
    for (int i = 0; i < fields; i++) {
        numbers[i] = strtod(line, &end);
        if (end == line || *end != (i + 1 < fields ? ',' : '\n'))
            return NULL;
        line = end + 1;
    }
    return line;
}

static bool is_count(double number)
{
    return number >= 0 && number <= 9007199254740992.0 && number == floor(number);
}

static bool is_share(double number)
{
    return isnan(number) || (number >= 0 && number <= 1);
}

/* The column whose number no training writes, or -1. */
static int wrong_column(const double *row)
{
    bool right[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        right[i] = true;
    right[COL_EPOCH] = is_count(row[COL_EPOCH]);
    right[COL_STEP] = is_count(row[COL_STEP]);
    right[COL_LR] = row[COL_LR] >= 0 && isfinite(row[COL_LR]);
    right[COL_TRAIN_ACCURACY] = is_share(row[COL_TRAIN_ACCURACY]);
    right[COL_TEST_ACCURACY] = is_share(row[COL_TEST_ACCURACY]);
    right[COL_SECONDS] = row[COL_SECONDS] >= 0 && isfinite(row[COL_SECONDS]);
    for (int i = 0; i < COLUMNS; i++)
        if (!right[i])
            return i;
    return -1;
}

static nm_status check_row(nm_context *ctx, const char *path, const table *t)
{
    static const char *const names[] = {"epoch",     "step",          "lr",     "train_loss", "train_accuracy",
                                        "test_loss", "test_accuracy", "seconds"};
    const double *row = t->row[t->rows];
    int wrong = wrong_column(row);
    if (wrong < 0)
        return NM_OK;
    char text[NM_NUMBER_TEXT];
    nm_number_text(row[wrong], text);
    return nm_fail(ctx, NM_INVALID, "%s:%d: %s is %s; expected %s", path, t->rows + 2, names[wrong], text,
                   wrong <= COL_STEP                                           ? "a whole number from 0 to 2^53"
                   : wrong == COL_TRAIN_ACCURACY || wrong == COL_TEST_ACCURACY ? "a share from 0 to 1, or nan"
                                                                               : "a finite number from 0");
}

static nm_status read_file(nm_context *ctx, const char *run, const char *name, char **path, char **text)
{
    size_t size;
    *text = NULL;
    if (!(*path = nm_format(ctx, "%s/%s", run, name)))
        return NM_FAILED;
    return nm_file_read(ctx, *path, text, &size);
}

nm_status read_metrics(nm_context *ctx, const char *run, table *out)
{
    char *path, *text;
    *out = (table){0};
    nm_status status = read_file(ctx, run, "metrics.csv", &path, &text);
    size_t head = sizeof metrics_header - 1;
    if (status == NM_OK && (strncmp(text, metrics_header, head) != 0 || text[head] != '\n'))
        status = nm_fail(ctx, NM_INVALID, "%s:1: expected '%s', found '%.80s'", path, metrics_header, text);
    if (status == NM_OK) {
        out->row = nm_alloc(ctx, (size_t)count_lines(text) + 1, sizeof *out->row);
        out->text = nm_strdup(ctx, text + head + 1);
        status = out->row && out->text ? NM_OK : NM_FAILED;
    }
    for (const char *line = status == NM_OK ? text + head + 1 : ""; *line;) {
        line = read_numbers(line, out->row[out->rows], COLUMNS);
        if (!line) {
            status = nm_fail(ctx, NM_INVALID, "%s:%d: expected %d numbers with commas between them", path,
                             out->rows + 2, COLUMNS);
            break;
        }
        if ((status = check_row(ctx, path, out)) != NM_OK)
            break;
        out->rows++;
    }
    nm_free(text);
    nm_free(path);
    if (status != NM_OK)
        free_table(out);
    return status;
}

void free_table(table *t)
{
    nm_free(t->row);
    nm_free(t->text);
    *t = (table){0};
}

/* ---- watched units ------------------------------------------------------------------------- */

enum { MOST_UNITS = 16 };

static nm_status add_row(nm_context *ctx, const char *line, int lines, watched *units, int *count, const char **next)
{
    double step, rest[4];
    char layer[256], name[sizeof units->name];
    int before = 0, used = 0, unit;
    if (sscanf(line, "%lf,%n", &step, &before) != 1 || before == 0)
        return NM_INVALID;
    const char *at = line + before;
    if (!nm_csv_take(&at, layer, sizeof layer) || sscanf(at, "%d,%n", &unit, &used) != 1 || used == 0 ||
        !(*next = read_numbers(at + used, rest, 3)))
        return NM_INVALID;
    snprintf(name, sizeof name, "%s/%d", layer, unit);
    int u = 0;
    while (u < *count && strcmp(units[u].name, name) != 0)
        u++;
    if (u == MOST_UNITS)
        return NM_OK;
    if (u == *count) {
        memcpy(units[u].name, name, sizeof name);
        if (!(units[u].row = nm_alloc(ctx, (size_t)lines, sizeof *units[u].row)))
            return NM_FAILED;
        (*count)++;
    }
    double *to = units[u].row[units[u].rows++];
    to[0] = step;
    memcpy(to + 1, rest, 3 * sizeof *rest);
    return NM_OK;
}

nm_status read_watched(nm_context *ctx, const char *run, watched **units, int *count)
{
    char *path = nm_format(ctx, "%s/watch.csv", run), *text;
    *units = NULL;
    *count = 0;
    bool there = path && access(path, F_OK) == 0;
    nm_free(path);
    if (!there)
        return NM_OK;
    nm_status status = read_file(ctx, run, "watch.csv", &path, &text);
    if (status == NM_OK && !(*units = nm_alloc(ctx, MOST_UNITS, sizeof **units)))
        status = NM_FAILED;
    int lines = status == NM_OK ? count_lines(text) : 0;
    const char *line = lines ? strchr(text, '\n') + 1 : "";
    while (status == NM_OK && *line) {
        status = add_row(ctx, line, lines, *units, count, &line);
        if (status == NM_INVALID)
            nm_fail(ctx, NM_INVALID, "%s: expected step,layer,unit,p15,p50,p85, found '%.40s'", path, line);
    }
    nm_free(text);
    nm_free(path);
    if (status != NM_OK)
        free_watched(*units, *count);
    return status;
}

void free_watched(watched *units, int count)
{
    for (int i = 0; units && i < count; i++)
        nm_free(units[i].row);
    nm_free(units);
}
