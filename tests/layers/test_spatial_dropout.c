/* spatial_dropout: each channel of a sample is zeroed as a whole or kept and scaled. */
#define DROPOUT "spatial_dropout"
#define EACH_CHANNEL true
#include "unit_dropout_check.h"
