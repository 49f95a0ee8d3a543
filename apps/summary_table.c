/* The table of norma summary. */
#include "summary.h"

#include <stdio.h>
#include <string.h>

/* 1234567 as "1,234,567". */
static const char *grouped(double value, char *text)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", value), used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

static void axes(const double v[2], const char *fmt, char *text, size_t size)
{
    char one[32], two[32];
    snprintf(one, sizeof one, fmt, v[0]);
    snprintf(two, sizeof two, fmt, v[1]);
    if (strcmp(one, two) == 0)
        snprintf(text, size, "%s", one);
    else
        snprintf(text, size, "%sx%s", one, two);
}

static const char *bytes(size_t count, char *text, size_t size)
{
    if (count < 1000000)
        snprintf(text, size, "%.1f kB", 1e-3 * (double)count);
    else
        snprintf(text, size, "%.1f MB", 1e-6 * (double)count);
    return text;
}

static void print_field(const nm_receptive *f)
{
    char size[48] = "whole", jump[48], start[48];
    if (!f->whole)
        axes(f->size, "%.0f", size, sizeof size);
    axes(f->jump, "%g", jump, sizeof jump);
    axes(f->start, "%g", start, sizeof start);
    printf(" %9s%s %6s %6s", size, f->gaps ? "*" : " ", f->whole ? "" : jump, f->whole ? "" : start);
}

/* The field of a join by one of its inputs: the largest path, and the smallest where there are several. */
static void print_path(const summary *s, int i, int k)
{
    nm_receptive f = nm_node_receptive(s->net, i, k, s->field), least = nm_node_receptive(s->net, i, k, s->least);
    char size[48];
    printf("  by %-82s", s->net->node[s->net->node[i].from[k]].name);
    print_field(&f);
    if (!least.whole && (f.whole || least.size[0] != f.size[0] || least.size[1] != f.size[1])) {
        axes(least.size, "%.0f", size, sizeof size);
        printf("  (smallest path: %s)", size);
    }
    putchar('\n');
}

/* Why its algorithms and no others. */
static void print_reasons(const summary *s, int i)
{
    char text[2048];
    nm_plan_explain(s->train ? s->train : s->eval, i, text, sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        printf("  not otherwise, %s\n", line);
}

static void print_layer(const summary *s, int i, bool verbose)
{
    const nm_node *node = &s->net->node[i];
    char shape[48], weights[48], cost[48], memory[32], chosen[256] = "";
    snprintf(shape, sizeof shape, "%dx%dx%d", node->out.h, node->out.w, node->out.c);
    printf("%-20s %-12s %-14s %9s %12s %16s", node->name, node->type ? node->type->name : "input", shape,
           bytes(output_bytes(node), memory, sizeof memory), grouped((double)nm_node_weights(s->net, i), weights),
           grouped(nm_node_cost(node), cost));
    print_field(&s->field[i]);
    if (verbose && i >= s->net->inputs)
        nm_plan_describe(s->train ? s->train : s->eval, i, chosen, sizeof chosen);
    printf("%s%s%s\n", *chosen ? "  " : "", chosen, s->anchor && i == s->suited ? "  <- anchor" : "");
    if (verbose && i >= s->net->inputs)
        print_reasons(s, i);
    for (int k = 0; verbose && node->inputs > 1 && k < node->inputs; k++)
        print_path(s, i, k);
}

static void print_anchor(const summary *s)
{
    if (s->suited < 0) {
        printf("anchor %d: no layer has a local field\n", s->anchor);
        return;
    }
    const nm_receptive *f = &s->field[s->suited];
    double off[2] = {f->start[0] - even_start(f->jump[0]), f->start[1] - even_start(f->jump[1])};
    char size[48], jump[48], start[48], wrong[48];
    axes(f->size, "%g", size, sizeof size);
    axes(f->jump, "%g", jump, sizeof jump);
    axes(f->start, "%g", start, sizeof start);
    axes(off, "%+g", wrong, sizeof wrong);
    printf("anchor %d: '%s' suits it, with a field of %s. Its units' centres lie at %s + k * %s; "
           "off an even grid by %s pixels\n", s->anchor, s->net->node[s->suited].name, size, start, jump, wrong);
}

static void print_memory(const char *mode, const nm_plan *plan, int threads, bool verbose)
{
    nm_plan_memory m = nm_plan_memory_use(plan);
    printf("memory, %s: %.1f MB activations, %.1f MB scratch, %.1f MB gradients\n", mode, 1e-6 * (double)m.activations,
           1e-6 * ((double)m.scratch + threads * (double)m.thread_scratch), 1e-6 * (double)m.gradients);
    if (verbose)
        printf("  no plan can use less than %.1f MB activations (most alive at one moment); this one uses %.3f times "
               "that\n", 1e-6 * (double)m.lower_bound,
               m.lower_bound ? (double)m.activations / (double)m.lower_bound : 1);
}

void summary_print_table(const summary *s, bool verbose)
{
    char weights[48], cost[48], mode[64];
    bool gaps = false;
    printf("%-20s %-12s %-14s %9s %12s %16s %10s %6s %6s%s\n", "layer", "type", "output", "memory", "parameters",
           "multiply-adds", "field ", "jump", "start", verbose ? "  algorithm" : "");
    for (int i = 0; i < s->net->nodes; i++) {
        print_layer(s, i, verbose);
        gaps = gaps || s->field[i].gaps;
    }
    if (s->anchor)
        print_anchor(s);
    if (gaps)
        printf("* the field has gaps: pixels in it that are never read\n");
    printf("\n%s: %s parameters, %s multiply-adds a sample\n", s->net->name, grouped((double)s->parameters, weights),
           grouped(s->cost, cost));
    int threads = nm_context_threads(s->net->ctx);
    snprintf(mode, sizeof mode, "training, batch %d", s->batch);
    if (s->train)
        print_memory(mode, s->train, threads, verbose);
    snprintf(mode, sizeof mode, "evaluation, batch %d", s->batch);
    print_memory(mode, s->eval, threads, verbose);
}
