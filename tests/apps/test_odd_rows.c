/* Rows of metrics.csv that no run writes: refused with line, name and value. */
#include "program.h"

#define HEAD "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n"

/* The first line is right; the second has the number in question. */
START_TEST(rows_that_no_run_writes)
{
    static const char *const table[][2] = {
        {"-1,20,0.1,2,0.3,1.9,0.4,1", "epoch is -1"},
        {"1.5,20,0.1,2,0.3,1.9,0.4,1", "epoch is 1.5"},
        {"nan,20,0.1,2,0.3,1.9,0.4,1", "epoch is nan"},
        {"2,-3,0.1,2,0.3,1.9,0.4,1", "step is -3"},
        {"2,1e300,0.1,2,0.3,1.9,0.4,1", "step is 1"},
        {"2,9223372036854775813,0.1,2,0.3,1.9,0.4,1", "step is 9"},
        {"2,20,inf,2,0.3,1.9,0.4,1", "lr is inf"},
        {"2,20,nan,2,0.3,1.9,0.4,1", "lr is nan"},
        {"2,20,-0.1,2,0.3,1.9,0.4,1", "lr is -0.1"},
        {"2,20,0.1,2,30,1.9,0.4,1", "train_accuracy is 30"},
        {"2,20,0.1,2,0.3,1.9,-0.4,1", "test_accuracy is -0"},
        {"2,20,0.1,2,0.3,1.9,inf,1", "test_accuracy is inf"},
        {"2,20,0.1,2,0.3,1.9,0.4,nan", "seconds is nan"},
        {"2,20,0.1,2,0.3,1.9,0.4,-1", "seconds is -1"},
    };
    expect(0, "mkdir odd");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char rows[512];
        snprintf(rows, sizeof rows, HEAD "1,10,0.1,2,0.3,1.9,0.4,0\n%s\n", table[i][0]);
        write_text("odd/metrics.csv", rows);
        said s = expect(2, "norma plot odd");
        contains(s.err, "odd/metrics.csv:3: ");
        contains(s.err, table[i][1]);
    }
}
END_TEST

SUITE_WITH("odd rows", in_own_folder, rows_that_no_run_writes)
