/* Structs of callers that were compiled against another version of the headers. */
#include "api_types.h"

#include <string.h>

static nm_status check_size(nm_context *ctx, const char *init, size_t size)
{
    if (size >= sizeof size)
        return NM_OK;
    return nm_fail(ctx, NM_INVALID, "a struct whose size is not set was passed: initialise it with %s", init);
}

nm_status nm_sized_read(nm_context *ctx, const char *init, const void *from, void *to, size_t size)
{
    size_t given;
    memcpy(&given, from, sizeof given);
    NM_TRY(check_size(ctx, init, given));
    memset(to, 0, size);
    memcpy(to, from, given < size ? given : size);
    return NM_OK;
}

nm_status nm_sized_write(nm_context *ctx, const char *init, void *to, const void *from, size_t size)
{
    size_t given;
    memcpy(&given, to, sizeof given);
    NM_TRY(check_size(ctx, init, given));
    memcpy((char *)to + sizeof given, (const char *)from + sizeof given, (given < size ? given : size) - sizeof given);
    return NM_OK;
}
