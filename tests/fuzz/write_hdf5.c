/* write_hdf5 DATA TABLE: seeds of the targets hdf5 and table: a small file of data, and what the
 * child would say of a file with a group and a dataset. */
#include "h5.h"
#include "h5_table.h"

#include <stdio.h>
#include <string.h>

static nm_status write_data(nm_context *ctx, const char *path)
{
    static const uint8_t images[4 * 3 * 2] = {1, 2, 3, 4, 5, 250};
    static const uint8_t labels[4] = {0, 1, 2, 1};
    nm_h5 *h5;
    NM_TRY(nm_h5_new(ctx, path, &h5));
    nm_status status = nm_h5_write(h5, "/train/x", NM_H5_U8, 4, (size_t[]){4, 3, 2, 1}, images);
    if (status == NM_OK)
        status = nm_h5_write(h5, "/train/y", NM_H5_U8, 1, (size_t[]){4}, labels);
    if (status == NM_OK)
        status = nm_h5_write_text(h5, "/classes", "a\nb\nc");
    if (status == NM_OK)
        status = nm_h5_save(h5, path, false);
    nm_h5_free(h5);
    return status;
}

static int write_table(const char *path)
{
    static const char pool[] = "\0/\0/a\0/a/b\0note\0text";
    nm_h5_entry entries[3] = {
        {.path = 1, .is_group = 1, .offset = NM_H5_NOWHERE, .chunk_rows = 1},
        {.path = 3, .is_group = 1, .offset = NM_H5_NOWHERE, .chunk_rows = 1},
        {.parent = 1, .path = 6, .notes = 1, .offset = 512, .chunk_rows = 1},
    };
    entries[2].shape = (nm_h5_shape){.type = NM_H5_F32, .rank = 2, .dims = {3, 2}, .count = 6};
    nm_h5_note note = {.name = 11, .kind = NM_H5_NOTE_TEXT, .text = 16};
    uint32_t counts[3] = {3, 1, sizeof pool};
    FILE *f = fopen(path, "wb");
    if (!f)
        return 1;
    fwrite(counts, sizeof counts, 1, f);
    fwrite(entries, sizeof entries, 1, f);
    fwrite(&note, sizeof note, 1, f);
    fwrite(pool, sizeof pool, 1, f);
    return fclose(f) != 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    nm_context *ctx = nm_context_new();
    int failed = write_data(ctx, argv[1]) != NM_OK || write_table(argv[2]);
    nm_context_free(ctx);
    return failed;
}
