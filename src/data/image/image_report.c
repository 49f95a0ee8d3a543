/* What was done to the images, told once at the end. */
#include "image.h"

#include <stdio.h>

static void report_count(const nm_image_reader *r, const nm_image_count *n, const char *what)
{
    if (n->count == 1 && r->images == 1)
        nm_log(r->ctx, "%s: %s", n->first, what);
    else if (n->count > 0)
        nm_log(r->ctx, "%d of %d images: %s; the first is %s", n->count, r->images, what, n->first);
}

void nm_image_report(const nm_image_reader *r)
{
    char text[320];
    snprintf(text, sizeof text, "the file has a fault that decoding can pass over (%s)", r->warning);
    report_count(r, &r->warned, text);
    report_count(r, &r->rotated,
                 "EXIF says that the camera was turned; the pixels are taken as stored (orient: true turns them)");
    report_count(r, &r->transparent,
                 r->rules.background == NM_BACKGROUND_WHITE
                     ? "transparent pixels were put over white"
                     : "transparent pixels were put over black (background: white)");
    report_count(r, &r->made_grey, "in colour, made grey");
    report_count(r, &r->made_rgb, "grey, made RGB");
    snprintf(text, sizeof text, "resized%s", r->rules.fit == NM_FIT_CROP ? ", and cropped at the longer side" : "");
    report_count(r, &r->resized, text);
}
