#include "operations.h"

#include <stdio.h>

bool operation_is_loop(const nm_op *op)
{
    return op->kind == NM_OP_LOOP || op->kind == NM_OP_LOOP_END;
}

const char *operation_kind(const nm_op *op)
{
    static const char *const names[] = {"zero", "loop", "end",      "statistics", "forward",
                                        "loss", "sum",  "backward", "results"};
    return op->kind == NM_OP_FORWARD && op->phase == NM_PHASE_BACKWARD ? "recompute" : names[op->kind];
}

const char *operation_layer(const nm_network *net, const nm_plan *plan, const nm_op *op, char *text, size_t size)
{
    int fused = 0;
    if (op->kind == NM_OP_LOSS)
        return net->objectives ? net->objective[op->index].type->name : "";
    if (op->index < 0 || operation_is_loop(op))
        return "";
    for (int i = op->index + 1; i < net->nodes && op->kind != NM_OP_SUM; i++)
        fused += nm_plan_head(plan, i) == op->index;
    snprintf(text, size, fused ? "%s +%d" : "%s", net->node[op->index].name, fused);
    return text;
}
