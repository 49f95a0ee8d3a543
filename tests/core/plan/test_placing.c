/* Regions whose lives meet do not collide in memory. */
#include "plan.h"
#include "run_suite.h"
#include "with_context.h"

/* Places them as those of a plan that holds nothing else. */
static nm_plan_memory place(nm_region *region, int count)
{
    nm_network net = {.ctx = ctx};
    nm_plan plan = {.net = &net, .region = region, .regions = count};
    ck_assert_int_eq(nm_place_regions(&plan), NM_OK);
    return plan.memory;
}

START_TEST(regions_do_not_collide)
{
    enum { COUNT = 120 };
    nm_rng r = nm_rng_stream(1, "test", "regions");
    for (int round = 0; round < 50; round++) {
        nm_region region[COUNT];
        for (int i = 0; i < COUNT; i++) {
            int first = (int)nm_rng_below(&r, 100);
            size_t size = 64 * (1 + nm_rng_below(&r, 50));
            region[i] = (nm_region){size, .first = first, .last = first + (int)nm_rng_below(&r, 30)};
        }
        const nm_plan_memory memory = place(region, COUNT);
        ck_assert_uint_ge(memory.activations, memory.lower_bound);
        ck_assert_uint_le(memory.activations, memory.lower_bound + memory.lower_bound / 10);
        for (int i = 0; i < COUNT; i++) {
            ck_assert_uint_le(region[i].offset + region[i].size, memory.activations);
            for (int j = 0; j < i; j++) {
                bool in_time = region[i].first <= region[j].last && region[j].first <= region[i].last;
                bool in_space = region[i].offset < region[j].offset + region[j].size &&
                                region[j].offset < region[i].offset + region[i].size;
                ck_assert(!(in_time && in_space));
            }
        }
    }
}
END_TEST

/* Lives that end where others begin meet; those one apart need not. */
START_TEST(lives_that_touch_meet)
{
    nm_region region[] = {{.size = 64, .first = 10, .last = 15}, {.size = 64, .first = 12, .last = 13},
                          {.size = 64, .first = 13, .last = 20}, {.size = 64, .first = 16, .last = 19},
                          {.size = 64, .first = 20, .last = 28}, {.size = 64, .first = NM_NONE}};
    const bool meet[5][5] = {[0] = {[1] = true, [2] = true}, [1] = {[2] = true}, [2] = {[3] = true, [4] = true}};
    const nm_plan_memory memory = place(region, 6);
    for (int i = 0; i < 5; i++)
        for (int j = i + 1; j < 5; j++)
            if (meet[i][j])
                ck_assert_uint_ne(region[i].offset, region[j].offset);
    ck_assert_uint_eq(memory.lower_bound, 3 * 64);
    ck_assert_uint_eq(memory.activations, 3 * 64);
}
END_TEST

SUITE_WITH("placing", with_context, regions_do_not_collide, lives_that_touch_meet)
