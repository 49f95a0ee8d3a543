/* The schedule exponential against PyTorch's factors, with and without warm-up. */
#include "optim_check.h"
#include "run_suite.h"

START_TEST(golden_factors)
{
    check_schedule("exponential");
}
END_TEST

SUITE("exponential", golden_factors)
