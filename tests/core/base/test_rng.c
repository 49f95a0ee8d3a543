/* Random streams: the published known answers of Philox, independence of names, uniformity. */
#include "rng.h"
#include "run_suite.h"

#include <math.h>
#include <string.h>

/* Random123's kat_vectors: philox4x32 10 rounds. */
START_TEST(known_answers)
{
    uint32_t out[4];
    nm_rng r = {0};
    nm_rng_block_at(&r, 0, out);
    const uint32_t zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    ck_assert_mem_eq(out, zeros, sizeof out);
    memset(r.key, 0xff, sizeof r.key);
    memset(r.counter, 0xff, sizeof r.counter);
    nm_rng_block_at(&r, 0xffffffff, out);
    const uint32_t ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    ck_assert_mem_eq(out, ones, sizeof out);
    nm_rng pi = {.key = {0xa4093822, 0x299f31d0}, .counter = {0, 0x85a308d3, 0x13198a2e, 0x03707344}};
    nm_rng_block_at(&pi, 0x243f6a88, out);
    const uint32_t digits[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
    ck_assert_mem_eq(out, digits, sizeof out);
}
END_TEST

START_TEST(streams_differ_and_repeat)
{
    nm_rng a = nm_rng_stream(1, "initial values", "c1/weight"), b = nm_rng_stream(1, "initial values", "c1/bias");
    nm_rng c = nm_rng_stream(2, "initial values", "c1/weight"), d = nm_rng_stream(1, "initial values", "c1/weight");
    uint32_t first = nm_rng_bits(&a);
    ck_assert_uint_eq(first, nm_rng_bits(&d));
    ck_assert_uint_ne(first, nm_rng_bits(&b));
    ck_assert_uint_ne(first, nm_rng_bits(&c));
    /* the end of one name is not the start of the next */
    nm_rng e = nm_rng_stream(1, "ab", "c"), f = nm_rng_stream(1, "a", "bc");
    ck_assert_uint_ne(nm_rng_bits(&e), nm_rng_bits(&f));
}
END_TEST

START_TEST(seek_is_a_place)
{
    nm_rng r = nm_rng_stream(7, "shuffle", "train");
    nm_rng_seek(&r, 3, 9);
    uint32_t first = nm_rng_bits(&r), second = nm_rng_bits(&r);
    nm_rng_seek(&r, 4, 9);
    ck_assert_uint_ne(nm_rng_bits(&r), first);
    nm_rng_seek(&r, 3, 9);
    ck_assert_uint_eq(nm_rng_bits(&r), first);
    ck_assert_uint_eq(nm_rng_bits(&r), second);
}
END_TEST

START_TEST(below_is_uniform)
{
    nm_rng r = nm_rng_stream(5, "test", "below");
    enum { SIDES = 7, DRAWS = 70000 };
    int counts[SIDES] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t k = nm_rng_below(&r, SIDES);
        ck_assert_uint_lt(k, SIDES);
        counts[k]++;
    }
    double chi = 0, expected = (double)DRAWS / SIDES;
    for (int i = 0; i < SIDES; i++)
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    ck_assert_double_lt(chi, 22.5); /* 6 degrees of freedom: p = 0.001 */
    ck_assert_uint_eq(nm_rng_below(&r, 1), 0);
}
END_TEST

START_TEST(normal_has_the_right_moments)
{
    nm_rng r = nm_rng_stream(5, "test", "normal");
    enum { DRAWS = 200000 };
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = nm_rng_normal(&r);
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
    }
    ck_assert_double_lt(fabs(sum / DRAWS), 0.01);
    ck_assert_double_lt(fabs(squares / DRAWS - 1), 0.015);
    ck_assert_double_lt(fabs(fourth / DRAWS - 3), 0.12);
}
END_TEST

SUITE("rng", known_answers, streams_differ_and_repeat, seek_is_a_place, below_is_uniform, normal_has_the_right_moments)
