/* planted end|overflow: calls the library so that it goes wrong in its own code, a read past the
 * end of an array or an overflow of a signed number: that must be reported. */
#include "finite.h"
#include "gemm.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 32 };

int main(int argc, char **argv)
{
    real *numbers = calloc(COUNT, sizeof *numbers);
    if (!numbers || argc != 2)
        return 2;
    int found = strcmp(argv[1], "end") == 0 ? nm_all_finite(numbers, COUNT + 1) : nm_gemm_whole_rows(INT_MAX);
    printf("%d\n", found);
    free(numbers);
    return 0;
}
