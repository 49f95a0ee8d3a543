/* sgd against PyTorch's trajectories; any cut of a span gives the same bits. */
#include "optim_check.h"
#include "run_suite.h"

START_TEST(golden_trajectories)
{
    check_optimizer("sgd");
}
END_TEST

SUITE("sgd", golden_trajectories)
