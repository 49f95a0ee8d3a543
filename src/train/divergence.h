/* Which layer a network stops giving finite numbers at: looked for where something is known to be
 * wrong, so it may take its time. */
#ifndef NM_DIVERGENCE_H
#define NM_DIVERGENCE_H

#include "checkpoint.h"

#include <stddef.h>

enum { NM_CULPRIT = 160 };

/* "the output of conv 'c1'": the first layer, in the order of computation, whose output for this
 * batch holds NaN or infinity; "input 'input'" where the samples do. false: none was found, and
 * `text` is empty. The network's values are as before afterwards; in NM_EVAL nothing of it is
 * written. */
bool nm_find_culprit(nm_network *net, nm_mode mode, const nm_batch *batch, char text[NM_CULPRIT]);

/* The first tensor that holds NaN or infinity: a parameter, a running statistic, or a slot of the
 * optimizer's (state NULL: these are not looked at), as "momentum of c1/weight". false: none does.
 */
bool nm_find_not_finite(const nm_network *net, const nm_train_state *state, char *text, size_t size);

#endif
