/* What `norma visualize` looks at, and the sheets that it draws from it. */
#ifndef VISUALIZE_H
#define VISUALIZE_H

#include "command.h"
#include "evaluate.h"

#include <stdio.h>

enum { BATCH = 64 };

typedef struct visualize_args {
    const char *checkpoint, *data, *output, *image, *unit;
    int sample;
} visualize_args;

/* Everything that the sheets look at: a batch that has gone forward and backward in train mode, an
 * image. */
typedef struct view {
    nm_context *ctx;
    const visualize_args *args;
    trained t;
    nm_dataset *data;
    nm_loader *loader;
    nm_plan *train, *eval; /* of BATCH samples; of one */
    nm_target_maker targets;
    nm_receptive *field; /* [nodes] */
    real *image;         /* normalised, of the input's shape */
    char *folder;
    bool not_drawn; /* gnuplot or a font is missing, which has been reported */
} view;

/* The first convolution's weight, as a number of net->param; -1: none. */
int first_conv(const nm_network *net);
/* Whether it reads an image's red, green and blue, so that its filters have colours. */
bool reads_colours(const nm_network *net, int param);
/* The layers whose maps are shown, from the smallest field to the largest; how many: 0 to 3. */
int pick_maps(const view *v, int out[3]);
/* The node whose field is measured; -1: none has a local one. */
int unit_of(const view *v);

/* The panels of a sheet, as a gnuplot script. What cannot be drawn is reported. */
typedef nm_status put_sheet(FILE *f, view *v);
put_sheet put_filters, put_maps, put_distributions, put_field;

#endif
