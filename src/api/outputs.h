/* From a network's prediction to what callers get. Private to src/api. */
#ifndef NM_OUTPUTS_H
#define NM_OUTPUTS_H

#include "network.h"

/* What the loss makes of the scores y of one image: probabilities where it applies softmax or
 * sigmoid, otherwise the scores. false: they hold NaN or infinity, and so `out` is all NaN. */
bool nm_finish_outputs(const nm_network *net, const real *y, float *out);

#endif
