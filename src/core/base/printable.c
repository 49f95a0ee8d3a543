/* Text that others wrote. */
#include "printable.h"

#include <stdio.h>
#include <string.h>

int nm_utf8_next(const char **at)
{
    static const int least[] = {0, 0x80, 0x800, 0x10000}; /* a longer form of a smaller one is none */
    const unsigned char *byte = (const unsigned char *)*at;
    int more = byte[0] < 0x80   ? 0
               : byte[0] < 0xc0 ? -1
               : byte[0] < 0xe0 ? 1
               : byte[0] < 0xf0 ? 2
               : byte[0] < 0xf8 ? 3
                                : -1;
    int character = more > 0 ? byte[0] & (0x3f >> more) : byte[0];
    (*at)++;
    for (int i = 1; i <= more; i++) {
        if ((byte[i] & 0xc0) != 0x80) /* the text's end too */
            return -1;
        character = character << 6 | (byte[i] & 0x3f);
    }
    bool surrogate = character >= 0xd800 && character < 0xe000;
    if (more < 0 || character < least[more] || character > 0x10ffff || surrogate)
        return -1;
    *at += more;
    return character;
}

bool nm_is_printable(int c)
{
    bool control = c < 0x20 || (c >= 0x7f && c < 0xa0), separator = c == 0x2028 || c == 0x2029;
    bool direction = c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    return !control && !separator && !direction && c != 0xfeff;
}

bool nm_text_is_printable(const char *text, const char *also)
{
    while (*text) {
        int c = nm_utf8_next(&text);
        if (!nm_is_printable(c) && !(c > 0 && c < 0x80 && strchr(also, c)))
            return false;
    }
    return true;
}

/* How a character is written that is no printable one; `byte` is the first of it. */
static void escape(char out[16], int character, unsigned char byte)
{
    if (character == '\n')
        snprintf(out, 16, "\\n");
    else if (character < 0x80)
        snprintf(out, 16, "\\x%02x", (unsigned)byte);
    else
        snprintf(out, 16, "\\u%04x", (unsigned)character);
}

size_t nm_text_escape(char *out, size_t size, const char *text)
{
    size_t used = 0, kept = 0;
    while (*text) {
        const char *start = text, *from = start;
        char escaped[16];
        int character = nm_utf8_next(&text);
        size_t bytes = (size_t)(text - start);
        if (!nm_is_printable(character)) {
            escape(escaped, character, (unsigned char)*start);
            from = escaped;
            bytes = strlen(escaped);
        }
        if (kept == used && used + bytes < size) {
            memcpy(out + used, from, bytes);
            kept += bytes;
        }
        used += bytes;
    }
    if (size)
        out[kept] = '\0';
    return used;
}
