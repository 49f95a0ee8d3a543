/* Processes, by their numbers. */
#ifndef NM_PROCESS_H
#define NM_PROCESS_H

#include <stdbool.h>

/* Whether a process of this number lives that was there at `when` (seconds since 1970). false: none
 * does, or it began later, so that the number was another's then. */
bool nm_process_lives_since(long process, double when);

#endif
