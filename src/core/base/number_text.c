/* Numbers as text. */
#include "number_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHORT = 6, DOUBLE_DIGITS = 17, FLOAT_DIGITS = 9 };

/* More digits than six only where they are needed: %g leaves zeros at the end out by itself. */
void nm_number_text(double number, char text[NM_NUMBER_TEXT])
{
    for (int digits = SHORT; digits <= DOUBLE_DIGITS; digits++) {
        snprintf(text, NM_NUMBER_TEXT, "%.*g", digits, number);
        if (number != number || strtod(text, NULL) == number)
            return;
    }
}

void nm_float_text(float number, char text[NM_NUMBER_TEXT])
{
    for (int digits = SHORT; digits <= FLOAT_DIGITS; digits++) {
        snprintf(text, NM_NUMBER_TEXT, "%.*g", digits, (double)number);
        if (number != number || strtof(text, NULL) == number)
            return;
    }
}
