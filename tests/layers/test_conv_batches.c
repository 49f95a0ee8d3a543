/* Algorithms of convolutions on batches of other sizes than were planned for, on large ones, and by
 * teams of other sizes: called as a layer calls them. */
#include "conv.h"
#include "layer_check.h"
#include "run_suite.h"

#include <string.h>

enum { CANARY = 4096, FILL = 0x5a }; /* bytes behind what was reserved, and what they are */

/* An algorithm at work on random numbers, planned for `most` samples. */
typedef struct work {
    const nm_conv_algorithm *by;
    nm_conv_geometry g;
    int most, threads;
    bool by_sample;
    size_t shared, thread, chunks; /* reserved: bytes, bytes of each thread, chunks of moments */
    real *x, *w, *dy, *y, *dw, *db;
} work;

static char *with_canary(size_t size)
{
    char *bytes = aligned_alloc(64, (size + CANARY + 63) / 64 * 64);
    memset(bytes, 0, size);
    memset(bytes + size, FILL, CANARY);
    return bytes;
}

static void free_unharmed(void *from, size_t size, const char *what)
{
    const char *bytes = from;
    for (size_t i = 0; i < CANARY; i++)
        ck_assert_msg(bytes[size + i] == FILL, "%s: byte %zu behind it was written", what, i);
    free(from);
}

static real *random_numbers(size_t count)
{
    real *numbers = malloc((count + 1) * sizeof *numbers);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (real)((double)pick(-1000, 1000) / 1000);
    return numbers;
}

static const nm_conv_algorithm *named(const char *name)
{
    const nm_conv_algorithm *const *all = NM_ISA(nm_conv_algorithms)();
    while (*all && strcmp((*all)->name, name) != 0)
        all++;
    return *all;
}

/* 3x3, stride 1, as many pixels out as in. */
static work begin(const nm_conv_algorithm *by, nm_shape in, int filters, int most)
{
    work k = {.by = by, .most = most, .threads = 2};
    k.g = (nm_conv_geometry){in, {in.h, in.w, filters}, {3, 3}, {1, 1}, {1, 1}, 1, 1, 1};
    k.x = random_numbers((size_t)most * nm_shape_size(k.g.in));
    k.dy = random_numbers((size_t)most * nm_shape_size(k.g.out));
    k.w = random_numbers(nm_conv_weight_count(&k.g));
    k.y = calloc((size_t)most * nm_shape_size(k.g.out), sizeof *k.y);
    k.dw = calloc(nm_conv_weight_count(&k.g), sizeof *k.dw);
    k.db = calloc((size_t)filters, sizeof *k.db);
    k.chunks = k.by->chunks ? (size_t)k.by->chunks(&k.g, most, most) : 0;
    return k;
}

static void end(work *k)
{
    real *const all[] = {k->x, k->dy, k->w, k->y, k->dw, k->db};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* The means of the chunks, weighted by their pixels, are those of y. */
static void check_moments(const work *k, int n, int chunks, const nm_conv_moments *moments)
{
    double pixels = 0, sum = 0, mean = 0;
    int channels = k->g.out.c;
    for (int i = 0; i < chunks; i++) {
        pixels += moments->pixels[i];
        sum += moments->pixels[i] * moments->of[(size_t)i * 2 * (size_t)channels];
    }
    ck_assert_double_eq(pixels, (double)n * k->g.out.h * k->g.out.w);
    for (int i = 0; i < n * k->g.out.h * k->g.out.w; i++)
        mean += (double)k->y[(size_t)i * (size_t)channels];
    ck_assert_double_eq_tol(sum / pixels, mean / pixels, 1e-4);
}

/* n samples, with the memory that was reserved for `most`. */
static void run(work *k, nm_conv_kind kind, int n)
{
    k->by->reserve(&k->g, kind, k->most, &k->shared, &k->thread);
    size_t threads = (size_t)k->threads * k->thread, of = k->chunks * 2 * (size_t)k->g.out.c * sizeof(double);
    char *shared = with_canary(k->shared), *thread = with_canary(threads);
    nm_conv_moments moments = {(double *)with_canary(k->chunks * sizeof(double)), (double *)with_canary(of)};
    nm_conv_call call = {.g = &k->g,
                         .n = n,
                         .threads = k->threads,
                         .most = k->most,
                         .by_sample = k->by_sample,
                         .x = nm_stored_of(k->x, false),
                         .w = k->w,
                         .y = k->y,
                         .dy = k->dy,
                         .dw = k->dw,
                         .db = k->db,
                         .shared = shared,
                         .thread_base = thread,
                         .thread_size = k->thread};
    int chunks = k->chunks ? k->by->chunks(&k->g, n, k->most) : 0;
    if (kind == NM_CONV_FORWARD && chunks && !k->by_sample)
        call.moments = &moments;
    (kind == NM_CONV_WEIGHTS ? k->by->weights : k->by->forward)(&call);
    if (call.moments)
        check_moments(k, n, chunks, &moments);
    free_unharmed(shared, k->shared, "shared scratch");
    free_unharmed(thread, threads, "the threads' scratch");
    free_unharmed(moments.pixels, k->chunks * sizeof(double), "the chunks' pixels");
    free_unharmed(moments.of, of, "the chunks' moments");
}

static void compare(const real *found, const real *expected, size_t count, const char *what)
{
    double largest = 0, error = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
        error = fmax(error, fabs((double)found[i] - (double)expected[i]));
    }
    ck_assert_msg(error <= largest * (sizeof(real) == sizeof(float) ? 3e-5 : 1e-12), "%s: error %g of %g", what, error,
                  largest);
}

