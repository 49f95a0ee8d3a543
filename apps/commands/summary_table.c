/* The table of norma summary. */
#include "algorithm_choice.h"
#include "characters.h"
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

const char *summary_bytes(size_t count, char *text, size_t size)
{
    if (count < 1000000)
        snprintf(text, size, "%.1f kB", 1e-3 * (double)count);
    else
        snprintf(text, size, "%.1f MB", 1e-6 * (double)count);
    return text;
}

/* Columns of the layers' names. */
static int name_width(const nm_network *net)
{
    int width = 20;
    for (int i = 0; i < net->nodes; i++)
        width = wider(width, net->node[i].name);
    return width;
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

/* "4", or what has too many digits to be read as "1.8e+16". */
static const char *number_of_paths(double count, char *text)
{
    if (count < 1e9)
        return grouped(count, text);
    sprintf(text, "%.1e", count);
    return text;
}

/* Whether they differ in nothing but their sizes, so that one line has both. */
static bool share_a_line(const nm_receptive *a, const nm_receptive *b)
{
    if (a->whole || b->whole || a->gaps != b->gaps)
        return a->whole && b->whole && a->gaps == b->gaps;
    for (int axis = 0; axis < 2; axis++)
        if (a->jump[axis] != b->jump[axis] || a->start[axis] != b->start[axis])
            return false;
    return true;
}

/* The sizes of the fields that share the line of `first`, the largest first: "11, 9 x2, 7"; of very
 * many the middle is left out. `below`: in lines of their own, as wide as the table. */
static void print_sizes(const nm_paths *by, int first, int sizes, bool below)
{
    enum { MOST = 40, BEGIN = 12, END = 6, INDENT = 5, WIDTH = 112 };
    char size[96], count[48], item[192];
    int column = WIDTH;
    for (int i = first, at = 0; at < sizes; i++) {
        const nm_path_field *f = &by->field[i];
        if (!share_a_line(&by->field[first].field, &f->field))
            continue;
        at++;
        axes(f->field.size, "%.0f", size, sizeof size);
        if (sizes > MOST && at == BEGIN + 1)
            snprintf(item, sizeof item, "%d more sizes", sizes - BEGIN - END);
        else if (sizes > MOST && at > BEGIN && at <= sizes - END)
            continue;
        else if (f->paths > 1)
            snprintf(item, sizeof item, "%s x%s", size, number_of_paths(f->paths, count));
        else
            snprintf(item, sizeof item, "%s", size);
        bool wrap = below && column + (int)strlen(item) + 2 > WIDTH;
        const char *comma = at == 1 ? "" : wrap ? "," : ", ";
        int printed = printf("%s%s%*s%s", comma, wrap ? "\n" : "", wrap ? INDENT : 0, "", item);
        column = wrap ? INDENT + (int)strlen(item) : column + printed;
    }
}

/* Field f of a join's input and those that differ from it in nothing but their size. */
static void print_alike(const nm_paths *by, int f)
{
    enum { BESIDE = 8 }; /* more sizes stand below the line */
    char count[48];
    double paths = 0;
    int sizes = 0;
    for (int i = f; i < by->count; i++)
        if (share_a_line(&by->field[f].field, &by->field[i].field)) {
            paths += by->field[i].paths;
            sizes++;
        }
    print_field(&by->field[f].field);
    if (by->count > 1 || paths > 1)
        printf("  (%s path%s%s", number_of_paths(paths, count), paths > 1 ? "s" : "",
               sizes > 1 && sizes <= BESIDE ? ": " : ")");
    if (sizes > 1)
        print_sizes(by, f, sizes, sizes > BESIDE);
    puts(sizes > 1 && sizes <= BESIDE ? ")" : "");
}

/* The fields of a join by one of its inputs: a line for each jump and start, with the largest field
 * on it. */
static void print_paths(const summary *s, int i, int k)
{
    const nm_paths *by = &s->paths[i].by[k];
    for (int f = 0; f < by->count; f++) {
        int first = 0;
        while (!share_a_line(&by->field[first].field, &by->field[f].field))
            first++;
        if (first < f)
            continue;
        const char *name = f ? "" : s->net->node[s->net->node[i].from[k]].name;
        printf("  %s %-*s", f ? "  " : "by", padded_width(name, s->name_width + 62), name);
        print_alike(by, f);
    }
}

/* Why its algorithms and no others. */
static void print_reasons(const summary *s, int i)
{
    char text[2048] = "";
    const nm_node *node = &s->net->node[i];
    if (node->type && node->type->algorithms)
        node->type->algorithms->explain(node->self, nm_plan_choice(s->train ? s->train : s->eval, i), text,
                                        sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        printf("  not otherwise, %s\n", line);
}

static void print_layer(const summary *s, int i, bool verbose)
{
    const nm_node *node = &s->net->node[i];
    char shape[48], weights[48], cost[48], memory[32], chosen[256] = "";
    snprintf(shape, sizeof shape, "%dx%dx%d", node->out.h, node->out.w, node->out.c);
    printf("%-*s %-12s %-14s %9s %12s %16s", padded_width(node->name, s->name_width), node->name,
           node->type ? node->type->name : "input", shape, summary_bytes(output_bytes(node), memory, sizeof memory),
           grouped((double)nm_node_weights(s->net, i), weights), grouped(nm_node_cost(node), cost));
    print_field(&s->field[i]);
    if (verbose && i >= s->net->inputs)
        nm_plan_describe(s->train ? s->train : s->eval, i, chosen, sizeof chosen);
    printf("%s%s%s\n", *chosen ? "  " : "", chosen, s->anchor && i == s->suited ? "  <- anchor" : "");
    if (verbose && i >= s->net->inputs)
        print_reasons(s, i);
    for (int k = 0; verbose && node->inputs > 1 && k < node->inputs; k++)
        print_paths(s, i, k);
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
           "off an even grid by %s pixels\n",
           s->anchor, s->net->node[s->suited].name, size, start, jump, wrong);
}

const char *summary_plan_title(const summary *s, const char *mode, const nm_plan *plan, char *text, size_t size)
{
    nm_plan_program program = nm_plan_program_of(plan);
    int used = snprintf(text, size, "%s, batch %d", mode, s->batch);
    if (program.shards)
        snprintf(text + used, size - (size_t)used, " in %d shards of %d", program.shards, program.shard_samples);
    return text;
}

static void print_memory(const summary *s, const char *mode, const nm_plan *plan, bool verbose)
{
    nm_plan_memory m = nm_plan_memory_use(plan);
    int threads = nm_context_threads(s->net->ctx);
    char title[64];
    printf("memory, %s: %.1f MB activations, %.1f MB scratch, %.1f MB gradients",
           summary_plan_title(s, mode, plan, title, sizeof title), 1e-6 * (double)m.activations,
           1e-6 * ((double)m.scratch + threads * (double)m.thread_scratch), 1e-6 * (double)m.gradients);
    if (m.sums)
        printf(", %.1f MB sums of shards", 1e-6 * (double)m.sums);
    puts("");
    if (verbose)
        printf("  no plan can use less than %.1f MB activations (most alive at one moment); this one uses %.3f times "
               "that\n",
               1e-6 * (double)m.lower_bound, m.lower_bound ? (double)m.activations / (double)m.lower_bound : 1);
}

/* Whether any field that was printed has a star. */
static bool printed_gaps(const summary *s, bool verbose)
{
    for (int i = 0; i < s->net->nodes; i++) {
        if (s->field[i].gaps)
            return true;
        for (int k = 0; verbose && s->paths[i].by && k < s->net->node[i].inputs; k++)
            for (int f = 0; f < s->paths[i].by[k].count; f++)
                if (s->paths[i].by[k].field[f].field.gaps)
                    return true;
    }
    return false;
}

void summary_print_table(summary *s, bool verbose)
{
    char weights[48], cost[48];
    s->name_width = name_width(s->net);
    printf("%-*s %-12s %-14s %9s %12s %16s %10s %6s %6s%s\n", s->name_width, "layer", "type", "output", "memory",
           "parameters", "multiply-adds", "field ", "jump", "start", verbose ? "  algorithm" : "");
    for (int i = 0; i < s->net->nodes; i++)
        print_layer(s, i, verbose);
    if (s->anchor)
        print_anchor(s);
    if (printed_gaps(s, verbose))
        printf("* the field has gaps: pixels in it that are never read\n");
    printf("\n%s: %s parameters, %s multiply-adds a sample\n", s->net->name, grouped((double)s->parameters, weights),
           grouped(s->cost, cost));
    if (s->train)
        print_memory(s, "training", s->train, verbose);
    print_memory(s, "evaluation", s->eval, verbose);
}
