/* norma summary --plan: what a plan does, operation by operation, and the memory for it. */
#include "command.h"
#include "operations.h"
#include "summary.h"

#include <stdio.h>

/* A plan, and its program. */
typedef struct printed {
    const nm_network *net;
    const nm_plan *plan;
    nm_plan_program program;
} printed;

static printed read_plan(const summary *s, const nm_plan *plan)
{
    return (printed){s->net, plan, nm_plan_program_of(plan)};
}

/* Whose samples it takes; NULL: the whole batch. */
static const nm_segment *segment_of(const printed *p, const nm_op *op)
{
    return operation_is_loop(op) ? &p->program.segment[op->index] : op->segment;
}

/* Only the gradients' zeros are not written shard by shard. */
static bool goes_by_shard(const printed *p, const nm_op *op)
{
    return p->program.shards && op->kind != NM_OP_ZERO;
}

/* How many it takes at once. */
static int samples_of(const printed *p, const nm_op *op)
{
    const nm_segment *segment = segment_of(p, op);
    return goes_by_shard(p, op) ? p->program.shard_samples : segment ? segment->slice : p->program.batch;
}

/* The regions that an operation reads, or writes: "x:3 saved:7", each as a use and a number. */
static const char *regions_of(const printed *p, const nm_op *op, bool written, char *text, size_t size)
{
    static const char *const uses[] = {"x", "y", "dy", "dx", "saved", "target", "part", "arena"};
    size_t used = 0;
    *text = '\0';
    for (const nm_access *a = op->access; a < op->access + op->accesses && used < size; a++)
        if (written ? a->write : a->read)
            used += (size_t)snprintf(text + used, size - used, "%s%s:%d", used ? " " : "", uses[a->use],
                                     (int)(nm_region_owner(a->region) - p->program.region));
    return text;
}

static void print_op(const printed *p, int index)
{
    char name[256], samples[32], scratch[32], reads[256], writes[256];
    const nm_op *op = &p->program.op[index];
    const nm_segment *segment = segment_of(p, op);
    bool by_thread = segment && segment->by_thread, in_loop = op->loop != NM_NONE && !operation_is_loop(op);
    size_t memory = op->scratch + op->thread_scratch * (by_thread ? 1 : (size_t)nm_context_threads(p->net->ctx));
    snprintf(samples, sizeof samples, "%d%s", samples_of(p, op),
             by_thread              ? " a thread"
             : goes_by_shard(p, op) ? " a shard"
                                    : "");
    printf("%4d %s%-*s %-24s %10s %9s  %-32s %s\n", index, in_loop ? "  " : "", in_loop ? 10 : 12, operation_kind(op),
           operation_layer(p->net, p->plan, op, name, sizeof name), samples,
           memory ? summary_bytes(memory, scratch, sizeof scratch) : "", regions_of(p, op, false, reads, sizeof reads),
           regions_of(p, op, true, writes, sizeof writes));
}

static void print_region(const printed *p, int index)
{
    char size[32];
    const nm_region *r = &p->program.region[index];
    if (r->first == NM_NONE)
        return;
    printf("%6d %12zu %9s  %d-%d%s\n", index, r->offset, summary_bytes(r->size, size, sizeof size), r->first, r->last,
           r->segment ? "  (each thread has one)"
           : r->whole ? "  (all samples of the batch)"
                      : "");
}

static void print_plan(const summary *s, const char *mode, const nm_plan *plan)
{
    printed p = read_plan(s, plan);
    nm_plan_memory m = nm_plan_memory_use(plan);
    char title[64];
    printf("%s: %d operations, %.1f MB activations", summary_plan_title(s, mode, plan, title, sizeof title),
           p.program.ops, 1e-6 * (double)m.activations);
    if (p.program.shards)
        printf(", %.1f MB sums of shards", 1e-6 * (double)m.sums);
    puts("\n");
    printf("%4s %-12s %-24s %10s %9s  %-32s %s\n", "op", "kind", "layer", "samples", "scratch", "reads", "writes");
    for (int i = 0; i < p.program.ops; i++)
        print_op(&p, i);
    printf("\n%6s %12s %9s  %s\n", "region", "offset", "memory", "alive in operations");
    for (int i = 0; i < p.program.regions; i++)
        print_region(&p, i);
}

void summary_print_plans(const summary *s)
{
    if (s->train) {
        print_plan(s, "training", s->train);
        puts("");
    }
    print_plan(s, "evaluation", s->eval);
}

static json_t *op_json(const printed *p, const nm_op *op)
{
    char name[256], reads[256], writes[256];
    const nm_segment *segment = segment_of(p, op);
    return json_pack("{s:s, s:s, s:i, s:b, s:b, s:b, s:I, s:I, s:s, s:s}", "kind", operation_kind(op), "layer",
                     operation_layer(p->net, p->plan, op, name, sizeof name), "samples", samples_of(p, op), "in_loop",
                     op->loop != NM_NONE && !operation_is_loop(op), "by_thread", segment && segment->by_thread,
                     "by_shard", goes_by_shard(p, op), "scratch_bytes", (json_int_t)op->scratch, "thread_scratch_bytes",
                     (json_int_t)op->thread_scratch, "reads", regions_of(p, op, false, reads, sizeof reads), "writes",
                     regions_of(p, op, true, writes, sizeof writes));
}

static json_t *region_json(const nm_region *r)
{
    json_t *alive = json_array();
    if (r->first != NM_NONE)
        json_array_append_new(alive, json_pack("[i,i]", r->first, r->last));
    return json_pack("{s:I, s:I, s:b, s:b, s:o}", "offset", (json_int_t)r->offset, "bytes", (json_int_t)r->size,
                     "whole", r->whole, "arena", r->segment != NULL, "alive", alive);
}

json_t *summary_plan_json(const summary *s, const nm_plan *plan)
{
    printed p = read_plan(s, plan);
    json_t *ops = json_array(), *regions = json_array();
    for (int i = 0; i < p.program.ops; i++)
        json_array_append_new(ops, op_json(&p, &p.program.op[i]));
    for (int i = 0; i < p.program.regions; i++)
        json_array_append_new(regions, region_json(&p.program.region[i]));
    return json_pack("{s:i, s:i, s:I, s:o, s:o}", "shards", p.program.shards, "shard_samples", p.program.shard_samples,
                     "shard_sum_bytes", (json_int_t)nm_plan_memory_use(plan).sums, "operations", ops, "regions",
                     regions);
}
