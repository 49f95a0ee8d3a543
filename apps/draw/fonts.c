/* The installed fonts, as fontconfig knows them: gnuplot's cairo and pango draw with the same ones.
 */
#include "fonts.h"

#include <fontconfig/fontconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MISSING = 8 };
static int missing[MOST_MISSING], missing_count;

static FcCharSet *characters;
static bool known;

static void free_characters(void)
{
    if (characters)
        FcCharSetDestroy(characters);
    FcFini();
}

/* The characters of all fonts together, as pango takes a letter from whichever has it; NULL: there
 * is no font. It is kept until the program ends. */
static const FcCharSet *all_characters(void)
{
    if (known)
        return characters;
    known = true;
    atexit(free_characters);
    FcPattern *sans = FcNameParse((const FcChar8 *)"Sans");
    FcResult result = FcResultNoMatch;
    if (!sans)
        return NULL;
    FcConfigSubstitute(NULL, sans, FcMatchPattern);
    FcDefaultSubstitute(sans);
    FcFontSet *sorted = FcFontSort(NULL, sans, FcTrue, &characters, &result);
    if (sorted && sorted->nfont == 0 && characters) {
        FcCharSetDestroy(characters);
        characters = NULL;
    }
    if (sorted)
        FcFontSetDestroy(sorted);
    FcPatternDestroy(sans);
    return characters;
}

bool fonts_exist(void)
{
    return all_characters() != NULL;
}

bool fonts_have(int character)
{
    const FcCharSet *all = all_characters();
    if (!all || FcCharSetHasChar(all, (FcChar32)character))
        return true;
    for (int i = 0; i < missing_count; i++)
        if (missing[i] == character)
            return false;
    if (missing_count < MOST_MISSING)
        missing[missing_count++] = character;
    return false;
}

/* Debian's package that has the character's script. */
static const char *package_of(int c)
{
    bool cjk = (c >= 0x1100 && c < 0x1200) || (c >= 0x2e80 && c < 0xa4d0) || (c >= 0xac00 && c < 0xd800) ||
               (c >= 0xf900 && c < 0xfb00) || (c >= 0xff00 && c < 0xfff0) || (c >= 0x20000 && c < 0x32000);
    return cjk ? "fonts-noto-cjk" : c >= 0x1f000 && c < 0x1fb00 ? "fonts-noto-color-emoji" : "fonts-noto-core";
}

void fonts_report(nm_context *ctx, const char *prefix)
{
    char list[MOST_MISSING * 12] = "", packages[96] = "";
    for (int i = 0; i < missing_count; i++) {
        const char *package = package_of(missing[i]);
        sprintf(list + strlen(list), "%sU+%04X", i ? " " : "", (unsigned)missing[i]);
        if (!strstr(packages, package))
            sprintf(packages + strlen(packages), " %s", package);
    }
    if (missing_count)
        nm_log(ctx, "%s: no installed font has the characters %s, which are drawn as these numbers: apt-get install%s",
               prefix, list, packages);
    missing_count = 0;
}
