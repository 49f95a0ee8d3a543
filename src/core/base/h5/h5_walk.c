/* In the process that reads: the structure of a file, entry by entry, into a table. Taken are hard
 * links, groups and datasets, few and not deep; everything else can lead out of the file or has no
 * use here. */
#include "h5_inside.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PATH = 1024 };

typedef struct walking {
    nm_h5_builder *b;
    uint32_t parent;
    int level; /* of what the group holds: 1 for the root's */
    const char *path;
    nm_status status;
} walking;

static nm_status walk_group(nm_h5_builder *b, hid_t group, uint32_t index, int level, const char *path);

static nm_status refuse_link(nm_h5_builder *b, const char *path, const H5L_info_t *info)
{
    const char *what = info->type == H5L_TYPE_SOFT       ? "a soft link"
                       : info->type == H5L_TYPE_EXTERNAL ? "an external link"
                                                         : "a link of unknown kind";
    return nm_fail(b->h5->ctx, NM_INVALID, "%s: %s: found %s; expected a group or dataset of this file itself",
                   b->h5->name, path, what);
}

/* The group that was reached, and whether it holds itself. */
static nm_status enter_group(nm_h5_builder *b, hid_t group, uint32_t index, int level, const char *path)
{
    H5O_info_t info;
    if (H5Oget_info2(group, &info, H5O_INFO_BASIC) < 0)
        return nm_h5_fail(b->h5, NM_INVALID, path, "cannot be read");
    for (int i = 0; i < level; i++)
        if (b->above[i] == info.addr)
            return nm_fail(b->h5->ctx, NM_INVALID, "%s: %s: a group that holds itself", b->h5->name, path);
    b->above[level] = info.addr;
    return walk_group(b, group, index, level, path);
}

static nm_status walk_object(walking *w, hid_t object, const char *path)
{
    nm_h5_builder *b = w->b;
    nm_h5_entry entry = {.parent = w->parent, .chunk_rows = 1, .offset = NM_H5_NOWHERE};
    uint32_t index;
    H5I_type_t type = object >= 0 ? H5Iget_type(object) : H5I_BADID;
    if (object < 0)
        return nm_h5_fail(b->h5, NM_INVALID, path, "cannot be opened");
    if (type != H5I_GROUP && type != H5I_DATASET)
        return nm_fail(b->h5->ctx, NM_INVALID, "%s: %s: found a named type; expected a group or dataset", b->h5->name,
                       path);
    entry.is_group = type == H5I_GROUP;
    NM_TRY(nm_h5_build_text(b, path, strlen(path), &entry.path));
    if (!entry.is_group)
        NM_TRY(nm_h5_describe_set(b, object, path, &entry));
    NM_TRY(nm_h5_build_entry(b, &entry, &index));
    NM_TRY(nm_h5_build_notes(b, object, path));
    return entry.is_group ? enter_group(b, object, index, w->level, path) : NM_OK;
}

static herr_t walk_link(hid_t group, const char *name, const H5L_info_t *info, void *arg)
{
    walking *w = arg;
    nm_h5_builder *b = w->b;
    char path[MAX_PATH];
    int length = snprintf(path, sizeof path, "%s/%s", w->path, name);
    if (length >= MAX_PATH || strchr(name, '/'))
        w->status =
            nm_fail(b->h5->ctx, NM_INVALID, "%s: %.40s…: a name of %zu bytes; expected at most %d with its groups'",
                    b->h5->name, path, strlen(name), MAX_PATH - 1);
    else if (info->type != H5L_TYPE_HARD)
        w->status = refuse_link(b, path, info);
    else if (w->level > NM_H5_MAX_LEVELS)
        w->status = nm_fail(b->h5->ctx, NM_INVALID, "%s: %s: found groups within groups; expected at most %d levels",
                            b->h5->name, path, NM_H5_MAX_LEVELS);
    else if (b->table.entries > b->limit)
        w->status = nm_fail(b->h5->ctx, NM_INVALID,
                            "%s: found more than %zu groups and datasets, which is the most in a file of its size",
                            b->h5->name, b->limit);
    else {
        hid_t object = H5Oopen(group, name, H5P_DEFAULT);
        w->status = walk_object(w, object, path);
        if (object >= 0)
            H5Oclose(object);
    }
    return w->status != NM_OK;
}

static nm_status walk_group(nm_h5_builder *b, hid_t group, uint32_t index, int level, const char *path)
{
    walking w = {.b = b, .parent = index, .level = level + 1, .path = path};
    herr_t done = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, walk_link, &w);
    if (done < 0 && w.status == NM_OK)
        return nm_h5_fail(b->h5, NM_INVALID, *path ? path : "/", "its entries cannot be read");
    return w.status;
}

nm_status nm_h5_walk(nm_h5_builder *b)
{
    nm_h5_entry root = {.is_group = true, .chunk_rows = 1, .offset = NM_H5_NOWHERE};
    uint32_t nothing, index;
    b->limit = nm_h5_object_limit(b->h5->size);
    NM_TRY(nm_h5_build_text(b, "", 0, &nothing));
    NM_TRY(nm_h5_build_text(b, "/", 1, &root.path));
    NM_TRY(nm_h5_build_entry(b, &root, &index));
    hid_t group = H5Gopen2(b->h5->file, "/", H5P_DEFAULT);
    if (group < 0)
        return nm_h5_fail(b->h5, NM_INVALID, "/", "expected a group");
    nm_status status = nm_h5_build_notes(b, group, "/");
    if (status == NM_OK)
        status = enter_group(b, group, index, 0, "");
    H5Gclose(group);
    return status;
}
