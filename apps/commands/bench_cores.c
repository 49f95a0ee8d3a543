#include "bench_cores.h"

#include "alloc.h"
#include "cli.h"
#include "operations.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the model --------------------------------------------------------------------------- */

/* Bytes a second. Beyond the threads there are a machine is taken to have as many a core as this.
 */
static double bandwidth_of(const bench_machine *m, int threads)
{
    double here = fmax(m->bandwidth[0], m->bandwidth[1]);
    return 1e9 * (threads > m->threads ? here * threads / m->threads : fmin(threads * m->bandwidth[0], here));
}

/* Threads meet in a tree. */
static double meeting_of(const bench_machine *m, int threads)
{
    double beyond = threads > m->threads ? log2((double)threads / m->threads) : 0;
    return threads > 1 ? m->round * (1 + beyond) : 0;
}

/* Bytes that an operation reads and writes at least once. */
static double bytes_of(const nm_plan_program *program, const nm_op *op)
{
    double bytes = 0;
    for (const nm_access *a = op->access; a < op->access + op->accesses && op->kind != NM_OP_RESULTS; a++) {
        double samples = (double)a->region->sample_size * program->batch;
        bytes += (a->read + a->write) * (samples > 0 ? samples : (double)a->region->size);
    }
    return bytes;
}

/* Threads that take slices of a loop for themselves keep what they hand on in their caches. */
static double memory_of(const bench_machine *m, const nm_plan_program *program, int op, int threads)
{
    if (op == program->ops || operation_is_loop(&program->op[op]) || program->op[op].loop != NM_NONE)
        return 0;
    return bytes_of(program, &program->op[op]) / bandwidth_of(m, threads);
}

/* ---- operations -------------------------------------------------------------------------- */

/* "forward c1 +2"; of a loop by thread, in which all is done, with its first layer. */
static void name_op(const nm_network *net, const nm_plan *plan, int index, char *text, size_t size)
{
    char layer[128];
    const nm_plan_program program = nm_plan_program_of(plan);
    const nm_op *op = &program.op[index], *first = op;
    if (index == program.ops) {
        snprintf(text, size, "%s", nm_plan_memory_use(plan).gradients ? "update" : "rest");
        return;
    }
    while (operation_is_loop(first) && first < program.op + program.ops - 1)
        first++;
    snprintf(text, size, "%s %s", operation_kind(op), operation_layer(net, plan, first, layer, sizeof layer));
}

static int by_time(const void *a, const void *b)
{
    const bench_cores_op *x = a, *y = b;
    return (x->allowed < y->allowed) - (x->allowed > y->allowed);
}

static void free_ops(bench_cores *c)
{
    for (int i = 0; i < c->ops; i++)
        json_decref(c->op[i].rounds);
    nm_free(c->op);
    c->ops = 0;
}

static void take_rounds(const bench_tasks *t, int op, bench_cores_op *to)
{
    to->tasks = 1;
    to->rounds = json_array();
    for (const bench_round *r = t->round; r < t->round + t->rounds; r++) {
        double all, longest = bench_tasks_longest(t, r, &all);
        if (r->op != op)
            continue;
        to->tasks = r->tasks > to->tasks ? r->tasks : to->tasks;
        json_array_append_new(to->rounds, json_pack("{s:i, s:f, s:f}", "tasks", r->tasks, "task_seconds", all,
                                                    "longest_seconds", longest));
    }
}

nm_status bench_cores_add(bench_cores *c, const bench_machine *m, nm_network *net, const nm_plan *plan,
                          const bench_tasks *tasks, int threads, double measured)
{
    nm_plan_program program = nm_plan_program_of(plan);
    bench_cores_row *row = &c->row[c->rows];
    *row = (bench_cores_row){.threads = threads, .measured = measured};
    free_ops(c);
    c->op = nm_alloc(net->ctx, (size_t)tasks->ops + 1, sizeof *c->op);
    if (!c->op)
        return NM_FAILED;
    c->ops = tasks->ops + 1;
    c->rows++;
    for (int i = 0; i < c->ops; i++) {
        int rounds;
        bench_cores_op *op = &c->op[i];
        name_op(net, plan, i, op->name, sizeof op->name);
        take_rounds(tasks, i, op);
        op->alone = bench_tasks_of_op(tasks, i, 1, &rounds);
        op->allowed = bench_tasks_of_op(tasks, i, threads, &rounds);
        row->alone += op->alone;
        row->allowed += op->allowed;
        row->expected += fmax(op->allowed, memory_of(m, &program, i, threads)) + rounds * meeting_of(m, threads);
        row->longest += bench_tasks_of_op(tasks, i, 0, &rounds);
    }
    qsort(c->op, (size_t)c->ops, sizeof *c->op, by_time);
    return NM_OK;
}

void bench_cores_free(bench_cores *c)
{
    free_ops(c);
    *c = (bench_cores){0};
}

/* ---- printing ---------------------------------------------------------------------------- */

enum { SHOWN_OPS = 12 };

static void print_rows(const bench_cores *c)
{
    printf("\n%s, %d samples a step: what its tasks allow\n", c->mode == NM_TRAIN ? "training" : "evaluation",
           c->batch);
    printf("%7s %9s %8s %9s %9s %9s %9s\n", "threads", "tasks ms", "allowed", "longest", "expected", "ms", "measured");
    for (const bench_cores_row *r = c->row; r < c->row + c->rows; r++) {
        printf("%7d %9.3f %8.2f %9.2f %9.2f %9.3f", r->threads, 1e3 * r->alone, r->alone / r->allowed,
               r->alone / r->longest, r->alone / r->expected, 1e3 * r->expected);
        if (r->measured > 0)
            printf(" %9.3f", 1e3 * r->measured);
        puts("");
    }
}

void bench_cores_print(const bench_cores *c)
{
    const bench_cores_row *last = &c->row[c->rows - 1];
    print_rows(c);
    printf("\nwhat holds up %d threads      ms of %.3f  speed-up  tasks  ms on one\n", last->threads,
           1e3 * last->allowed);
    for (int i = 0; i < c->ops && i < SHOWN_OPS; i++) {
        const bench_cores_op *op = &c->op[i];
        printf("%-28s %9.3f %9.2f %6d %9.3f\n", op->name, 1e3 * op->allowed, op->alone / fmax(op->allowed, 1e-12),
               op->tasks, 1e3 * op->alone);
    }
}

json_t *bench_cores_json(const bench_cores *c)
{
    json_t *rows = json_array(), *ops = json_array();
    for (const bench_cores_row *r = c->row; r < c->row + c->rows; r++)
        json_array_append_new(rows,
                              json_pack("{s:i, s:f, s:f, s:f, s:f, s:o}", "threads", r->threads, "task_seconds",
                                        r->alone, "speed_up_allowed", r->alone / r->allowed, "speed_up_longest",
                                        r->alone / r->longest, "expected_seconds", r->expected, "measured_seconds",
                                        r->measured > 0 ? json_number(r->measured) : json_null()));
    for (const bench_cores_op *op = c->op; op < c->op + c->ops; op++)
        json_array_append_new(ops, json_pack("{s:s, s:f, s:f, s:O}", "operation", op->name, "task_seconds", op->alone,
                                             "allowed_seconds", op->allowed, "rounds", op->rounds));
    return json_pack("{s:o, s:o}", "rows", rows, "operations", ops);
}
