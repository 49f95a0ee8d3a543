/* Between the files that see hdf5.h. */
#ifndef NM_H5_PRIVATE_H
#define NM_H5_PRIVATE_H

#include "h5_handle.h"

#include <hdf5.h>

/* The library may be built without thread safety, so one thread at a time is inside it; and while
 * we are, it prints nothing. Each function that calls it in order to write opens with
 * NM_H5_ENTER; what was before comes back at its return. */
typedef struct nm_h5_guard {
    H5E_auto2_t print;
    void *print_arg;
} nm_h5_guard;
nm_h5_guard nm_h5_enter(void);
void nm_h5_leave(nm_h5_guard *guard);
#define NM_H5_ENTER nm_h5_guard guard_ __attribute__((cleanup(nm_h5_leave), unused)) = nm_h5_enter()

/* Records "file: object: what: the library's innermost reason". */
nm_status nm_h5_fail(nm_h5 *h5, nm_status status, const char *object, const char *what);

/* A dataset that was opened, with what there is to know about it. */
typedef struct nm_h5_set {
    hid_t set, space, type;
    nm_h5_shape shape;
    hsize_t chunk[NM_H5_MAX_RANK]; /* of chunks that are stored as they are */
    bool narrow_chunks;            /* there are such, in narrow pieces of rows: nm_h5_read_chunks */
} nm_h5_set;
#define NM_H5_NO_SET ((nm_h5_set){.set = -1, .space = -1, .type = -1})

hid_t nm_h5_file_type(nm_h5_type type);
hid_t nm_h5_memory_type(nm_h5_type type);
nm_h5_type nm_h5_type_of(hid_t type);
/* Refuses a dataset that is stored through a filter which this build of the HDF5 library has not,
 * and names it. */
nm_status nm_h5_check_filters(nm_h5 *h5, const char *path, hid_t set) NM_MUST_USE;

#endif
