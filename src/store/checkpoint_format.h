/* What writing and reading of checkpoints agree on. */
#ifndef NM_CHECKPOINT_FORMAT_H
#define NM_CHECKPOINT_FORMAT_H

#include "checkpoint.h"
#include "h5.h"

#define NM_CHECKPOINT_FORMAT "norma checkpoint"
/* To be raised when a reader of today would misread what is written. */
enum { NM_CHECKPOINT_VERSION = 1 };

typedef struct nm_history_column {
    const char *path;
    nm_h5_type type;
    size_t offset; /* in nm_history_row */
    bool narrow;   /* uint32_t there, uint64 in the file */
} nm_history_column;

enum { NM_HISTORY_COLUMNS = 7 };
static const nm_history_column nm_history_columns[NM_HISTORY_COLUMNS] = {
    {"/history/epoch", NM_H5_U64, offsetof(nm_history_row, epoch), true},
    {"/history/step", NM_H5_U64, offsetof(nm_history_row, step), false},
    {"/history/lr", NM_H5_F64, offsetof(nm_history_row, lr), false},
    {"/history/train_loss", NM_H5_F64, offsetof(nm_history_row, train_loss), false},
    {"/history/train_accuracy", NM_H5_F64, offsetof(nm_history_row, train_accuracy), false},
    {"/history/test_loss", NM_H5_F64, offsetof(nm_history_row, test_loss), false},
    {"/history/test_accuracy", NM_H5_F64, offsetof(nm_history_row, test_accuracy), false},
};

#endif
