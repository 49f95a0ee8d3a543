/* In train mode each channel of a sample is zeroed as a whole with probability `rate` (Tompson et
 * al. 2015; PyTorch's Dropout2d), and what stays is scaled by 1 / (1 - rate); in eval mode nothing
 * happens. */
#include "dropout_template.h"

#define UNIT(shape) ((nm_dropout_unit){(size_t)(shape).c, 1})

NM_DROPOUT_TYPE(spatial_dropout, "Zeroes a random share of the channels while training", "channels", UNIT);
