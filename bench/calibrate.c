/* Measures what the convolution algorithms take, layer by layer as the networks of models/ have
 * them, and prints the costs that make planning choose the fastest: the entry of this instruction
 * set and OpenBLAS kernel in src/layers/conv/conv_costs.c.
 *
 *     bench/calibrate [--check] [--seconds X] [--times FILE] MODEL.yaml...
 *
 * --check: prints the choice and the fastest algorithm for each instead, and exits 1 where less
 * than 95 % of the choices are within 10 % of the fastest. --times: the file keeps what was
 * measured, so that a call that was interrupted goes on. NORMA_ISA and OPENBLAS_CORETYPE say what
 * is measured; the machine should do nothing else. */
#include "calibrate.h"
#include "gemm.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct settings {
    bool check;
    double seconds;
    const char *times;
} settings;

static const double SLOWER = 1.1, SHARE = 0.95;

/* A line for each piece of work; returns whether enough of the choices are good. */
static bool check(const works *all, const nm_conv_costs *costs)
{
    int good = 0;
    double chosen_seconds = 0, fastest_seconds = 0;
    printf("%-64s %-14s %-14s %6s\n", "pass and layer", "chosen", "fastest", "ratio");
    for (int k = 0; k < all->count; k++) {
        const work *w = &all->list[k];
        const candidate *chosen = &w->of[chosen_of(w, costs)], *fastest = &w->of[fastest_of(w)];
        double ratio = regret_of(w, costs);
        printf("%-64s %-14s %-14s %6.2f%s\n", w->name, chosen->by->name, fastest->by->name, ratio,
               ratio > SLOWER ? "  slower" : "");
        good += ratio <= SLOWER;
        chosen_seconds += chosen->seconds / w->n;
        fastest_seconds += fastest->seconds / w->n;
    }
    printf("%d of %d choices (%.1f %%) are within %.0f %% of the fastest; all take %.3f times its time\n", good,
           all->count, 100.0 * good / all->count, 100 * (SLOWER - 1), chosen_seconds / fastest_seconds);
    return good >= SHARE * all->count;
}

static nm_status calibrate(nm_context *ctx, const settings *s, works *all, bool *good)
{
    NM_TRY(time_works(ctx, all, s->seconds, s->times));
    nm_conv_costs costs = *costs_here();
    if (s->check) {
        printf("instruction set %s, OpenBLAS's kernel for %s\n", nm_isa_name(nm_isa_level()), nm_gemm_core());
        *good = check(all, &costs);
        return NM_OK;
    }
    fit_costs(all, &costs);
    print_costs(&costs);
    *good = true;
    return NM_OK;
}

static int usage(void)
{
    fputs("usage: bench/calibrate [--check] [--seconds X] [--times FILE] MODEL.yaml...\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    nm_gemm_restart_with_core(argv);
    settings s = {.seconds = 0.1};
    works all = {0};
    bool good = false;
    nm_context *ctx = nm_context_new();
    nm_status status = ctx ? nm_gemm_check(ctx) : NM_FAILED;
    for (int i = 1; i < argc && status == NM_OK; i++) {
        if (strcmp(argv[i], "--check") == 0)
            s.check = true;
        else if (argv[i][0] != '-')
            status = collect_works(ctx, argv[i], &all);
        else if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0)
            s.seconds = atof(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "--times") == 0)
            s.times = argv[++i];
        else
            return usage();
    }
    if (status == NM_OK && all.count == 0)
        return usage();
    if (status == NM_OK)
        status = calibrate(ctx, &s, &all, &good);
    for (int i = 0; ctx && i < nm_error_count(ctx); i++)
        fprintf(stderr, "%s\n", nm_error_message(ctx, i));
    free(all.list);
    nm_context_free(ctx);
    return status == NM_OK && good ? 0 : 1;
}
