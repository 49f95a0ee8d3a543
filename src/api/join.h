/* The processes that the program has joined. */
#ifndef NM_JOIN_H
#define NM_JOIN_H

#include "processes.h"

/* NULL: none. */
nm_processes *nm_joined_processes(void);

#endif
