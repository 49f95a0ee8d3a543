/* One sample of a data set as a PNG. */
#ifndef DATA_PICTURE_H
#define DATA_PICTURE_H

#include "command.h"
#include "dataset.h"

/* Samples of one or three channels; others are refused, as is an index beyond the last. */
nm_status write_sample(nm_context *ctx, const nm_samples *samples, int index, const char *path) NM_MUST_USE;

#endif
