/* The schedule cosine against PyTorch's factors, with and without warm-up. */
#include "optim_check.h"
#include "run_suite.h"

START_TEST(golden_factors)
{
    check_schedule("cosine");
}
END_TEST

SUITE("cosine", golden_factors)
