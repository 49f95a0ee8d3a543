/* The schedule constant against PyTorch's factors, with and without warm-up. */
#include "optim_check.h"
#include "run_suite.h"

START_TEST(golden_factors)
{
    check_schedule("constant");
}
END_TEST

SUITE("constant", golden_factors)
