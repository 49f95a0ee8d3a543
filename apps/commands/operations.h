/* What the operations of a plan's program are called, for whoever prints them. */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "network.h"
#include "plan_program.h"

/* A loop, or its end. */
bool operation_is_loop(const nm_op *op);
/* "forward", "recompute", … */
const char *operation_kind(const nm_op *op);
/* The layer of an operation, and how many after it are done in the same one: "c1 +2"; a loss's
 * type; "": it belongs to none. */
const char *operation_layer(const nm_network *net, const nm_plan *plan, const nm_op *op, char *text, size_t size);

#endif
