#include "cpu_list.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number without sign; *text is behind it then. */
static bool parse_cpu(const char **text, long *cpu)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    *cpu = strtol(*text, &end, 10);
    *text = end;
    return true;
}

static bool parse_range(const char **text, cpu_set_t *set)
{
    long first, last;
    if (!parse_cpu(text, &first))
        return false;
    last = first;
    if (**text == '-') {
        ++*text;
        if (!parse_cpu(text, &last) || last < first)
            return false;
    }
    for (long cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++)
        CPU_SET((int)cpu, set);
    return true;
}

bool nm_cpu_list_parse(const char *text, cpu_set_t *set)
{
    CPU_ZERO(set);
    bool more = text[strspn(text, " \t\n")] != '\0';
    while (more) {
        if (!parse_range(&text, set))
            return false;
        more = *text == ',';
        text += more;
    }
    return text[strspn(text, " \t\n")] == '\0';
}

bool nm_cpu_list_read(const char *path, cpu_set_t *set)
{
    char text[8192];
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, f);
    bool whole = feof(f) && !ferror(f);
    fclose(f);
    text[length] = '\0';
    return whole && nm_cpu_list_parse(text, set);
}

const char *nm_cpu_list_text(const cpu_set_t *set, char *text, size_t size)
{
    static const char more[] = "…";
    char range[32];
    size_t used = 0;
    *text = '\0';
    for (int first = 0, last; first < CPU_SETSIZE; first = last + 1) {
        last = first;
        if (!CPU_ISSET(first, set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
            last++;
        int length = snprintf(range, sizeof range, first == last ? "%s%d" : "%s%d-%d", used ? "," : "", first, last);
        if (used + (size_t)length + sizeof more > size) {
            snprintf(text + used, size - used, "%s", size - used >= sizeof more ? more : "");
            break;
        }
        memcpy(text + used, range, (size_t)length + 1);
        used += (size_t)length;
    }
    return text;
}
