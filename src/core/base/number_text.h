/* Numbers as text, in as few digits as give the same number again. */
#ifndef NM_NUMBER_TEXT_H
#define NM_NUMBER_TEXT_H

enum { NM_NUMBER_TEXT = 32 };

void nm_number_text(double number, char text[NM_NUMBER_TEXT]);
/* Of a number that was a float: 0.1, not 0.10000000149011612. */
void nm_float_text(float number, char text[NM_NUMBER_TEXT]);

#endif
