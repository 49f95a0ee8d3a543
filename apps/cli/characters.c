/* Text in UTF-8. */
#include "characters.h"

#include "printable.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

int next_character(const char **at)
{
    return nm_utf8_next(at);
}

const char *shown(const char *text)
{
    enum { KEPT = 8 };
    static char *kept[KEPT];
    static int next;
    if (nm_text_is_printable(text, ""))
        return text;
    size_t size = nm_text_escape(NULL, 0, text) + 1;
    char **copy = &kept[next++ % KEPT];
    free(*copy);
    if (!(*copy = malloc(size)))
        return "?";
    nm_text_escape(*copy, size, text);
    return *copy;
}

/* wcwidth follows the locale, which may be C: a name in a file is UTF-8 all the same. */
static locale_t enter_utf8(void)
{
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return uselocale(utf8);
}

int text_width(const char *text)
{
    int width = 0;
    while (*text) {
        int c = next_character(&text);
        locale_t before = enter_utf8();
        int columns = c < 0 ? 1 : wcwidth((wchar_t)c);
        uselocale(before);
        width += columns < 0 ? 1 : columns;
    }
    return width;
}

int padded_width(const char *text, int columns)
{
    return columns + (int)strlen(text) - text_width(text);
}

int wider(int columns, const char *text)
{
    int width = text_width(text);
    return width > columns ? width : columns;
}
