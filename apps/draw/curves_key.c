/* How curves are distinguished: names, hues, dashes, markers; and the key. */
#include "alloc.h"
#include "characters.h"
#include "curves.h"
#include "gnuplot.h"

#include <string.h>

/* Colours that colour-blind readers distinguish (Okabe, Ito 2008). */
static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};
/* Filled, then open. Their number and that of the dashes have no common factor, so that 45 styles
 * differ. */
static const int markers[] = {7, 5, 9, 13, 11, 6, 4, 8, 12};
enum { COLOURS = sizeof colours / sizeof *colours, DASHES = 5, MARKERS = sizeof markers / sizeof *markers };

const char *colour_of(const variant *v)
{
    return colours[v->hue];
}

int dash_of(const variant *v)
{
    return v->style % DASHES + 1;
}

int marker_of(const variant *v)
{
    return markers[v->style % MARKERS];
}

const char *state_of(const variant *v)
{
    return v->rows.rows == 0 ? " (no row yet)" : v->diverged ? " (diverged)" : "";
}

/* ---- labels of the form KEY=VALUE KEY=VALUE ------------------------------------------------ */

enum { MOST_SETTINGS = 16 };

typedef struct setting {
    const char *text; /* KEY=VALUE */
    int length, key;  /* letters of all, and of KEY */
} setting;

/* Cuts a label at its blanks and commas, but not within brackets; 0: it is not of that form. */
static int cut_label(const char *label, setting out[MOST_SETTINGS])
{
    int count = 0, depth = 0;
    for (const char *at = label, *start = label;; at++) {
        depth += (*at == '[' || *at == '{') - (*at == ']' || *at == '}');
        if (*at && ((*at != ' ' && *at != ',') || depth > 0))
            continue;
        const char *equals = memchr(start, '=', (size_t)(at - start));
        if (!equals || count == MOST_SETTINGS)
            return 0;
        out[count++] = (setting){start, (int)(at - start), (int)(equals - start)};
        if (!*at)
            return count;
        start = at + 1;
    }
}

static bool same_setting(const setting *a, const setting *b, bool keys)
{
    int length = keys ? a->key : a->length;
    return length == (keys ? b->key : b->length) && strncmp(a->text, b->text, (size_t)length) == 0;
}

/* The settings of all labels; 0 where they do not have the same keys in the same order. */
static int cut_labels(const variant *v, int count, setting (*settings)[MOST_SETTINGS])
{
    int keys = cut_label(v[0].of->label, settings[0]);
    for (int i = 1; i < count && keys; i++) {
        if (cut_label(v[i].of->label, settings[i]) != keys)
            return 0;
        for (int k = 0; k < keys; k++)
            if (!same_setting(&settings[i][k], &settings[0][k], true))
                return 0;
    }
    return keys;
}

/* The number of variant i's value among the different values of key k; *values: how many there are.
 */
static int number_of_value(int count, setting (*settings)[MOST_SETTINGS], int i, int k, int *values)
{
    int number = -1;
    *values = 0;
    for (int a = 0; a < count; a++) {
        int first = 0;
        while (!same_setting(&settings[first][k], &settings[a][k], false))
            first++;
        if (same_setting(&settings[a][k], &settings[i][k], false) && number < 0)
            number = *values;
        *values += first == a;
    }
    return number;
}

static nm_status append(nm_context *ctx, char **to, const setting *p)
{
    char *longer = nm_format(ctx, "%s%s%.*s", *to ? *to : "", *to ? " " : "", p->length, p->text);
    nm_free(*to);
    *to = longer;
    return longer ? NM_OK : NM_FAILED;
}

static void set_style(variant *v, int value, int values, int rest)
{
    v->hue = value % COLOURS;
    v->style = rest * ((values + COLOURS - 1) / COLOURS) + value / COLOURS;
}

static nm_status style_by_settings(nm_context *ctx, variant *v, int count, setting (*settings)[MOST_SETTINGS], int keys,
                                   char **common)
{
    for (int i = 0; i < count; i++) {
        int hues = 0, hue = 0, rest = 0;
        for (int k = 0; k < keys; k++) {
            int values, value = number_of_value(count, settings, i, k, &values);
            if (values > 1)
                NM_TRY(append(ctx, &v[i].name, &settings[i][k]));
            else if (i == 0)
                NM_TRY(append(ctx, common, &settings[i][k]));
            if (values > 1 && hues)
                rest = rest * values + value;
            else if (values > 1) {
                hues = values;
                hue = value;
            }
        }
        set_style(&v[i], hue, hues, rest);
        if (!v[i].name && !(v[i].name = nm_strdup(ctx, v[i].of->label)))
            return NM_FAILED;
    }
    return NM_OK;
}

