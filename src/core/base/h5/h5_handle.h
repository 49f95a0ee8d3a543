/* The handle of a file: what of it is kept in this process. Nothing here sees hdf5.h. */
#ifndef NM_H5_HANDLE_H
#define NM_H5_HANDLE_H

#include "digest.h"
#include "h5_cage.h"
#include "h5_table.h"

struct nm_h5 {
    nm_context *ctx;
    char *name;   /* for messages */
    int64_t file; /* HDF5's: of a file that is written; in the process that reads, of one that is read */

    /* of a file that is read */
    int fd;
    char *image; /* the file, mapped until there is a table */
    uint64_t size;
    nm_h5_table table;
    nm_cage cage; /* ended where the table suffices */
};

/* Seconds: an answer that stays away so long never comes; the limits of processor time are far
 * below. */
enum { NM_H5_PATIENCE = 60 };

nm_h5 *nm_h5_handle(nm_context *ctx, const char *name);
void nm_h5_close_file(nm_h5 *h5);

/* One thread at a time is inside of the HDF5 library, or forks. */
void nm_h5_lock(void);
void nm_h5_unlock(void);

/* The first bytes of a file whose others are `body`, or have this digest. */
void nm_h5_user_block(char block[NM_H5_USER_BLOCK], const void *body, size_t size);
/* Verifies the open file from its first byte to its last. */
nm_status nm_h5_check_user_block(nm_h5 *h5) NM_MUST_USE;

/* Starts the process that reads; its first answer is the table (nm_free). Where the table suffices
 * it is ended, and started again if values are asked for as another type than the file's. */
nm_status nm_h5_start(nm_h5 *h5, char **table, size_t *size) NM_MUST_USE;

/* What is asked of the process that reads. */
enum {
    NM_H5_ASK_ROWS,
    NM_H5_ASK_LINES,
    NM_H5_ASK_PLACES /* of chunks in the file: numbers of 64 bits, NM_H5_NOWHERE for one that was never written */
};
typedef struct nm_h5_request {
    uint32_t what, entry, type, unused;
    uint64_t first, count; /* rows, or chunks */
    uint64_t place;        /* in the shared memory, where they shall lie */
} nm_h5_request;
/* The dataset at `path`; NM_INVALID: there is none. */
nm_status nm_h5_find_set(nm_h5 *h5, const char *path, const nm_h5_entry **entry) NM_MUST_USE;
/* Starts the process that reads, unless it is there. */
nm_status nm_h5_need_process(nm_h5 *h5) NM_MUST_USE;
/* As nm_cage_ask, of that process. */
nm_status nm_h5_ask(nm_h5 *h5, const nm_h5_request *request, double seconds, size_t most, char **text) NM_MUST_USE;
/* Its work: answers with the table, then each request. */
void nm_h5_serve(void *h5, int socket, char *shared);

#endif
