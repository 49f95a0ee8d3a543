/* The table of a file, as another process has handed it over. */
#include "h5_table.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

size_t nm_h5_type_size(nm_h5_type type)
{
    static const uint8_t sizes[NM_H5_OTHER + 1] = {
        [NM_H5_F32] = 4, [NM_H5_F64] = 8, [NM_H5_U8] = 1,  [NM_H5_I32] = 4, [NM_H5_I64] = 8, [NM_H5_U64] = 8,
        [NM_H5_I8] = 1,  [NM_H5_I16] = 2, [NM_H5_U16] = 2, [NM_H5_U32] = 4, [NM_H5_F16] = 2, [NM_H5_BOOL] = 1};
    return sizes[type];
}

size_t nm_h5_object_limit(uint64_t file_size)
{
    uint64_t larger = file_size / NM_H5_BYTES_FOR_OBJECT;
    return larger < NM_H5_MAX_OBJECTS ? NM_H5_MAX_OBJECTS : larger < 1 << 20 ? (size_t)larger : 1 << 20;
}

static bool right_shape(const nm_h5_shape *s)
{
    size_t count = 1, bytes;
    if (s->type > NM_H5_OTHER || s->rank < 0 || s->rank > NM_H5_MAX_RANK)
        return false;
    for (int i = 0; i < s->rank; i++)
        if (__builtin_mul_overflow(count, s->dims[i], &count))
            return false;
    return count == s->count && !__builtin_mul_overflow(count, sizeof(double), &bytes);
}

static bool right_entry(const nm_h5_table *t, uint32_t i, uint64_t file_size)
{
    const nm_h5_entry *e = &t->entry[i];
    if (e->path >= t->pool_size || e->text >= t->pool_size || t->pool[e->path] != '/' || e->chunk_rows == 0 ||
        (i == 0 ? !e->is_group : e->parent >= i || !t->entry[e->parent].is_group))
        return false;
    if (e->first_note > t->notes || e->notes > t->notes - e->first_note)
        return false;
    if (e->is_group)
        return true;
    if (!right_shape(&e->shape))
        return false;
    size_t each = nm_h5_type_size(e->shape.type);
    return e->offset == NM_H5_NOWHERE ||
           (each > 0 && e->offset <= file_size && e->shape.count <= (file_size - e->offset) / each);
}

static bool right_table(const nm_h5_table *t, uint64_t file_size)
{
    if (t->pool_size == 0 || t->pool[0] || t->pool[t->pool_size - 1])
        return false;
    for (uint32_t i = 0; i < t->entries; i++)
        if (!right_entry(t, i, file_size))
            return false;
    for (uint32_t i = 0; i < t->notes; i++)
        if (t->note[i].name >= t->pool_size || t->note[i].text >= t->pool_size)
            return false;
    return t->entries > 0;
}

static int compare_paths(const void *a, const void *b, void *arg)
{
    const nm_h5_table *t = arg;
    return strcmp(t->pool + t->entry[*(const uint32_t *)a].path, t->pool + t->entry[*(const uint32_t *)b].path);
}

/* Copies one of the arrays; *at moves behind it. */
static nm_status take_array(nm_context *ctx, const char *bytes, size_t *at, size_t count, size_t each, void *out)
{
    void *array = nm_alloc(ctx, count + 1, each);
    *(void **)out = array;
    if (!array)
        return NM_FAILED;
    memcpy(array, bytes + *at, count * each);
    *at += count * each;
    return NM_OK;
}

nm_status nm_h5_table_take(nm_context *ctx, const char *name, const char *bytes, size_t size, uint64_t file_size,
                           nm_h5_table *t)
{
    uint32_t counts[3] = {0};
    size_t at = sizeof counts;
    *t = (nm_h5_table){0};
    if (size >= at)
        memcpy(counts, bytes, at);
    if (counts[0] > nm_h5_object_limit(file_size) + 1 || counts[1] > (uint64_t)counts[0] * NM_H5_MAX_NOTES ||
        counts[2] > NM_H5_MAX_POOL ||
        size != at + counts[0] * sizeof *t->entry + counts[1] * sizeof *t->note + counts[2])
        return nm_fail(ctx, NM_INVALID, "%s: damaged: the HDF5 library reads no sense in it", name);
    *t = (nm_h5_table){.entries = counts[0], .notes = counts[1], .pool_size = counts[2]};
    NM_TRY(take_array(ctx, bytes, &at, t->entries, sizeof *t->entry, &t->entry));
    NM_TRY(take_array(ctx, bytes, &at, t->notes, sizeof *t->note, &t->note));
    NM_TRY(take_array(ctx, bytes, &at, t->pool_size, 1, &t->pool));
    if (!right_table(t, file_size))
        return nm_fail(ctx, NM_INVALID, "%s: damaged: its parts lie outside of the file", name);
    t->sorted = nm_alloc(ctx, t->entries, sizeof *t->sorted);
    if (!t->sorted)
        return NM_FAILED;
    for (uint32_t i = 0; i < t->entries; i++)
        t->sorted[i] = i;
    qsort_r(t->sorted, t->entries, sizeof *t->sorted, compare_paths, t);
    return NM_OK;
}

void nm_h5_table_free(nm_h5_table *t)
{
    nm_free(t->entry);
    nm_free(t->note);
    nm_free(t->pool);
    nm_free(t->sorted);
    *t = (nm_h5_table){0};
}

const nm_h5_entry *nm_h5_table_find(const nm_h5_table *t, const char *path)
{
    uint32_t low = 0, high = t->entries;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const nm_h5_entry *e = &t->entry[t->sorted[middle]];
        int order = strcmp(path, t->pool + e->path);
        if (order == 0)
            return e;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool nm_h5_table_suffices(const nm_h5_table *t)
{
    for (uint32_t i = 0; i < t->entries; i++)
        if (!t->entry[i].is_group && !t->entry[i].text && t->entry[i].offset == NM_H5_NOWHERE)
            return false;
    return true;
}
