/* The README's own network learns with every seed. */
#include "program.h"

#include <stdlib.h>

START_TEST(readme_learns_with_every_seed)
{
    expect(
        0,
        "sed -n '/^```yaml/,/^```/p' \"$NORMA_MODELS/../README.md\" | sed '/^```/d' >readme.yaml; test -s readme.yaml");
    for (int seed = 1; seed <= 10; seed++) {
        expect(0, "norma train readme.yaml --data digits --limit 1500 --epochs 1 --seed %d --threads 1 --run r%d", seed,
               seed);
        double accuracy = atof(shell("tail -n 1 r%d/metrics.csv | cut -d, -f7", seed).out);
        ck_assert_msg(accuracy > 0.5, "seed %d: accuracy %g", seed, accuracy);
    }
}
END_TEST

SUITE_WITH("seeds", in_own_folder, readme_learns_with_every_seed)
