/* Answers that are found when they are first asked for. Threads that ask at once find the same. */
#ifndef NM_FIND_ONCE_H
#define NM_FIND_ONCE_H

#include <stdatomic.h>

/* *known: -1 until `find`, which gives a number from 0, has been called. */
static inline int nm_find_once(atomic_int *known, int (*find)(void))
{
    int answer = atomic_load_explicit(known, memory_order_relaxed);
    if (answer < 0) {
        answer = find();
        atomic_store_explicit(known, answer, memory_order_relaxed);
    }
    return answer;
}

#endif
