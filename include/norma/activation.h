/* norma: how scores become probabilities: what a loss does to its prediction itself, and what a
 * layer's output already is. */
#ifndef NORMA_ACTIVATION_H
#define NORMA_ACTIVATION_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nm_activation {
    NM_LINEAR,  /* none: scores, or values of any kind */
    NM_SOFTMAX, /* over the channels of each pixel */
    NM_SIGMOID, /* of each number by itself */
} nm_activation;

/* "softmax", "sigmoid", "none". */
NM_API const char *nm_activation_name(nm_activation activation);

#ifdef __cplusplus
}
#endif

#endif
