/* What the child that reads an HDF5 file says of it: a child that the file has taken over says
 * anything. */
#include "fuzz.h"
#include "h5_table.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE = 1 << 16 }; /* of the file that the table is said to be of */

/* Reads all that the rest of the program may. */
static size_t use(const nm_h5_table *t)
{
    char text[128];
    size_t sum = nm_h5_table_suffices(t);
    for (uint32_t i = 0; i < t->entries; i++) {
        const nm_h5_entry *e = &t->entry[i];
        sum += strlen(t->pool + e->path) + strlen(t->pool + e->text) + (nm_h5_table_find(t, t->pool + e->path) == e);
        for (uint32_t n = 0; n < e->notes; n++)
            sum +=
                strlen(t->pool + t->note[e->first_note + n].name) + strlen(t->pool + t->note[e->first_note + n].text);
        if (e->is_group)
            continue;
        nm_h5_dims_text(e->shape.rank, e->shape.dims, text, sizeof text);
        if (e->offset != NM_H5_NOWHERE && e->offset + e->shape.count * nm_h5_type_size(e->shape.type) > FILE_SIZE)
            abort();
        sum += strlen(text);
    }
    return sum;
}

extern volatile size_t was_read;
volatile size_t was_read; /* so that the compiler leaves the reading in */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    nm_context *ctx = fuzz_context();
    nm_h5_table table;
    nm_status status = nm_h5_table_take(ctx, "x.h5", (const char *)bytes, size, FILE_SIZE, &table);
    fuzz_judge(ctx, status);
    if (status == NM_OK)
        was_read = use(&table);
    nm_h5_table_free(&table);
    nm_context_free(ctx);
    return 0;
}
