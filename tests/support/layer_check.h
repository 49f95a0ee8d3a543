/* One layer under test, run through the real core: parsed from YAML, planned, run.
 *
 *     static void reference(const layer_run *r, double *y) {... straight loops in double ...}
 *     check_layer(&(layer_case){"maxpool: {size: 2}", {{5, 4, 3}}, .n = 2}, reference);
 *
 * check_layer compares forward with the reference; in the double build it compares backward with
 * numerical derivatives, naming the failing element; and it checks that the bits of everything are
 * the same for 1, 2, 3 and 8 threads, with tasks from the last to the first, for a second run, with
 * memory separate or shared, and (in eval mode) for each sample alone, its gradient too.
 *
 * Inputs are spread so that no two of them lie closer than the steps of the derivatives: a maximum
 * never changes hands and a relu's kink is never stepped over. */
#ifndef LAYER_CHECK_H
#define LAYER_CHECK_H

#include "network.h"

enum { MAX_INPUTS = 4, MAX_PARAMS = 8 };

typedef struct layer_case {
    const char *layer; /* "conv: {filters: 3}" */
    nm_shape in[MAX_INPUTS];
    int n;
    nm_mode mode;           /* 0: NM_EVAL */
    bool linear;            /* derivatives are exact up to rounding: 1e-7, otherwise 1e-6 */
    double float_tolerance; /* of forward in float, relative to the largest value; 0: 1e-5 */
} layer_case;

/* What a reference sees: everything in double. */
typedef struct layer_run {
    const nm_node *node;
    int n, inputs;
    nm_mode mode;
    nm_shape in[MAX_INPUTS], out;
    const double *x[MAX_INPUTS];
    const double *param[MAX_PARAMS]; /* in the order of declaration, as they were before forward */
} layer_run;

typedef void layer_reference(const layer_run *r, double *y);

void check_layer(const layer_case *c, layer_reference *reference);

/* Forward alone, for shapes that are too large for numerical derivatives. */
void check_layer_forward(const layer_case *c, layer_reference *reference);

/* Of a layer whose numbers do not depend on each other: 200 of them give the same bits, forward and
 * backward, in every run of 1 to 199 of them as in all, so that no rounding depends on a number's
 * place. */
void check_every_cut(const char *layer);

/* Output and gradients as those of the layer `other`, of the same weights; `tolerance` in float,
 * relative to the largest value. */
void check_layer_like(const layer_case *c, const char *other, double tolerance);

/* The layer's text must be refused with a message that contains `message`. Several inputs as in
 * `c`. */
void check_refused(const layer_case *c, const char *message);

/* Random numbers for cases: the same for each run of a test program. */
int pick(int least, int most);
/* printf into one of a few static buffers. */
const char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Where shapes are concerned: x[n][h][w][c]. */
static inline size_t at(nm_shape s, int n, int h, int w, int c)
{
    return (((size_t)n * (size_t)s.h + (size_t)h) * (size_t)s.w + (size_t)w) * (size_t)s.c + (size_t)c;
}

/* Fails unless every value lies within `tolerance` of the largest |expected| of its expected one;
 * NaN fails, and so does a result that is all zero where the expected is not. `what` opens the
 * message. */
void check_close(const char *what, const real *found, const double *expected, size_t count, double tolerance);
/* The same of two results in `real`, which must not be all zero. */
void check_alike(const char *what, const real *found, const real *expected, size_t count, double tolerance);
/* check_close without Check, for the comparator's own test: 0 where all is well, else the largest
 * relative error. */
double largest_error(const real *found, const double *expected, size_t count);

/* Every group of tests/golden/NAME.h5 is a case that PyTorch computed: forward, gradients, states.
 */
void check_golden(const char *name);

#endif
