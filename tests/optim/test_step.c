/* The schedule step against PyTorch's factors, with and without warm-up. */
#include "optim_check.h"
#include "run_suite.h"

START_TEST(golden_factors)
{
    check_schedule("step");
}
END_TEST

SUITE("step", golden_factors)
