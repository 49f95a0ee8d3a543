/* Whether addresses are checked: two to four times slower, so what adds size alone, or compares
 * results that the release compares already, is left out then. */
#ifndef SANITIZED_H
#define SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

#endif