nm_status style_variants(nm_context *ctx, variant *v, int count, char **common)
{
    *common = NULL;
    setting(*settings)[MOST_SETTINGS] = nm_alloc(ctx, (size_t)count, sizeof *settings);
    if (!settings)
        return NM_FAILED;
    int keys = count > 1 ? cut_labels(v, count, settings) : 0;
    nm_status status = keys ? style_by_settings(ctx, v, count, settings, keys, common) : NM_OK;
    for (int i = 0; i < count && !keys && status == NM_OK; i++) {
        set_style(&v[i], i, count, 0);
        v[i].name = nm_strdup(ctx, v[i].of->label);
        status = v[i].name ? NM_OK : NM_FAILED;
    }
    if (status == NM_OK && count == 1)
        *common = nm_format(ctx, "%s%s", v[0].name, state_of(&v[0]));
    nm_free(settings);
    return status;
}

/* ---- the header above the panels ----------------------------------------------------------- */

enum { EDGE = 30, SAMPLE = 70, LINE = 20, TITLE_LINE = 24, TITLE_LETTER = 11 };

static char *entry_of(const variant *v, char text[1024])
{
    snprintf(text, 1024, "%s%s", v->name, state_of(v));
    return text;
}

header plan_header(const variant *v, int count, const char *title)
{
    char text[1024];
    int longest = 0;
    header s = {.title = title};
    s.title_lines = title ? count_wrapped(title, CURVES_WIDTH / TITLE_LETTER - 2, &longest) : 0;
    s.height = s.title_lines * TITLE_LINE + 10;
    if (count < 2)
        return s;
    for (int i = 0, most = 0; i < count; i++) {
        count_wrapped(entry_of(&v[i], text), 1 << 20, &longest);
        most = longest > most ? longest : most;
        s.letters = most;
    }
    s.columns = (int)((CURVES_WIDTH - 2 * EDGE) / (SAMPLE + LETTER * (s.letters + 2)));
    s.columns = s.columns < 1 ? 1 : s.columns > count ? count : s.columns;
    s.letters = (int)(((double)(CURVES_WIDTH - 2 * EDGE) / s.columns - SAMPLE) / LETTER);
    for (int i = 0; i < count; i++) {
        int lines = count_wrapped(entry_of(&v[i], text), s.letters, &longest);
        s.lines = lines > s.lines ? lines : s.lines;
    }
    s.height += (count + s.columns - 1) / s.columns * (s.lines * LINE + 2) + 10;
    return s;
}

void put_header(FILE *f, const variant *v, int count, const header *s, int height)
{
    char text[1024];
    if (s->title) {
        fprintf(f, "set label ");
        put_wrapped(f, s->title, CURVES_WIDTH / TITLE_LETTER - 2);
        fprintf(f, " at screen 0.5,%.5f center front font 'Sans,14'\n", 1 - 18.0 / height);
    }
    int rows = s->columns ? (count + s->columns - 1) / s->columns : 0;
    for (int i = 0; i < count && rows; i++) { /* column by column */
        double wide = (double)(CURVES_WIDTH - 2 * EDGE) / s->columns;
        int row = i % rows, column = i / rows, down = s->lines * LINE + 2;
        double x = EDGE + column * wide, y = s->title_lines * TITLE_LINE + 22 + row * down;
        double left = x / CURVES_WIDTH, right = (x + SAMPLE - 12) / CURVES_WIDTH, at = 1 - y / height;
        fprintf(f, "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 2 dt %d lc rgb '%s'\n", left, at,
                right, at, dash_of(&v[i]), colour_of(&v[i]));
        fprintf(f, "set label '' at screen %.5f,%.5f point pt %d ps 0.8 lc rgb '%s' front\n", (left + right) / 2, at,
                marker_of(&v[i]), colour_of(&v[i]));
        fprintf(f, "set label ");
        put_wrapped(f, entry_of(&v[i], text), s->letters);
        fprintf(f, " at screen %.5f,%.5f left front\n", (x + SAMPLE) / CURVES_WIDTH, at);
    }
}
