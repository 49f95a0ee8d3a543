/* Names within rows of CSV. */
#include "csv.h"

#include <string.h>

/* Behind apostrophes, too: what has one already gets another, so that it can be taken away. */
static bool is_formula(const char *text)
{
    text += strspn(text, "'");
    return *text && strchr("=+-@", *text);
}

void nm_csv_put(FILE *f, const char *text)
{
    bool quoted = strpbrk(text, ",\"") != NULL;
    if (quoted)
        fputc('"', f);
    if (is_formula(text))
        fputc('\'', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    if (quoted)
        fputc('"', f);
}

bool nm_csv_take(const char **at, char *text, size_t size)
{
    const char *from = *at;
    bool quoted = *from == '"';
    size_t used = 0;
    for (from += quoted; *from && *from != '\n' && (quoted || *from != ','); from++) {
        if (quoted && *from == '"' && *++from != '"')
            break;
        if (used + 1 >= size)
            return false;
        text[used++] = *from;
    }
    text[used] = '\0';
    if (*from != ',')
        return false;
    if (*text == '\'' && is_formula(text))
        memmove(text, text + 1, used);
    *at = from + 1;
    return true;
}
