/* The receptive field behind one more layer. Private to src/core. */
#ifndef NM_FIELD_H
#define NM_FIELD_H

#include "network.h"

/* The window that the node's layer moves; a single pixel for a layer that has none. */
nm_window nm_field_window(const nm_node *node);
/* The field of its outputs, where its input has `field`. */
nm_receptive nm_field_through(const nm_node *node, nm_window window, nm_receptive field);

#endif
