/* What `norma visualize` looks at, and the sheets that it draws from it. */
#ifndef VISUALIZE_H
#define VISUALIZE_H

#include "cli.h"

#include <norma/fail.h>
#include <norma/shape.h>
#include <norma/training.h>

#include <stdio.h>

enum { BATCH = 64 };

typedef struct visualize_args {
    const char *checkpoint, *data, *output, *image, *unit;
    int sample;
} visualize_args;

/* Everything that the sheets look at: a batch that has gone forward and backward in train mode, an
 * image that has gone forward in evaluation mode. */
typedef struct view {
    nm_context *ctx;
    const visualize_args *args;
    nm_predictor *predictor;
    nm_network *net; /* the predictor's */
    int layers, inputs, parameters;
    nm_layer_info *layer;      /* [layers]; the first `inputs` are the inputs */
    nm_parameter *parameter;   /* [parameters] */
    nm_receptive_field *field; /* [layers] */
    nm_data *data;
    int *order;              /* [training samples] */
    nm_real *x;              /* [BATCH][h][w][c] */
    int32_t *labels;         /* [BATCH][labels of a sample]; NULL: the data has none */
    nm_trainer *train, *one; /* of BATCH samples in train mode; of one in evaluation mode */
    nm_real *image;          /* normalised, of the input's shape */
    char *folder;
    bool not_drawn; /* gnuplot or a font is missing, which has been reported */
} view;

/* ---- what is looked at (visualize_network.c) ---- */

/* Opens the checkpoint, and says which it is. What view_close is to free is there on failure too.
 */
nm_status view_open(view *v) NM_MUST_USE;
/* Opens the data, reads the image, and runs both through the network. */
nm_status view_run(view *v) NM_MUST_USE;
void view_close(view *v);
/* Batch number `step` of the training samples, in an order by chance that is always the same. */
nm_status view_batch(view *v, uint64_t step, nm_minibatch *out) NM_MUST_USE;

/* What a layer gives for one sample. */
nm_shape shape_of(const view *v, int layer);
/* The layer's weight, as an index of v->parameter; -1: it has none. */
int weight_of(const view *v, int layer);
/* The first convolution's weight, as an index of v->parameter; -1: none. */
int first_conv(const view *v);
/* Whether it reads an image's red, green and blue, so that its filters have colours. */
bool reads_colours(const view *v, int parameter);
/* The layers whose maps are shown, from the smallest field to the largest; how many: 0 to 3. */
int pick_maps(const view *v, int out[3]);
/* The layer whose field is measured; -1: none has a local one. */
int unit_of(const view *v);

/* ---- the panels of a sheet, as a gnuplot script (visualize_sheets.c) ---- */

/* What cannot be drawn is reported. */
typedef nm_status put_sheet(FILE *f, view *v);
put_sheet put_filters, put_maps, put_distributions, put_field;

#endif
