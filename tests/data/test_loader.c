/* The loader: which samples make a batch, what becomes of their pixels, and that it can start
 * anywhere. */
#include "data_support.h"
#include "loader.h"

#include <math.h>

enum { COUNT = 23, H = 4, W = 3, C = 2, SIZE = H * W * C };

static uint8_t pixels[COUNT * SIZE];
static int32_t labels[COUNT];
static double mean[] = {0.25, 0.5}, deviation[] = {0.5, 2};
static const nm_samples samples = {COUNT, {H, W, C}, pixels, labels};

static nm_loader_settings settings(void)
{
    nm_rng r = nm_rng_stream(1, "test", "pixels");
    for (int i = 0; i < COUNT * SIZE; i++)
        pixels[i] = (uint8_t)nm_rng_below(&r, 256);
    for (int i = 0; i < COUNT; i++)
        labels[i] = i % 7;
    return (nm_loader_settings){
        .samples = &samples, .batch = 5, .shuffle = true, .seed = 3, .normalisation = {2, mean, deviation}};
}

/* Each epoch has every sample once, in an order of its own, and the last batch is short. */
START_TEST(epochs)
{
    nm_loader_settings s = settings();
    nm_loader *l;
    int order[3][COUNT];
    ck_assert_done(nm_loader_new(ctx, &s, &l));
    ck_assert_int_eq(nm_loader_steps_per_epoch(l), 5);
    for (uint32_t e = 0; e < 3; e++) {
        bool seen[COUNT] = {false};
        for (uint32_t p = 0; p < 5; p++) {
            const nm_loaded *b = nm_loader_next(l);
            ck_assert(b->epoch == e && b->position == p);
            ck_assert_int_eq(b->n, p < 4 ? 5 : 3);
            for (int i = 0; i < b->n; i++) {
                int k = b->indices[i];
                ck_assert(k >= 0 && k < COUNT && !seen[k]);
                seen[k] = true;
                order[e][5 * (int)p + i] = k;
                ck_assert_int_eq(b->labels[i], labels[k]);
                for (int v = 0; v < SIZE; v++)
                    ck_assert(b->x[i * SIZE + v] ==
                              (real)((pixels[k * SIZE + v] / 255.0 - (v % 2 ? 0.5 : 0.25)) / (v % 2 ? 2 : 0.5)));
            }
        }
    }
    nm_loader_free(l);
    ck_assert(memcmp(order[0], order[1], sizeof order[0]) != 0 && memcmp(order[1], order[2], sizeof order[0]) != 0);
}
END_TEST

/* Started at any step, it goes on as one that started at 0. */
START_TEST(starts_anywhere)
{
    nm_loader_settings s = settings();
    nm_augmentation a = {.flip = true, .pad_crop = 1, .affine = 0.5, .cutout = 2};
    s.augmentation = &a;
    static struct {
        int n, indices[5];
        real x[5 * SIZE];
    } whole[15];
    nm_loader *l;
    ck_assert_done(nm_loader_new(ctx, &s, &l));
    for (int i = 0; i < 15; i++) {
        const nm_loaded *b = nm_loader_next(l);
        whole[i].n = b->n;
        memcpy(whole[i].indices, b->indices, (size_t)b->n * sizeof(int));
        memcpy(whole[i].x, b->x, (size_t)b->n * SIZE * sizeof(real));
    }
    nm_loader_free(l);
    for (int start = 0; start < 15; start++) {
        s.first_step = (uint64_t)start;
        ck_assert_done(nm_loader_new(ctx, &s, &l));
        for (int i = start; i < 15; i++) {
            const nm_loaded *b = nm_loader_next(l);
            ck_assert_int_eq(b->n, whole[i].n);
            ck_assert_mem_eq(b->indices, whole[i].indices, (size_t)b->n * sizeof(int));
            ck_assert_mem_eq(b->x, whole[i].x, (size_t)b->n * SIZE * sizeof(real));
        }
        nm_loader_free(l);
    }
}
END_TEST

