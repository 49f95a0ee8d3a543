/* read_image [bilinear] [crop] [white] [orient] FILE CHANNELS [HEIGHT WIDTH]: the pixels of an
 * image file as norma reads them, behind a line with their height and width. For images.py. */
#include "alloc.h"
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_line(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

static int take_rules(int argc, char **argv, nm_image_rules *rules)
{
    int at = 1;
    for (; at < argc; at++)
        if (strcmp(argv[at], "bilinear") == 0)
            rules->resize = NM_RESIZE_BILINEAR;
        else if (strcmp(argv[at], "crop") == 0)
            rules->fit = NM_FIT_CROP;
        else if (strcmp(argv[at], "white") == 0)
            rules->background = NM_BACKGROUND_WHITE;
        else if (strcmp(argv[at], "orient") == 0)
            rules->orient = true;
        else
            break;
    return at;
}

int main(int argc, char **argv)
{
    nm_context *ctx = nm_context_new();
    nm_context_set_log(ctx, print_line, NULL);
    nm_image_reader reader = {.ctx = ctx};
    int at = take_rules(argc, argv, &reader.rules);
    nm_shape shape = {0};
    uint8_t *pixels = NULL;
    nm_status status = argc - at >= 2 ? nm_image_probe(&reader, argv[at], &shape) : NM_INVALID;
    if (status == NM_OK) {
        shape.c = atoi(argv[at + 1]);
        if (argc - at >= 4)
            shape = (nm_shape){atoi(argv[at + 2]), atoi(argv[at + 3]), shape.c};
        pixels = nm_alloc(ctx, nm_shape_size(shape), 1);
        status = pixels ? nm_image_read(&reader, argv[at], shape, pixels) : NM_FAILED;
    }
    if (status == NM_OK) {
        nm_image_report(&reader);
        printf("%d %d\n", shape.h, shape.w);
        fwrite(pixels, 1, nm_shape_size(shape), stdout);
    } else {
        fprintf(stderr, "%s\n", nm_error_message(ctx, 0));
    }
    nm_free(pixels);
    nm_context_free(ctx);
    return status == NM_OK ? 0 : 2;
}
