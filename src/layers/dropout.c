/* In train mode each number is zeroed with probability `rate`, and what stays is scaled by 1 / (1 -
 * rate) (Srivastava et al. 2014, inverted); in eval mode nothing happens. */
#include "dropout_template.h"

#define UNIT(shape) ((nm_dropout_unit){nm_shape_size(shape), 1})

NM_DROPOUT_TYPE(dropout, "Zeroes a random share of the numbers while training", "numbers", UNIT);
