/* Choosing algorithms by measuring: `norma train --tune`. */
#ifndef NM_TUNE_H
#define NM_TUNE_H

#include "train.h"

/* Measures, for every layer that leaves its choice to planning, each algorithm in each pass of a
 * training step on noise, and writes the fastest into the document as that layer's option: so the
 * run and its checkpoints hold it, and resuming repeats it. What was measured is remembered in
 * $XDG_CACHE_HOME/norma/tuned (~/.cache/norma/tuned), a line for each CPU, number of threads, batch
 * and layer shape; a file that cannot be read or written only costs the measuring again. settings:
 * those of the document's `train:` section (batch, without, exact and no_fuse matter). *measured:
 * layers whose choice was not remembered; *known: those that were. */
nm_status nm_tune(nm_context *ctx, nm_yaml *document, int *measured, int *known) NM_MUST_USE;

#endif
