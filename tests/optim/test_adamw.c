/* adamw against PyTorch's trajectories; any cut of a span gives the same bits. */
#include "optim_check.h"
#include "run_suite.h"

START_TEST(golden_trajectories)
{
    check_optimizer("adamw");
}
END_TEST

SUITE("adamw", golden_trajectories)