START_TEST(in_order_binary_and_limited)
{
    nm_loader_settings s = settings();
    s.shuffle = false;
    s.binary = true;
    s.limit = 7;
    nm_loader *l;
    int chosen[7];
    ck_assert_done(nm_loader_new(ctx, &s, &l));
    ck_assert_int_eq(nm_loader_steps_per_epoch(l), 2);
    for (int step = 0; step < 4; step++) {
        const nm_loaded *b = nm_loader_next(l);
        ck_assert_int_eq(b->n, step % 2 ? 2 : 5);
        for (int i = 0; i < b->n; i++) {
            int *place = &chosen[step % 2 * 5 + i]; /* ascending, and the same in both epochs */
            ck_assert(step < 2 ? i == 0 || b->indices[i] > place[-1] : b->indices[i] == *place);
            *place = b->indices[i];
            for (int v = 0; v < SIZE; v++)
                ck_assert(b->x[i * SIZE + v] == (real)(pixels[b->indices[i] * SIZE + v] >= 128));
        }
    }
    nm_loader_free(l);
}
END_TEST

/* The samples of an epoch, as bits. */
static uint32_t samples_of_epoch(const nm_loader_settings *s)
{
    nm_loader *l;
    uint32_t bits = 0;
    ck_assert_done(nm_loader_new(ctx, s, &l));
    for (int i = nm_loader_steps_per_epoch(l); i > 0; i--) {
        const nm_loaded *b = nm_loader_next(l);
        for (int k = 0; k < b->n; k++)
            bits |= 1u << b->indices[k];
    }
    nm_loader_free(l);
    return bits;
}

/* `limit` takes a random subset: by the seed alone, whatever the epoch, the batch and the order;
 * any sample as likely as another. */
START_TEST(limit_takes_a_random_subset)
{
    enum { LIMIT = 6, SEEDS = 400 };
    nm_loader_settings s = settings();
    int taken[COUNT] = {0};
    s.limit = LIMIT;
    for (s.seed = 0; s.seed < SEEDS; s.seed++) {
        uint32_t bits = samples_of_epoch(&s);
        ck_assert_int_eq(__builtin_popcount(bits), LIMIT);
        for (int i = 0; i < COUNT; i++)
            taken[i] += bits >> i & 1;
        nm_loader_settings other = s;
        other.batch = 2;
        other.shuffle = false;
        other.first_step = 3 * 6; /* some epochs on */
        ck_assert_uint_eq(samples_of_epoch(&other), bits);
    }
    double expected = (double)SEEDS * LIMIT / COUNT, spread = sqrt(expected * (1 - (double)LIMIT / COUNT));
    for (int i = 0; i < COUNT; i++)
        ck_assert_msg(fabs(taken[i] - expected) < 4.5 * spread, "sample %d: taken %d times, expected about %.0f", i,
                      taken[i], expected);
    s.limit = COUNT;
    ck_assert_uint_eq(samples_of_epoch(&s), (1u << COUNT) - 1);
}
END_TEST

/* Waiting is counted where the loader is behind, and not where a batch lies ready. */
START_TEST(reports_how_long_it_was_waited_for)
{
    enum { SIDE = 512, BIG = 64 };
    nm_loader_settings s = settings();
    nm_augmentation a = {.affine = 1};
    nm_samples big = {BIG, {SIDE, SIDE, 1}, calloc(BIG, SIDE * SIDE), NULL};
    s.samples = &big;
    s.normalisation.channels = 1;
    s.augmentation = &a;
    s.batch = 8;
    nm_loader *l;
    ck_assert_done(nm_loader_new(ctx, &s, &l));
    for (int i = 0; i < 6; i++)
        nm_loader_next(l);
    double behind = nm_loader_waited(l);
    ck_assert(behind > 0);
    bool ready = false; /* in good time: unless the thread gets no processor for a second, again and again */
    for (int i = 0; i < 10 && !ready; i++) {
        double before = nm_loader_waited(l);
        usleep(1000000);
        nm_loader_next(l);
        ready = nm_loader_waited(l) == before;
    }
    ck_assert(ready);
    nm_loader_free(l);
    free(big.pixels);
}
END_TEST

/* Freed while its thread is at work, and before anything was taken. */
START_TEST(freed_early)
{
    nm_loader_settings s = settings();
    for (int i = 0; i < 50; i++) {
        nm_loader *l;
        ck_assert_done(nm_loader_new(ctx, &s, &l));
        for (int k = 0; k < i % 4; k++)
            nm_loader_next(l);
        nm_loader_free(l);
    }
    nm_loader_free(NULL);
}
END_TEST

SUITE_WITH("loader", in_own_folder, epochs, starts_anywhere, in_order_binary_and_limited, limit_takes_a_random_subset,
           reports_how_long_it_was_waited_for, freed_early)
