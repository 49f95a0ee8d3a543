/* A predictor, for the files of the public interface. */
#ifndef NM_PREDICTOR_H
#define NM_PREDICTOR_H

#include "image.h"
#include "train.h"

struct nm_predictor {
    nm_network *net;
    const nm_train_settings *settings; /* the network's */
    nm_normalisation normalisation;    /* of no channels where the checkpoint has none */
    real *table;                       /* of pixels; NULL until the first are given */
    nm_plan *plan;                     /* NULL until something is predicted */
    int at_once;                       /* images at once: as many as fit into memory; 0: not known yet */
    real *x;                           /* [at_once][h][w][c] */
    char *file;                        /* the checkpoint */
    uint64_t step, epoch;              /* 0: the checkpoint has none */
    char *classes;                     /* names, one a line; NULL: the checkpoint has none */
    char *names;                       /* the same, with a zero behind each */
    nm_image_reader images;            /* by the rules of training */
    size_t inputs, outputs;
    char culprit[NM_CULPRIT]; /* of the last images whose outputs were not finite */
};

/* Makes p->table where it is not there yet. */
nm_status nm_predictor_need_table(nm_context *ctx, nm_predictor *p) NM_MUST_USE;

#endif
