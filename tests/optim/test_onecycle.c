/* The schedule onecycle against PyTorch's factors, with and without warm-up. */
#include "optim_check.h"
#include "run_suite.h"

START_TEST(golden_factors)
{
    check_schedule("onecycle");
}
END_TEST

SUITE("onecycle", golden_factors)
