/* Printed tables: names longer than their column, and wide letters, which take two columns and
 * three bytes each. */
#include "program.h"

#include <png.h>

#define DOG "\xe7\x8a\xac\xe7\x8a\xac" /* two wide letters: 6 bytes, 4 columns */
#define LONG "a-class-whose-name-is-long"
#define LAYER "a_convolution_whose_name_is_long"

static void make_class(const char *name, int value)
{
    expect(0, "mkdir -p 'own/%s'", name);
    for (int i = 0; i < 10; i++) {
        uint8_t pixels[8 * 8];
        char path[128];
        memset(pixels, value + i, sizeof pixels);
        snprintf(path, sizeof path, "own/%s/%d.png", name, i);
        png_image image = {.version = PNG_IMAGE_VERSION, .width = 8, .height = 8, .format = PNG_FORMAT_GRAY};
        ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    }
}

static const char model[] = "name: own\ninput: {height: 8, width: 8, channels: 1}\nlayers:\n"
                            "- {name: " LAYER ", conv: {filters: 2, kernel: 3}}\n- batchnorm: {}\n"
                            "- {name: logits, dense: {units: 2}}\nloss: softmax_ce\n"
                            "train: {data: \"images:own\", batch: 4, steps: 2}\n";

/* The line of `text` that begins with `start`; a pointer to its end is put into *end. */
static const char *line_of(const char *text, const char *start)
{
    size_t length = strlen(start);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, start, length) == 0)
            return line;
    ck_abort_msg("no line begins with '%s' in:\n%.3000s", start, text);
    return NULL;
}

/* Bytes of the line. */
static int length_of(const char *text, const char *start)
{
    return (int)strcspn(line_of(text, start), "\n");
}

/* Bytes in front of `word` in the line that begins with `start`. */
static int place_of(const char *text, const char *start, const char *word)
{
    const char *line = line_of(text, start), *at = strstr(line, word);
    ck_assert_msg(at && at < line + strcspn(line, "\n"), "no '%s' in the line of '%s'", word, start);
    return (int)(at - line);
}

START_TEST(aligns_classes)
{
    make_class(DOG, 10);
    make_class(LONG, 200);
    write_text("own.yaml", model);
    expect(0, "norma train own.yaml --run r");
    char *out = expect(0, "norma eval r").out;
    int head = length_of(out, "class ");
    ck_assert_int_eq(length_of(out, DOG) - 2, head);
    ck_assert_int_eq(length_of(out, LONG), head);
    /* the confusion matrix: by number, as names cut to a column would be alike */
    int columns = length_of(out, "   0 " LONG);
    ck_assert_int_eq(length_of(out, "   1 " DOG) - 2, columns);
    ck_assert_int_eq(place_of(out, "   0 " LONG, LONG), 5);
    out = expect(0, "norma data images:own").out;
    ck_assert_int_eq(length_of(out, DOG) - 2, length_of(out, "class "));
}
END_TEST

START_TEST(aligns_layers)
{
    write_text("own.yaml", model);
    char *out = expect(0, "norma summary own.yaml").out;
    int type = place_of(out, "layer ", "type");
    ck_assert_int_eq(place_of(out, LAYER " ", "conv "), type);
    ck_assert_int_eq(place_of(out, "logits ", "dense"), type);
    out = expect(0, "norma bench own.yaml --layers --seconds 1 --batch 4").out;
    type = place_of(out, "layer ", "type");
    ck_assert_int_eq(place_of(out, LAYER " ", "conv "), type);
    ck_assert_int_eq(place_of(out, "logits ", "dense"), type);
}
END_TEST

START_TEST(aligns_variants)
{
    make_class("one", 10);
    make_class("two", 200);
    write_text("own.yaml", model);
    char *out = expect(0, "cp -r own " DOG " && rm " DOG
                          "/one/3.png && norma compare own.yaml --vary data=images:own,images:" DOG " --run c")
                    .out;
    int end = place_of(out, "variant ", "  final") + 7;
    ck_assert_int_eq(place_of(out, "data=images:own ", " %") + 2, end);
    ck_assert_int_eq(place_of(out, "data=images:" DOG " ", " %") + 2 - 2, end);
}
END_TEST

SUITE_WITH("tables", in_own_folder, aligns_classes, aligns_layers, aligns_variants)
