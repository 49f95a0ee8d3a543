/* The reference of groupnorm, layernorm and instancenorm. */
#ifndef SAMPLE_NORM_CHECK_H
#define SAMPLE_NORM_CHECK_H

#include "layer_check.h"
#include "run_suite.h"

#include <math.h>

static int groups; /* 0: as many as channels */
static bool elements;
static double epsilon = 1e-5;

static void reference(const layer_run *r, double *y)
{
    nm_shape s = r->in[0];
    int g = groups ? groups : s.c, width = s.c / g;
    for (int n = 0; n < r->n; n++)
        for (int k = 0; k < g; k++) {
            double mean = 0, var = 0, m = (double)s.h * s.w * width;
            for (int pass = 0; pass < 3; pass++)
                for (int h = 0; h < s.h; h++)
                    for (int w = 0; w < s.w; w++)
                        for (int c = k * width; c < (k + 1) * width; c++) {
                            size_t i = at(s, n, h, w, c), p = elements ? at(s, 0, h, w, c) : (size_t)c;
                            double x = r->x[0][i];
                            if (pass == 0)
                                mean += x / m;
                            else if (pass == 1)
                                var += (x - mean) * (x - mean) / m;
                            else
                                y[i] = (x - mean) / sqrt(var + epsilon) * (r->param[0] ? r->param[0][p] : 1) +
                                       (r->param[1] ? r->param[1][p] : 0);
                        }
        }
}

#endif
