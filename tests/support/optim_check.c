/* Trajectories of optimizers and schedules. */
#include "optim_check.h"

#include "alloc.h"
#include "network.h"
#include "update.h"

#include <check.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 64, MOST_VALUES = 4096 };

typedef struct trajectory {
    nm_context *ctx;
    hid_t group;
    const char *name; /* of the type asked for */
    int found;
} trajectory;

static bool text_of(hid_t group, const char *name, char *to, size_t size)
{
    *to = '\0';
    if (H5Aexists(group, name) <= 0)
        return false;
    hid_t attribute = H5Aopen(group, name, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Aread(attribute, type, to);
    H5Tclose(type);
    H5Aclose(attribute);
    return true;
}

static double number_of(hid_t group, const char *name)
{
    double value = 0;
    hid_t attribute = H5Aopen(group, name, H5P_DEFAULT);
    ck_assert_int_ge(H5Aread(attribute, H5T_NATIVE_DOUBLE, &value), 0);
    H5Aclose(attribute);
    return value;
}

static int values_of(hid_t group, const char *name, double *to)
{
    hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space = H5Dget_space(set);
    int count = (int)H5Sget_simple_extent_npoints(space);
    ck_assert_int_le(count, MOST_VALUES);
    ck_assert_int_ge(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, to), 0);
    H5Sclose(space);
    H5Dclose(set);
    return count;
}

static void *options_of(trajectory *t, const nm_option *table, size_t size)
{
    char options[256];
    nm_yaml *given = NULL;
    void *self = nm_alloc(t->ctx, 1, size + 1);
    text_of(t->group, "options", options, sizeof options);
    ck_assert_int_eq(nm_yaml_parse(t->ctx, "t", options, strlen(options), &given), NM_OK);
    nm_status status = nm_options_read(t->ctx, table, self, given, NULL, t->name);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(t->ctx, 0));
    nm_yaml_free(given);
    return self;
}

typedef struct copies {
    real *w, *dw, *slot[4];
} copies;

static copies allocate(nm_context *ctx, size_t count)
{
    copies c = {nm_alloc(ctx, count, sizeof(real)), nm_alloc(ctx, count, sizeof(real)), {0}};
    for (int s = 0; s < 4; s++)
        c.slot[s] = nm_alloc(ctx, count, sizeof(real));
    return c;
}

static void release(copies *c)
{
    nm_free(c->w);
    nm_free(c->dw);
    for (int s = 0; s < 4; s++)
        nm_free(c->slot[s]);
}

/* Numbers of the test of cuts, more than two blocks; slots and the steps that are taken. */
enum { CUT_NUMBERS = 200, CUT_STEPS = 3 };

typedef struct cut_state {
    real w[CUT_NUMBERS], slot[4][CUT_NUMBERS];
} cut_state;

static void run_cut(trajectory *t, const nm_optimizer_type *type, const void *self, cut_state *state, int first, int n)
{
    const double lr = number_of(t->group, "lr"), l2 = number_of(t->group, "l2");
    for (int step = 1; step <= CUT_STEPS; step++) {
        real dw[CUT_NUMBERS];
        for (int i = 0; i < CUT_NUMBERS; i++)
            dw[i] = (real)sin(1.7 * i + step);
        nm_span span = {.count = (size_t)n, .w = state->w + first, .dw = dw + first, .l2 = l2};
        for (int s = 0; s < 4; s++)
            span.slot[s] = state->slot[s] + first;
        nm_optimize(type, self, &span, 1, lr, (uint64_t)step, 0, 1, NULL);
    }
}

/* Every run of 1 to 199 of 200 numbers gets the bits that all together get, and the others stay. */
static void check_every_cut(trajectory *t, const nm_optimizer_type *type, const void *self)
{
    static cut_state start, all, some, expected;
    memset(&start, 0, sizeof start);
    for (int i = 0; i < CUT_NUMBERS; i++)
        start.w[i] = (real)cos(2.3 * i);
    all = start;
    run_cut(t, type, self, &all, 0, CUT_NUMBERS);
    for (int n = 1; n < CUT_NUMBERS; n++)
        for (int first = 0; first + n <= CUT_NUMBERS; first++) {
            some = expected = start;
            run_cut(t, type, self, &some, first, n);
            memcpy(expected.w + first, all.w + first, (size_t)n * sizeof(real));
            for (int s = 0; s < type->slots; s++)
                memcpy(expected.slot[s] + first, all.slot[s] + first, (size_t)n * sizeof(real));
            ck_assert_msg(memcmp(&some, &expected, sizeof some) == 0,
                          "%s: numbers %d to %d of %d get other bits in a span of their own", t->name, first,
                          first + n - 1, CUT_NUMBERS);
        }
}

/* The span again and again behind itself, so that it is long enough to be cut: all repetitions must
 * stay equal. */
enum { REPEAT = 3000 };

