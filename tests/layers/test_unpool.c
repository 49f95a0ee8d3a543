/* Unpooling against straight loops, numerical derivatives and PyTorch's values; that it is the
 * transpose of the pool.
 */
#include "layer_check.h"
#include "run_suite.h"

/* The network is x0 -> maxpool l -> unpool. */
static int size, stride, pad;
static bool over; /* ceil: a window that hangs over the border counts, if it begins inside */

static int count(int in)
{
    int windows = (in + 2 * pad - size + (over ? stride - 1 : 0)) / stride + 1;
    return over && (windows - 1) * stride >= in + pad ? windows - 1 : windows;
}

static void reference(const layer_run *r, double *y)
{
    nm_shape in = r->in[0];
    int oh = count(in.h), ow = count(in.w);
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(in); i++)
        y[i] = 0;
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < oh; i++)
            for (int j = 0; j < ow; j++)
                for (int c = 0; c < in.c; c++) {
                    size_t best = (size_t)-1;
                    for (int a = 0; a < size; a++)
                        for (int b = 0; b < size; b++) {
                            int h = i * stride - pad + a, w = j * stride - pad + b;
                            if (h < 0 || w < 0 || h >= in.h || w >= in.w)
                                continue;
                            size_t here = at(in, n, h, w, c);
                            if (best == (size_t)-1 || r->x[0][here] > r->x[0][best])
                                best = here;
                        }
                    y[best] += r->x[0][best];
                }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++) {
        over = i % 2;
        size = pick(1, over ? 5 : 3);
        stride = over ? size : pick(1, 3);
        pad = pick(0, size / 2);
        int least = over ? 1 : 3;
        check_layer(
            &(layer_case){text("maxpool: {size: %d, stride: %d, pad: %d, ceil: %s}\n- {name: u, unpool: {pool: l}}",
                               size, stride, pad, over ? "true" : "false"),
                          {{pick(least, 7), pick(least, 7), pick(1, 9)}},
                          .n = pick(1, 3),
                          .linear = true},
            reference);
    }
}
END_TEST

/* Other values than the pool's own: what the second input has, at the places of the first. */
START_TEST(other_values)
{
    for (int i = 0; i < 10; i++) {
        int h = pick(1, 4), w = pick(1, 4), c = pick(1, 5);
        check_layer(&(layer_case){"add: {}\n- {name: p, maxpool: {size: 2}, from: x0}\n"
                                  "- {name: q, avgpool: {size: 2}, from: x1}\n- {name: u, unpool: {pool: p}}",
                                  {{2 * h, 2 * w, c}, {2 * h, 2 * w, c}},
                                  .n = pick(1, 3)},
                    NULL);
    }
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"unpool: {pool: nowhere}", {{4, 4, 2}}},
                  "expected the name of a maxpool; there is no layer 'nowhere'");
    check_refused(&(layer_case){"relu: {}\n- unpool", {{4, 4, 2}}},
                  "6:3: unpool 'l.unpool': option 'pool'"); /* with its place, though bare */
    check_refused(&(layer_case){"relu: {}\n- {name: u, unpool: {pool: l}}", {{4, 4, 2}}},
                  "expected the name of a maxpool");
    check_refused(&(layer_case){"maxpool: {size: 2}\n- {name: q, maxpool: {size: 2}}\n- {name: u, unpool: {pool: l}}",
                                {{8, 8, 2}}},
                  "its input is 2x2x2; expected 4x4x2, what 'l' gives");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("unpool");
}
END_TEST

SUITE("unpool", random_shapes, other_values, refused, golden_values)
