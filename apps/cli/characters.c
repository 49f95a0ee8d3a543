/* Text in UTF-8. */
#include "characters.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

/* wcwidth and mbrtowc follow the locale, which may be C: a name in a file is UTF-8 all the same. */
static locale_t enter_utf8(void)
{
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return uselocale(utf8);
}

int next_character(const char **at)
{
    wchar_t c = 0;
    mbstate_t state = {0};
    locale_t before = enter_utf8();
    size_t bytes = mbrtowc(&c, *at, strlen(*at), &state);
    uselocale(before);
    if (bytes == (size_t)-1 || bytes == (size_t)-2) {
        (*at)++;
        return -1;
    }
    *at += bytes;
    return (int)c;
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
