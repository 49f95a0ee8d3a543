/* norma bn-report: what its files share. */
#ifndef BN_REPORT_H
#define BN_REPORT_H

#include "command.h"

/* A batch norm against the population. */
typedef struct bn_comparison {
    int node;
    double rate;
    double mean_off, mean_off_most; /* |running - population mean| in population deviations: mean and largest channel */
    double var_least, var_most;     /* running variance over the population's */
} bn_comparison;

typedef struct bn_report {
    const trained *t;
    int count;
    bn_comparison *of; /* [count] */
    double train_loss, eval_loss;
} bn_report;

/* Compares the running statistics `running` (as net->states) with those of the population, which
 * the network holds, and prints what comes of it. Sets r->of; nm_free. */
nm_status bn_report_print(nm_context *ctx, bn_report *r, const real *running, bool json) NM_MUST_USE;

#endif
