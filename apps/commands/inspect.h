/* What norma inspect found in a file. */
#ifndef INSPECT_H
#define INSPECT_H

#include "command.h"
#include "contents.h"

/* Of the numbers of one array. */
typedef struct number_summary {
    bool known;                  /* false: they could not be read, or are none */
    double least, mean, largest; /* of the finite ones; NaN: there are none */
    size_t not_finite;
} number_summary;

typedef struct inspection {
    nm_context *ctx;
    const char *file;
    nm_contents *contents;
    number_summary *numbers; /* one an object */
} inspection;

/* Both tell all that could be read; false: something could not. */
bool print_inspection(const inspection *in);
bool print_inspection_as_json(const inspection *in);

#endif
