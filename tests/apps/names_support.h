/* What the tests of names share: runs and models that have them, and what must not come of it. */
#ifndef NAMES_SUPPORT_H
#define NAMES_SUPPORT_H

#include "program.h"

#include "h5.h"

#include <errno.h>

#define HEAD "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n"
static const char rows[] = HEAD "1,10,0.1,2,0.3,1.9,0.4,1.5\n2,20,0.1,1,0.6,1.1,0.7,3\n";

/* A run directory that has nothing but curves, below `parent`. */
static inline void make_run(const char *parent, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", parent, name);
    ck_assert_msg(mkdir(parent, 0777) == 0 || errno == EEXIST, "%s", parent);
    ck_assert_msg(mkdir(path, 0777) == 0, "%s", path);
    snprintf(path, sizeof path, "%s/%s/metrics.csv", parent, name);
    write_text(path, rows);
}

/* A network on a few images of 8x8, so that training and drawing take no time. */
#define INPUT "input: {height: 8, width: 8, channels: 1}\n"
#define TRAINING "loss: softmax_ce\ntrain: {data: 'hdf5:data.h5', steps: 1, batch: 16}\n"
#define LAYERS INPUT "layers:\n- {name: c1, conv: {filters: 2}}\n- {name: logits, dense: {units: 10}}\n" TRAINING

static inline void write_small_data(void)
{
    enum { COUNT = 64, PIXELS = 64 };
    static uint8_t x[COUNT * PIXELS], y[COUNT];
    nm_context *ctx = nm_context_new();
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_new(ctx, "data.h5", &h5), NM_OK);
    for (int i = 0; i < COUNT; i++) {
        y[i] = (uint8_t)(i % 10);
        for (int p = 0; p < PIXELS; p++)
            x[i * PIXELS + p] = (uint8_t)(p * (i + 3));
    }
    for (int split = 0; split < 2; split++) {
        const size_t dims[] = {COUNT, 8, 8};
        ck_assert_int_eq(nm_h5_write(h5, split ? "/test/x" : "/train/x", NM_H5_U8, 3, dims, x), NM_OK);
        ck_assert_int_eq(nm_h5_write(h5, split ? "/test/y" : "/train/y", NM_H5_U8, 1, dims, y), NM_OK);
    }
    ck_assert_int_eq(nm_h5_save(h5, "data.h5", false), NM_OK);
    nm_h5_free(h5);
    nm_context_free(ctx);
}

/* m.yaml of this name, as YAML has it. */
static inline void write_named(const char *name)
{
    char model[2048];
    snprintf(model, sizeof model, "name: %s\n" LAYERS, name);
    write_text("m.yaml", model);
}

/* No command ran that a name was. */
static inline void nothing_ran(void)
{
    expect(0, "test -z \"$(find . -name 'PWNED*' -print -quit)\"");
}

/* No byte that would move a cursor; gnuplot begins its pictures of letters with a form feed. */
static inline void is_plain(const char *text)
{
    for (const char *at = text; *at; at++)
        ck_assert_msg((unsigned char)*at >= ' ' || *at == '\n' || *at == '\f', "byte %d in: %.1000s", *at, text);
    ck_assert_ptr_null(strstr(text, "\xc2\x9b"));
    ck_assert_ptr_null(strchr(text, 0x7f));
}

/* Where no gnuplot is, scripts are written all the same and the status is 1. */
static inline said draws(const char *command)
{
    said s = shell("%s", command);
    ck_assert_msg(s.status == (has_gnuplot() ? 0 : 1), "%s: status %d, said: %s", command, s.status, s.err);
    ck_assert_msg(!has_gnuplot() || !strstr(s.err, "line "), "gnuplot said: %s", s.err);
    is_plain(s.out);
    is_plain(s.err);
    nothing_ran();
    return s;
}

#endif
