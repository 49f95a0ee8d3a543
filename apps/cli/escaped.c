/* Texts out of files, as they may be shown. */
#include "escaped.h"

#include "characters.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BUFFERS = 8, LONGEST = 1000, ESCAPE = 12 };

/* Moves the cursor, hides or turns text: control characters of both sets, separators of lines, and
 * what changes the direction of writing. */
static bool acts(int c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0x200e || c == 0x200f ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* The character at *at, escaped where it must be; its length. */
static size_t escape_one(const char **at, char out[ESCAPE])
{
    const char *start = *at;
    int c = next_character(at);
    if (c == '\\')
        return (size_t)snprintf(out, ESCAPE, "\\\\");
    if (c == '\n')
        return (size_t)snprintf(out, ESCAPE, "\\n");
    if (c < 0 || (acts(c) && c < 0x80))
        return (size_t)snprintf(out, ESCAPE, "\\x%02x", (unsigned char)*start);
    if (acts(c))
        return (size_t)snprintf(out, ESCAPE, "\\u%04x", (unsigned)c);
    return (size_t)snprintf(out, ESCAPE, "%.*s", (int)(*at - start), start);
}

const char *escaped(const char *text)
{
    static char buffers[BUFFERS][LONGEST + ESCAPE];
    static int next;
    char *out = buffers[next++ % BUFFERS], one[ESCAPE];
    size_t used = 0;
    while (*text) {
        size_t length = escape_one(&text, one);
        if (used + length > LONGEST) {
            memcpy(out + used, "…", sizeof "…");
            return out;
        }
        memcpy(out + used, one, length);
        used += length;
    }
    out[used] = '\0';
    return out;
}

void print_escaped_lines(const char *text)
{
    char one[ESCAPE];
    while (*text) {
        bool itself = *text == '\n' || *text == '\\';
        size_t length = itself ? 1 : escape_one(&text, one);
        fwrite(itself ? text++ : one, 1, length, stdout);
    }
}
