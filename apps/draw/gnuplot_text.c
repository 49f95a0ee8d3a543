/* Texts and axes within gnuplot's scripts. */
#include "characters.h"
#include "fonts.h"
#include "gnuplot.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A string of gnuplot's. Within single quotes it reads neither escapes nor `commands` nor @macros,
 * but two quotes at the beginning of a string are an empty one to it: a text with a quote stands
 * within double quotes, with nothing but letters, digits and blanks as they are. `tick`: it stands
 * at an axis, where what follows a '%' is a format. */
static void put_quoted(FILE *f, const char *text, size_t bytes, bool tick)
{
    bool octal = memchr(text, '\'', bytes) != NULL;
    fputc(octal ? '"' : '\'', f);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (octal && byte < 0x80 && byte != ' ' && !isalnum(byte))
            fprintf(f, tick && byte == '%' ? "%%%%" : "\\%03o", (unsigned)byte);
        else
            fputs(tick && byte == '%' ? "%%" : (char[]){(char)byte, '\0'}, f);
    }
    fputc(octal ? '"' : '\'', f);
}

/* A copy that can be drawn as it is; free. NULL without memory. */
static char *drawable(const char *text)
{
    char *copy = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&copy, &size);
    text = shown(text);
    while (f && *text) {
        const char *start = text;
        int c = next_character(&text);
        if (fonts_have(c))
            fwrite(start, 1, (size_t)(text - start), f);
        else
            fprintf(f, "U+%04X", (unsigned)c);
    }
    if (f)
        fclose(f);
    return copy;
}

static void put_one_line(FILE *f, const char *text, bool tick)
{
    char *copy = drawable(text);
    put_quoted(f, copy ? copy : "", copy ? strlen(copy) : 0, tick);
    free(copy);
}

void put_label(FILE *f, const char *text)
{
    put_one_line(f, text, false);
}

/* Where the line ends that begins at `text`: behind its last blank or comma that fits, or in a word
 * that is longer than a line. */
static const char *line_end(const char *text, int columns)
{
    const char *at = text, *best = NULL;
    int width = 0;
    while (*at) {
        const char *next = at;
        char letter[8] = "";
        next_character(&next);
        memcpy(letter, at, next - at < 7 ? (size_t)(next - at) : 7);
        width += text_width(letter);
        if (width > columns && at > text)
            return best ? best : at;
        if (*at == ' ' || *at == ',' || *at == '/')
            best = next;
        at = next;
    }
    return at;
}

/* Writes the lines where `f` is given. */
static int wrap(FILE *f, const char *text, int columns, int *longest)
{
    char *copy = drawable(text);
    int lines = 0;
    *longest = 0;
    for (const char *at = copy ? copy : ""; *at || lines == 0; lines++) {
        const char *end = line_end(at, columns < 1 ? 1 : columns);
        size_t bytes = (size_t)(end - at);
        char *line = strndup(at, bytes);
        int width = line ? text_width(line) : 0;
        *longest = width > *longest ? width : *longest;
        free(line);
        if (f && lines)
            fputs(".\"\\n\".", f);
        if (f)
            put_quoted(f, at, bytes, false);
        at = end;
    }
    free(copy);
    return lines;
}

int put_wrapped(FILE *f, const char *text, int columns)
{
    int longest;
    return wrap(f, text, columns, &longest);
}

int count_wrapped(const char *text, int columns, int *longest)
{
    return wrap(NULL, text, columns, longest);
}

static void put_short(FILE *f, const char *text, int columns, bool tick)
{
    text = shown(text);
    int width = text_width(text), at = 0;
    char *copy = NULL;
    size_t size = 0;
    FILE *shorter = width > columns ? open_memstream(&copy, &size) : NULL;
    for (bool inside = false; shorter && *text;) {
        const char *start = text;
        next_character(&text);
        bool kept = at < columns / 2 || at >= width - (columns - columns / 2 - 1);
        if (kept)
            fwrite(start, 1, (size_t)(text - start), shorter);
        else if (!inside)
            fputs("\u2026", shorter);
        inside = !kept;
        at++; /* of a wide character too: the label is then shorter than it may be */
    }
    if (shorter)
        fclose(shorter);
    put_one_line(f, copy ? copy : text, tick);
    free(copy);
}

void put_short_label(FILE *f, const char *text, int columns)
{
    put_short(f, text, columns, false);
}

void put_tick_label(FILE *f, const char *text, int columns)
{
    put_short(f, text, columns, true);
}

void put_prefix(FILE *f)
{
    fputs("set encoding utf8\n"
          "if (!exists('prefix')) prefix = ARG0[1:strlen(ARG0) - 3]\n"
          "if (prefix[1:1] ne '/') prefix = './'.prefix\n",
          f);
}

void round_range(double range[2])
{
    double size = fmax(fabs(range[0]), fabs(range[1])), span = range[1] - range[0];
    if (!(span > 1e-6 * size))
        span = size > 0 ? size / 10 : 1;
    double step = pow(10, floor(log10(span / 2)));
    step *= span / step > 10 ? 2 : 1;
    double least = step * floor(range[0] / step + 1e-6), most = step * ceil(range[1] / step - 1e-6);
    if (!(most > least)) {
        least -= step;
        most += step;
    }
    range[0] = least;
    range[1] = most;
}

void put_log_ticks(FILE *f, char axis, const double range[2])
{
    const char *comma = "";
    double decades = log10(range[1] / range[0]);
    int every = decades > 8 ? (int)ceil(decades / 8) : 1, from = (int)floor(log10(range[0]));
    fprintf(f, "set %ctics (", axis);
    for (int d = from; pow(10, d) <= range[1]; d++)
        for (int k = 0; k < 3; k++) {
            double at = pow(10, d) * (k == 0 ? 1 : k == 1 ? 2 : 5);
            if (at < range[0] || at > range[1] || (k && decades > 4) || (d - from) % every)
                continue;
            fprintf(f, "%s'%g' %g", comma, at, at);
            comma = ", ";
        }
    fprintf(f, ")\n");
}
