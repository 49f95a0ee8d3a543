/* The table of sources. The names come from meson.build. */
#include "dataset.h"
#include "source_list.h"

#include <stddef.h>

#define DECLARE(name) extern const nm_source_type nm_source_##name;
NM_SOURCE_LIST(DECLARE)

const nm_source_type *const *nm_source_types(void)
{
#define ENTRY(name) &nm_source_##name,
    static const nm_source_type *const table[] = {NM_SOURCE_LIST(ENTRY) NULL};
    return table;
}
