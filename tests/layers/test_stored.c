/* Numbers in bfloat16: rounded to the nearest, ties to even; vectors as single numbers. */
#include "run_suite.h"
#include "stored.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* By the two neighbours that a bfloat16 can hold. */
static nm_bf16 nearest(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t below = bits & 0xffff0000u, above = below + 0x10000u, rest = bits & 0xffffu;
    bool up = rest > 0x8000u || (rest == 0x8000u && (below >> 16 & 1));
    return (nm_bf16)((up ? above : below) >> 16);
}

START_TEST(rounds_to_the_nearest)
{
    for (uint64_t bits = 0; bits < 1ull << 32; bits += 9973) {
        float value = float_of((uint32_t)bits);
        if (isnan(value))
            ck_assert(isnan((float)nm_bf16_widen(nm_bf16_narrow((real)value))));
        else
            ck_assert_uint_eq(nm_bf16_narrow((real)value), nearest(value));
    }
    const uint32_t nans[] = {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffffffffu, 0x7fc00000u};
    for (int i = 0; i < 5; i++)
        ck_assert(isnan((float)nm_bf16_widen(nm_bf16_narrow((real)float_of(nans[i])))));
    ck_assert(isinf((float)nm_bf16_widen(nm_bf16_narrow((real)FLT_MAX)))); /* the nearest is beyond */
    ck_assert_uint_eq(nm_bf16_narrow((real)-INFINITY), 0xff80);
    ck_assert_uint_eq(nm_bf16_narrow((real)-0.0f), 0x8000);
}
END_TEST

START_TEST(keeps_what_it_can_hold)
{
    for (uint32_t half = 0; half < 1u << 16; half++) {
        float value = (float)nm_bf16_widen((nm_bf16)half);
        if (!isnan(value))
            ck_assert_uint_eq(nm_bf16_narrow((real)value), half);
    }
}
END_TEST

START_TEST(vectors_do_as_numbers_do)
{
    for (uint64_t bits = 0; bits < 1ull << 32; bits += 655211 * 3)
        for (int lanes = 1; lanes <= NM_VECTOR; lanes++) {
            real numbers[NM_VECTOR + 1], rounded[NM_VECTOR] = {0};
            nm_bf16 halves[NM_VECTOR + 1];
            nm_vector v, wide;
            for (int i = 0; i < NM_VECTOR; i++)
                numbers[i] = (real)float_of((uint32_t)bits + (uint32_t)i * 0x1234567u);
            nm_vector_load(&v, numbers, lanes);
            nm_vector_round_to_bf16(&v);
            nm_vector_store(rounded, &v, NM_VECTOR);
            halves[lanes] = 0x1234;
            nm_vector_store_bf16(halves, &v, lanes);
            ck_assert_uint_eq(halves[lanes], 0x1234); /* nothing beyond */
            nm_vector_widen(&wide, halves, lanes);
            for (int i = 0; i < NM_VECTOR; i++) {
                real expected = i < lanes ? nm_bf16_widen(nm_bf16_narrow(numbers[i])) : 0;
                bool nan = expected != expected;
                ck_assert(nan ? rounded[i] != rounded[i] : memcmp(&rounded[i], &expected, sizeof expected) == 0);
                real back = ((const real *)&wide)[i];
                ck_assert(nan ? back != back : back == expected);
            }
        }
}
END_TEST

START_TEST(rows_are_read_in_place_or_widened)
{
    real numbers[100], row[100];
    nm_bf16 halves[100];
    for (int i = 0; i < 100; i++) {
        numbers[i] = (real)(i - 50);
        halves[i] = nm_bf16_narrow(numbers[i]);
    }
    const nm_stored whole = nm_stored_of(numbers, false), half = nm_stored_of((const real *)(const void *)halves, true);
    ck_assert_ptr_eq(nm_stored_read(&whole, 7, 60, row), numbers + 7);
    for (size_t count = 1; count < 90; count++) {
        const real *read = nm_stored_read(&half, 7, count, row);
        ck_assert_ptr_eq(read, row);
        for (size_t i = 0; i < count; i++)
            ck_assert(read[i] == numbers[7 + i]);
    }
}
END_TEST

SUITE("stored", rounds_to_the_nearest, keeps_what_it_can_hold, vectors_do_as_numbers_do,
      rows_are_read_in_place_or_widened)