/* The last batch of an epoch is shorter: it has memory enough, whatever its size. In evaluation one
 * of several processes may have none of its samples. */
START_TEST(fewer_than_planned)
{
    static const struct {
        nm_shape in;
        int filters, most;
    } layers[] = {{{8, 8, 128}, 256, 65}, {{8, 8, 64}, 64, 65}, {{4, 4, 32}, 1024, 70}, {{16, 16, 16}, 16, 37}};
    const nm_conv_algorithm *const *all = NM_ISA(nm_conv_algorithms)();
    static const double shares[] = {1, 0.99, 0.75, 0.5, 0.25, 0.02, 0};
    for (; strcmp((*all)->name, "reference") != 0; all++)
        for (int i = 0; i < 4; i++) {
            work k = begin(*all, layers[i].in, layers[i].filters, layers[i].most);
            for (int s = 0; s < 7; s++) {
                int n = (int)(shares[s] * k.most);
                for (int kind = NM_CONV_FORWARD; kind <= (n ? NM_CONV_WEIGHTS : NM_CONV_FORWARD); kind++)
                    if (!k.by->declines(&k.g, (nm_conv_kind)kind))
                        run(&k, (nm_conv_kind)kind, n);
            }
            end(&k);
        }
}
END_TEST

/* More tiles than are staged at once: in slices. */
START_TEST(in_slices)
{
    const nm_shape in = {4, 4, 32};
    enum { FILTERS = 1024, MOST = 300 };
    work k = begin(named("winograd_4x4"), in, FILTERS, MOST), exact = begin(named("im2col"), in, FILTERS, MOST);
    memcpy(exact.x, k.x, MOST * nm_shape_size(in) * sizeof(real));
    memcpy(exact.dy, k.dy, MOST * nm_shape_size(k.g.out) * sizeof(real));
    memcpy(exact.w, k.w, nm_conv_weight_count(&k.g) * sizeof(real));
    run(&k, NM_CONV_FORWARD, MOST);
    run(&exact, NM_CONV_FORWARD, MOST);
    compare(k.y, exact.y, MOST * nm_shape_size(k.g.out), "forward");
    run(&k, NM_CONV_WEIGHTS, MOST);
    run(&exact, NM_CONV_WEIGHTS, MOST);
    compare(k.dw, exact.dw, nm_conv_weight_count(&k.g), "weights");
    compare(k.db, exact.db, FILTERS, "bias");
    ck_assert_uint_lt(k.shared, (size_t)128 << 20);
    end(&k);
    end(&exact);
}
END_TEST

/* In evaluation a sample has the same bits in any batch, and by any team: one thread works in
 * another way than several do. */
START_TEST(the_same_bits_of_a_sample)
{
    static const struct {
        nm_shape in;
        int filters;
    } layers[] = {{{8, 8, 64}, 64}, {{8, 8, 64}, 128}, {{8, 8, 64}, 512}, {{4, 4, 512}, 64}, {{3, 4, 40}, 24}};
    static const char *const names[] = {"winograd_4x4", "winograd_2x2", "im2col", "winograd_1d"};
    enum { MOST = 60, FEW = 5 };
    for (int i = 0; i < 5 * 4; i++) {
        work k = begin(named(names[i % 4]), layers[i / 4].in, layers[i / 4].filters, MOST);
        size_t few = FEW * nm_shape_size(k.g.out), all = MOST * nm_shape_size(k.g.out);
        real *first = malloc(all * sizeof *first);
        k.by_sample = true;
        run(&k, NM_CONV_FORWARD, MOST);
        memcpy(first, k.y, all * sizeof *first);
        for (k.threads = 1; k.threads <= 3; k.threads++) {
            run(&k, NM_CONV_FORWARD, MOST);
            ck_assert_mem_eq(k.y, first, all * sizeof *first);
            for (int n = 1; n <= FEW; n += FEW - 1)
                for (k.most = MOST; k.most >= n; k.most -= MOST - n) {
                    memset(k.y, 0, few * sizeof *k.y);
                    run(&k, NM_CONV_FORWARD, n);
                    ck_assert_mem_eq(k.y, first, few / FEW * (size_t)n * sizeof *first);
                }
            k.most = MOST;
        }
        free(first);
        end(&k);
    }
}
END_TEST

SUITE("conv batches", fewer_than_planned, in_slices, the_same_bits_of_a_sample)
