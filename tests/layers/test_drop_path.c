/* drop_path: each sample is zeroed as a whole or kept and scaled. */
#define DROPOUT "drop_path"
#define EACH_CHANNEL false
#include "unit_dropout_check.h"
