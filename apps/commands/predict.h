/* norma predict: what its files share. */
#ifndef PREDICT_H
#define PREDICT_H

#include "command.h"
#include "image.h"

typedef struct predict_args {
    const char *checkpoint;
    char **files; /* points into argv */
    int count, top, threads;
    bool json, invert;
} predict_args;

enum { PREDICT_AT_ONCE = 64 }; /* images */

/* A network and the names of what it predicts. */
typedef struct oracle {
    nm_context *ctx;
    const predict_args *args;
    nm_predictor *predictor;
    nm_shape in;
    nm_image_reader images; /* by the rules of the checkpoint */
    int classes, named;
    trained trained;
    char *text, **names;         /* [named] into text */
    int waiting;                 /* images that are to be predicted together */
    char *name[PREDICT_AT_ONCE]; /* [waiting]: of the images */
    uint8_t *pixels;             /* [PREDICT_AT_ONCE] images of the network's size */
    float *scores;               /* [PREDICT_AT_ONCE][classes], or probabilities */
    nm_status status;            /* of the first image that failed */
} oracle;

/* Prints the most probable classes of an image; its scores [classes] are all NaN where it has no
 * class. */
nm_status predict_print(const oracle *o, const char *name, const float *scores) NM_MUST_USE;

#endif
