/* write_hdf5 DATA TABLE: seeds of the targets hdf5 and table: a small file of data, and what the
 * child would say of a file with a group and a dataset. */
#include "h5.h"
#include "small_table.h"

#include <stdio.h>

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
    char bytes[SMALL_TABLE];
    size_t size = make_table(bytes);
    FILE *f = fopen(path, "wb");
    if (!f)
        return 1;
    fwrite(bytes, size, 1, f);
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
