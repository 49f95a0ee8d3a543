/* What the tests of training share: a folder of their own, a small model, a run with some settings,
 * digests of files. */
#ifndef TRAIN_SUPPORT_H
#define TRAIN_SUPPORT_H

#include "alloc.h"
#include "file.h"
#include "loader.h"
#include "parse.h"
#include "run_suite.h"
#include "train.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 321 samples in batches of 32 leave a single one, which batch norm after a dense layer cannot be
 * trained on.
 */
#define SMALL_MODEL                                                                                                    \
    "name: small\n"                                                                                                    \
    "input: {height: 28, width: 28, channels: 1}\n"                                                                    \
    "layers:\n"                                                                                                        \
    "- {name: c1, conv: {filters: 4, kernel: 3, stride: 2}}\n"                                                         \
    "- batchnorm\n"                                                                                                    \
    "- relu\n"                                                                                                         \
    "- {name: p1, maxpool: {size: 2}}\n"                                                                               \
    "- {name: d1, dense: {units: 16}}\n"                                                                               \
    "- batchnorm\n"                                                                                                    \
    "- relu\n"                                                                                                         \
    "- dropout: {rate: 0.2}\n"                                                                                         \
    "- {name: logits, dense: {units: 10}}\n"                                                                           \
    "loss: softmax_ce\n"                                                                                               \
    "train: {data: mnist, epochs: 3, batch: 32, limit: 321, optimizer: {sgd: {lr: 0.05, momentum: 0.9}},\n"            \
    "  l2: 1.0e-4, schedule: cosine, save_every: 3s, keep: 2, seed: 7}\n"

static nm_context *ctx;
static char folder[64];

/* ---- a small data set in MNIST's files: 400 + 120 noisy images, each class a shift of stripes
 * ---- */

static void write_idx(const char *path, int rank, int count, const unsigned char *bytes, size_t size)
{
    const unsigned char head[16] = {
        0, 0, 8, (unsigned char)rank, 0, 0, (unsigned char)(count >> 8), (unsigned char)count, 0, 0, 0, 28, 0,
        0, 0, 28};
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(head, 1, rank == 3 ? 16 : 8, f), rank == 3 ? 16 : 8);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

static void write_split(const char *data, const char *stem, int count)
{
    char path[512];
    unsigned char *pixels = malloc((size_t)count * 784), *labels = malloc((size_t)count);
    nm_rng r = nm_rng_stream(1, "test", stem);
    for (int i = 0; i < count; i++) {
        labels[i] = (unsigned char)nm_rng_below(&r, 10);
        for (int k = 0; k < 784; k++) {
            bool on = (k / 28 / 3 + labels[i]) % 10 == k % 28 / 3;
            pixels[784 * i + k] = (unsigned char)((on ? 130 : 20) + (int)nm_rng_below(&r, 100));
        }
    }
    snprintf(path, sizeof path, "%s/mnist/%s-images-idx3-ubyte", data, stem);
    write_idx(path, 3, count, pixels, (size_t)count * 784);
    snprintf(path, sizeof path, "%s/mnist/%s-labels-idx1-ubyte", data, stem);
    write_idx(path, 1, count, labels, (size_t)count);
    free(pixels);
    free(labels);
}

static void make_data(void)
{
    char data[128], below[160];
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(below, sizeof below, "%s/mnist", data);
    ck_assert(mkdir(data, 0777) == 0 && mkdir(below, 0777) == 0);
    write_split(data, "train", 400);
    write_split(data, "t10k", 120);
    setenv("NORMA_DATA", data, 1);
}

