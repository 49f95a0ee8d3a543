/* norma summary --plan: what a plan does, operation by operation, and the memory for it. */
#include "command.h"
#include "summary.h"

#include <stdio.h>
#include <string.h>

/* The layer of an operation, and how many after it are done in the same one; a loss's type. */
static const char *name_of(const nm_network *net, const nm_plan *plan, const nm_plan_op *op, char *text, size_t size)
{
    int fused = 0;
    if (op->objective >= 0)
        return net->objective[op->objective].type->name;
    if (op->node < 0)
        return "";
    for (int i = op->node + 1; i < net->nodes && strcmp(op->kind, "sum") != 0; i++)
        fused += nm_plan_head(plan, i) == op->node;
    snprintf(text, size, fused ? "%s +%d" : "%s", net->node[op->node].name, fused);
    return text;
}

static void print_ops(const nm_network *net, const nm_plan *plan)
{
    char name[256], samples[32], scratch[32];
    printf("%4s %-12s %-24s %10s %9s  %-32s %s\n", "op", "kind", "layer", "samples", "scratch", "reads", "writes");
    for (int i = 0; i < nm_plan_ops(plan); i++) {
        nm_plan_op op = nm_plan_op_at(plan, i);
        size_t memory = op.scratch + op.thread_scratch * (op.by_thread ? 1 : (size_t)nm_context_threads(net->ctx));
        snprintf(samples, sizeof samples, "%d%s", op.samples, op.by_thread ? " a thread" : "");
        printf("%4d %s%-*s %-24s %10s %9s  %-32s %s\n", i, op.in_loop ? "  " : "", op.in_loop ? 10 : 12, op.kind,
               name_of(net, plan, &op, name, sizeof name), samples,
               memory ? summary_bytes(memory, scratch, sizeof scratch) : "", op.reads, op.writes);
    }
}

static void print_regions(const nm_plan *plan)
{
    char size[32];
    printf("\n%6s %12s %9s  %s\n", "region", "offset", "memory", "alive in operations");
    for (int i = 0; i < nm_plan_regions(plan); i++) {
        nm_plan_region_use r = nm_plan_region_at(plan, i);
        if (!r.intervals)
            continue;
        printf("%6d %12zu %9s  %d-%d", i, r.offset, summary_bytes(r.bytes, size, sizeof size), r.first[0], r.last[0]);
        if (r.intervals > 1)
            printf(", %d-%d", r.first[1], r.last[1]);
        printf("%s\n", r.arena ? "  (each thread has one)" : r.whole ? "  (all samples of the batch)" : "");
    }
}

static void print_plan(const summary *s, const char *mode, const nm_plan *plan)
{
    printf("%s, batch %d: %d operations, %.1f MB activations\n\n", mode, s->batch, nm_plan_ops(plan),
           1e-6 * (double)nm_plan_memory_use(plan).activations);
    print_ops(s->net, plan);
    print_regions(plan);
}

void summary_print_plans(const summary *s)
{
    if (s->train) {
        print_plan(s, "training", s->train);
        puts("");
    }
    print_plan(s, "evaluation", s->eval);
}

static json_t *op_json(const nm_network *net, const nm_plan *plan, int index)
{
    char name[256];
    nm_plan_op op = nm_plan_op_at(plan, index);
    return json_pack("{s:s, s:s, s:i, s:b, s:b, s:I, s:I, s:s, s:s}", "kind", op.kind, "layer",
                     name_of(net, plan, &op, name, sizeof name), "samples", op.samples, "in_loop", op.in_loop,
                     "by_thread", op.by_thread, "scratch_bytes", (json_int_t)op.scratch, "thread_scratch_bytes",
                     (json_int_t)op.thread_scratch, "reads", op.reads, "writes", op.writes);
}

static json_t *region_json(const nm_plan *plan, int index)
{
    nm_plan_region_use r = nm_plan_region_at(plan, index);
    json_t *alive = json_array();
    for (int i = 0; i < r.intervals; i++)
        json_array_append_new(alive, json_pack("[i,i]", r.first[i], r.last[i]));
    return json_pack("{s:I, s:I, s:b, s:b, s:o}", "offset", (json_int_t)r.offset, "bytes", (json_int_t)r.bytes, "whole",
                     r.whole, "arena", r.arena, "alive", alive);
}

json_t *summary_plan_json(const summary *s, const nm_plan *plan)
{
    json_t *ops = json_array(), *regions = json_array();
    for (int i = 0; i < nm_plan_ops(plan); i++)
        json_array_append_new(ops, op_json(s->net, plan, i));
    for (int i = 0; i < nm_plan_regions(plan); i++)
        json_array_append_new(regions, region_json(plan, i));
    return json_pack("{s:o, s:o}", "operations", ops, "regions", regions);
}
