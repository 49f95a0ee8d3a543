/* How scores become probabilities: what a loss does to its prediction itself, and what a layer's
 * output already is. */
#ifndef NM_ACTIVATION_H
#define NM_ACTIVATION_H

typedef enum nm_activation {
    NM_LINEAR,  /* none: scores, or values of any kind */
    NM_SOFTMAX, /* over the channels of each pixel */
    NM_SIGMOID, /* of each number by itself */
} nm_activation;

/* "softmax", "sigmoid", "none". */
const char *nm_activation_name(nm_activation activation);

#endif
