#include <norma/norma.h>

void nm_request_stop(volatile int *stop)
{
    __atomic_store_n(stop, 1, __ATOMIC_RELEASE);
}