/* A folder for one test; removed by the next tear_down. */
static void set_up_folder(void)
{
    ctx = nm_context_new();
    nm_context_set_threads(ctx, 2);
    snprintf(folder, sizeof folder, "/tmp/norma-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    make_data();
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    while (d && (entry = readdir(d))) {
        char below[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (unlink(below) != 0)
            remove_tree(below);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static void tear_down_folder(void)
{
    chmod(folder, 0700);
    remove_tree(folder);
    nm_context_free(ctx);
}

/* FOLDER/name; a few of them live at a time. */
static inline const char *in_folder(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline nm_yaml *parse_model(const char *text)
{
    nm_yaml *document = NULL;
    ck_assert_msg(nm_yaml_parse(ctx, "small.yaml", text, strlen(text), &document) == NM_OK, "%s",
                  nm_error_message(ctx, 0));
    return document;
}

/* Settings are "KEY=VALUE" with NULL at the end, keys as nm_document_set takes them. */
static inline nm_status train_request(const char *text, nm_train_request request, const char *const *settings,
                                      nm_train_result *result)
{
    nm_yaml *document = parse_model(text);
    for (; settings && *settings; settings++) {
        char key[128];
        const char *equals = strchr(*settings, '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - *settings), *settings);
        ck_assert_int_eq(nm_document_set(ctx, document, key, equals + 1), NM_OK);
    }
    request.document = document;
    nm_status status = nm_train(ctx, &request, result);
    nm_yaml_free(document);
    return status;
}
static inline nm_status train_with(const char *text, const char *run, bool resume, const volatile int *stop,
                                   const char *const *settings, nm_train_result *result)
{
    return train_request(text, (nm_train_request){.run = run, .resume = resume, .stop = stop}, settings, result);
}
#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline void free_result(nm_train_result *result)
{
    nm_train_result_free(result);
}

#define ck_assert_done(call) ck_assert_msg((call) == NM_OK, "%s", nm_error_message(ctx, 0))

static inline char *content(const char *path, size_t *size)
{
    char *bytes = NULL;
    ck_assert_done(nm_file_read(ctx, path, &bytes, size));
    return bytes;
}

static inline void write_content(const char *path, const char *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

/* Text digests of a file; several live at a time. */
static inline const char *digest_of(const char *path)
{
    static char texts[8][NM_DIGEST_SIZE];
    static int next;
    char *text = texts[next++ % 8];
    size_t size;
    char *bytes = content(path, &size);
    nm_digest(&(nm_bytes){bytes, size}, 1, text);
    nm_free(bytes);
    return text;
}

/* ---- interruption -------------------------------------------------------------------------- */

/* Asks for a stop at one step. */
typedef struct stopper {
    uint64_t at;
    volatile int stop;
} stopper;

static inline void stop_at(void *arg, const nm_progress *progress)
{
    stopper *s = arg;
    if (!progress->row && progress->step == s->at)
        s->stop = 1;
}

static inline nm_status train_until(const char *run, uint64_t at, const char *const *settings, nm_train_result *result)
{
    stopper s = {.at = at};
    nm_yaml *document = parse_model(SMALL_MODEL);
    for (; settings && *settings; settings++) {
        char key[64];
        const char *equals = strchr(*settings, '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - *settings), *settings);
        ck_assert_done(nm_document_set(ctx, document, key, equals + 1));
    }
    nm_train_request request = {
        .document = document, .run = run, .resume = true, .progress = stop_at, .arg = &s, .stop = &s.stop};
    nm_status status = nm_train(ctx, &request, result);
    nm_yaml_free(document);
    return status;
}

/* metrics.csv without its last column, in a buffer of the caller. */
static inline void metrics_of(const char *path, char *out, size_t capacity)
{
    size_t size, used = 0;
    char *text = content(path, &size);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *comma = strrchr(line, ',');
        ck_assert_ptr_nonnull(comma);
        *comma = '\0';
        used += (size_t)snprintf(out + used, capacity - used, "%s\n", line);
        ck_assert_uint_lt(used, capacity);
    }
    nm_free(text);
}

static inline void assert_same_runs(const char *a, const char *b)
{
    static const char *const files[] = {"last.h5", "best.h5", "model.yaml"};
    char first[512], second[512], rows[2][4096];
    for (int i = 0; i < 3; i++) {
        snprintf(first, sizeof first, "%s/%s", a, files[i]);
        snprintf(second, sizeof second, "%s/%s", b, files[i]);
        ck_assert_msg(strcmp(digest_of(first), digest_of(second)) == 0, "%s differs from %s", first, second);
    }
    snprintf(first, sizeof first, "%s/metrics.csv", a);
    snprintf(second, sizeof second, "%s/metrics.csv", b);
    metrics_of(first, rows[0], sizeof rows[0]);
    metrics_of(second, rows[1], sizeof rows[1]);
    ck_assert_str_eq(rows[0], rows[1]);
}

static void with_folder(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_folder, tear_down_folder);
}

/* The first message must have all the words. */
static inline void assert_message(const char *const *words)
{
    char all[4096] = "";
    for (int i = 0; i < nm_error_count(ctx); i++) {
        strncat(all, nm_error_message(ctx, i), sizeof all - strlen(all) - 2);
        strncat(all, "\n", sizeof all - strlen(all) - 1);
    }
    for (; *words; words++)
        ck_assert_msg(strstr(all, *words) != NULL, "'%s' is not in the messages: %s", *words, all);
    nm_errors_clear(ctx);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The loader of a training run of SMALL_MODEL, or of the test split. */
static inline nm_loader *loader_of(const nm_samples *samples, const nm_normalisation *norm, int limit, int batch,
                                   bool shuffle)
{
    nm_loader_settings settings = {
        .samples = samples, .limit = limit, .batch = batch, .shuffle = shuffle, .normalisation = *norm, .seed = 7};
    nm_loader *loader;
    ck_assert_done(nm_loader_new(ctx, &settings, &loader));
    return loader;
}

/* A fresh network with its data; norm is freed with nm_normalisation_free. */
static inline nm_network *network_and_data(const char *text, nm_dataset **data, nm_normalisation *norm)
{
    nm_network *net;
    nm_strings none = {0};
    ck_assert_done(nm_network_build(ctx, parse_model(text), &none, &net));
    nm_network_initialise(net, 7);
    ck_assert_done(nm_dataset_open(ctx, "mnist", NULL, data));
    ck_assert_done(nm_dataset_normalisation(ctx, &(*data)->train, norm));
    return net;
}

#endif