/* NaN and infinity: a gradient that holds one changes nothing; a slot that does is found. */
static void check_bad_numbers(nm_context *ctx, const nm_optimizer_type *type, const void *self)
{
    enum { COUNT = 40000 }; /* several chunks */
    static const double bad[] = {(double)NAN, (double)INFINITY, (double)-INFINITY};
    copies c = allocate(ctx, COUNT);
    nm_span span = {.count = COUNT, .w = c.w, .dw = c.dw};
    memcpy(span.slot, c.slot, sizeof span.slot);
    real *before = nm_alloc(ctx, COUNT, sizeof *before);
    for (int k = 0; k < 3; k++) {
        nm_update_outcome outcome;
        size_t at = k * (COUNT - 1) / 2;
        for (size_t i = 0; i < COUNT; i++) {
            c.w[i] = (real)1;
            c.dw[i] = (real)0.5;
            for (int s = 0; s < type->slots; s++)
                c.slot[s][i] = 0;
        }
        nm_optimize(type, self, &span, 1, 0.01, 1, 0, 2, &outcome);
        ck_assert_int_eq(outcome, NM_UPDATED);
        memcpy(before, c.w, COUNT * sizeof *before);
        c.dw[at] = (real)bad[k];
        nm_optimize(type, self, &span, 1, 0.01, 2, 0, 2, &outcome);
        ck_assert_int_eq(outcome, NM_BAD_GRADIENT);
        ck_assert_mem_eq(before, c.w, COUNT * sizeof *before);
        c.dw[at] = (real)0.5;
        c.w[at] = (real)bad[k];
        nm_optimize(type, self, &span, 1, 0.01, 2, 0, 2, &outcome);
        ck_assert_int_eq(outcome, NM_BAD_UPDATE);
    }
    nm_free(before);
    release(&c);
}

static void run_optimizer(trajectory *t)
{
    static double w[MOST_VALUES], gradients[MOST_VALUES];
    const nm_optimizer_type *type = nm_type_find(t->ctx, NM_OPTIMIZER, t->name);
    ck_assert_ptr_nonnull(type);
    void *self = options_of(t, type->options, type->size);
    check_every_cut(t, type, self);
    check_bad_numbers(t->ctx, type, self);
    double start[64], lr = number_of(t->group, "lr"), l2 = number_of(t->group, "l2"),
                      clip = number_of(t->group, "clip");
    int n = values_of(t->group, "w0", start), steps = values_of(t->group, "gradients", gradients) / n;
    values_of(t->group, "w", w);
    int repeat = clip > 0 ? 1 : REPEAT;
    size_t count = (size_t)(n * repeat);
    copies c = allocate(t->ctx, count);
    for (size_t i = 0; i < count; i++)
        c.w[i] = (real)start[i % (size_t)n];
    for (int step = 0; step < steps; step++) {
        for (size_t i = 0; i < count; i++)
            c.dw[i] = (real)gradients[step * n + (int)(i % (size_t)n)];
        nm_span span = {.count = count, .w = c.w, .dw = c.dw, .l2 = l2};
        memcpy(span.slot, c.slot, sizeof span.slot);
        nm_optimize(type, self, &span, 1, lr, (uint64_t)step + 1, clip, 1 + step % 3, NULL);
        for (int i = 0; i < n; i++)
            ck_assert_msg(fabs((double)c.w[i] - w[step * n + i]) < 1e-6 * (1 + fabs(w[step * n + i])),
                          "%s: step %d, value %d: expected %.9g, found %.9g", t->name, step + 1, i, w[step * n + i],
                          (double)c.w[i]);
        ck_assert_msg(memcmp(c.w, c.w + n, (count - (size_t)n) * sizeof(real)) == 0,
                      "%s: step %d: other bits where the span is cut", t->name, step + 1);
    }
    release(&c);
    nm_options_free(type->options, self);
    nm_free(self);
    t->found++;
}

static void run_schedule(trajectory *t)
{
    static double factors[MOST_VALUES];
    const nm_schedule_type *type = nm_type_find(t->ctx, NM_SCHEDULE, t->name);
    ck_assert_ptr_nonnull(type);
    void *self = options_of(t, type->options, type->size);
    int steps = values_of(t->group, "factors", factors), per_epoch = (int)number_of(t->group, "steps_per_epoch");
    for (int step = 0; step < steps; step++) {
        double found = type->factor((uint64_t)step, (uint64_t)steps, (uint64_t)per_epoch, self);
        ck_assert_msg(fabs(found - factors[step]) < 1e-12, "%s: step %d: expected %.15g, found %.15g", t->name, step,
                      factors[step], found);
    }
    double whole = nm_schedule_rate(type, self, 2, 5, (uint64_t)steps, (uint64_t)per_epoch, 0);
    double warming = nm_schedule_rate(type, self, 2, 5, (uint64_t)steps, (uint64_t)per_epoch, 12);
    ck_assert_double_eq_tol(whole, 2 * factors[5], 1e-12);
    ck_assert_double_eq_tol(warming, 2 * factors[5] * 0.5, 1e-12);
    nm_options_free(type->options, self);
    nm_free(self);
    t->found++;
}

static herr_t each_group(hid_t file, const char *name, const H5L_info_t *info, void *arg)
{
    (void)info;
    trajectory *t = arg;
    char word[64];
    t->group = H5Gopen2(file, name, H5P_DEFAULT);
    if (text_of(t->group, "optimizer", word, sizeof word) && strcmp(word, t->name) == 0)
        run_optimizer(t);
    if (text_of(t->group, "schedule", word, sizeof word) && strcmp(word, t->name) == 0)
        run_schedule(t);
    H5Gclose(t->group);
    return 0;
}

static void check(const char *name)
{
    char path[1024];
    const char *folder = getenv("NORMA_GOLDEN");
    snprintf(path, sizeof path, "%s/optim.h5", folder ? folder : "tests/golden");
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_msg(file >= 0, "%s cannot be opened (NORMA_GOLDEN names its folder)", path);
    trajectory t = {.ctx = nm_context_new(), .name = name};
    H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, each_group, &t);
    H5Fclose(file);
    nm_context_free(t.ctx);
    ck_assert_int_gt(t.found, 0);
}

void check_optimizer(const char *name)
{
    check(name);
}

void check_schedule(const char *name)
{
    check(name);
}
