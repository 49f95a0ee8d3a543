/* Watching units: percentiles of a layer's input over each batch, as figure 1 (b, c) of Ioffe and
 * Szegedy 2015. */
#ifndef NM_WATCH_H
#define NM_WATCH_H

#include "run_dir.h"

typedef struct nm_watch nm_watch;

/* `units` are "LAYER/UNIT": channel UNIT of what layer LAYER reads. *out is NULL where there are
 * none. */
nm_status nm_watch_new(nm_context *ctx, const nm_network *net, const nm_strings *units, int batch,
                       nm_watch **out) NM_MUST_USE;
/* The nodes whose output must stay readable; *count of them. NULL and 0 without a watch. */
const int *nm_watch_nodes(const nm_watch *watch, int *count);
/* Opens watch.csv. Rows after `step` are dropped: a resumed run writes them again. */
nm_status nm_watch_open(nm_watch *watch, const nm_run_dir *run, uint64_t step) NM_MUST_USE;
/* After forward of the batch whose update will be number `step`, from 1: appends a row for each
 * unit. */
void nm_watch_row(nm_watch *watch, const nm_plan *plan, const nm_batch *batch, uint64_t step);
/* Everything written so far is on the disk, or the reason why not. Also without watch.csv or a
 * watch. */
nm_status nm_watch_flush(nm_watch *watch) NM_MUST_USE;
void nm_watch_free(nm_watch *watch);

#endif
