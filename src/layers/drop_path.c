/* In train mode each sample is zeroed as a whole with probability `rate`, and what stays is scaled
 * by 1 / (1 - rate); in eval mode nothing happens. At the end of a residual branch it leaves the
 * shortcut alone (stochastic depth, Huang et al. 2016). */
#include "dropout_template.h"

#define UNIT(shape) ((nm_dropout_unit){1, nm_shape_size(shape)})

NM_DROPOUT_TYPE(drop_path, "Zeroes whole samples of a residual branch while training", "samples", UNIT);
