/* norma predict: what its files share. */
#ifndef PREDICT_H
#define PREDICT_H

#include "cli.h"

typedef struct predict_args {
    const char *checkpoint;
    char **files; /* points into argv */
    int count, top, threads;
    bool json, invert;
} predict_args;

enum { PREDICT_AT_ONCE = 64 }; /* images */

/* A network at work. */
typedef struct oracle {
    nm_context *ctx;
    const predict_args *args;
    nm_predictor *predictor;
    size_t image; /* bytes of an image of the network's size */
    int classes;
    int waiting;                 /* images that are to be predicted together */
    char *name[PREDICT_AT_ONCE]; /* [waiting]: of the images */
    uint8_t *pixels;             /* [PREDICT_AT_ONCE][image] */
    float *scores;               /* [PREDICT_AT_ONCE][classes], or probabilities */
} oracle;

/* Prints the most probable classes of an image; its scores [classes] are all NaN where it has no
 * class. */
nm_status predict_print(const oracle *o, const char *name, const float *scores) __attribute__((warn_unused_result));

#endif
