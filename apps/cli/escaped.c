/* Texts out of files, as they may be shown. */
#include "escaped.h"

#include "printable.h"

#include <stdio.h>
#include <string.h>

enum { BUFFERS = 8, LONGEST = 1000 };

const char *escaped(const char *text)
{
    static char buffers[BUFFERS][LONGEST + sizeof "…"];
    static int next;
    char *out = buffers[next++ % BUFFERS];
    if (nm_text_escape(out, LONGEST + 1, text) > LONGEST)
        strcat(out, "…");
    return out;
}

void print_escaped_lines(const char *text)
{
    while (*text) {
        const char *start = text;
        char one[8] = "", shown[16];
        bool end = nm_utf8_next(&text) == '\n';
        memcpy(one, start, (size_t)(text - start));
        if (!end)
            nm_text_escape(shown, sizeof shown, one);
        fputs(end ? one : shown, stdout);
    }
}

void put_shell_quoted(FILE *f, const char *before, const char *text)
{
    fprintf(f, "'%s", before);
    for (; *text; text++)
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, f);
    fputc('\'', f);
}
