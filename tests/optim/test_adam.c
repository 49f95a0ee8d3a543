/* adam against PyTorch's trajectories; any cut of a span gives the same bits. */
#include "optim_check.h"
#include "run_suite.h"

START_TEST(golden_trajectories)
{
    check_optimizer("adam");
}
END_TEST

SUITE("adam", golden_trajectories)
