/* What to do about a text that is no YAML: the slips that people make. */
#include "document.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MOST_COLUMNS = 512 };

/* Line `number` (from 0) without its end; empty where there is none. */
static void take_line(const char *text, size_t size, size_t number, char line[MOST_COLUMNS])
{
    const char *end = text + size;
    while (number > 0 && text < end) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        text = next ? next + 1 : end;
        number--;
    }
    const char *stop = text < end ? memchr(text, '\n', (size_t)(end - text)) : NULL;
    size_t length = (size_t)((stop ? stop : end) - text);
    if (length >= MOST_COLUMNS)
        length = MOST_COLUMNS - 1;
    memcpy(line, text, length);
    line[length] = '\0';
}

size_t nm_yaml_space_lacks(const char *word)
{
    size_t length = 0;
    while (isalnum((unsigned char)word[length]) || word[length] == '_')
        length++;
    bool lacks = length > 0 && word[length] == ':' && word[length + 1] && !strchr(" \t\r/:", word[length + 1]);
    return lacks ? length : 0;
}

/* The first key of a line that its value follows without a space; its length. */
static size_t find_key(const char *line, const char **key)
{
    for (const char *c = line; *c && *c != '#'; c++) {
        bool begins = c == line || strchr(" \t{,[-", c[-1]) != NULL;
        size_t length = begins ? nm_yaml_space_lacks(c) : 0;
        if (length) {
            *key = c;
            return length;
        }
    }
    return 0;
}

void nm_yaml_advice(const char *text, size_t size, const char *problem, size_t line, char *advice, size_t capacity)
{
    char found[MOST_COLUMNS];
    const char *key;
    *advice = '\0';
    for (size_t back = 0; back < 3 && back <= line; back++) { /* the parser notices it a line or two later */
        take_line(text, size, line - back, found);
        if (found[strspn(found, " ")] == '\t') {
            snprintf(advice, capacity, "line %zu begins with a tab; YAML indents with spaces", line - back + 1);
            return;
        }
        size_t length = find_key(found, &key);
        if (length) {
            snprintf(advice, capacity, "line %zu: a space is missing after '%.*s:'", line - back + 1, (int)length, key);
            return;
        }
    }
    if (strstr(problem, "undefined alias"))
        snprintf(advice, capacity, "*NAME repeats what &NAME marked; a word that begins with * is put in quotes");
    else if (strstr(problem, "alphabetic or numeric") || strstr(problem, "cannot start any token"))
        snprintf(advice, capacity, "a word that begins with one of * & ! %% @ ` is put in quotes");
    else if (strstr(problem, "mapping values are not allowed"))
        snprintf(advice, capacity,
                 "the line above may lack its end, or this one stands too far to the right; a text with ': ' in "
                 "it is put in quotes");
    else if (strstr(problem, "expected ',' or"))
        snprintf(advice, capacity, "a comma or a closing bracket is missing before this");
    else if (strstr(problem, "expected '-' indicator") || strstr(problem, "expected <block end>") ||
             strstr(problem, "did not find expected key"))
        snprintf(advice, capacity, "it does not begin in the column of the lines that it belongs to");
}
