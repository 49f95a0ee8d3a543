/* norma: option tables. One table per layer type, loss, optimizer, schedule and for `train:` is
 * the single source for reading the model file, its messages, the help pages and the
 * documentation.
 *
 *     typedef struct pool { int size[2]; nm_pad pad; } pool;
 *     static const nm_option options[] = {
 *         {"size", NM_OPT_PAIR, offsetof(pool, size), NULL, .least = 1, .help = "window"},
 *         {"pad", NM_OPT_PAD, offsetof(pool, pad), "0", .help = "zeros at the border"},
 *         {0},
 *     };
 */
#ifndef NORMA_OPTION_H
#define NORMA_OPTION_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A value of a model file. */
typedef struct nm_yaml nm_yaml;

typedef enum nm_option_type {
    NM_OPT_INT,     /* int */
    NM_OPT_REAL,    /* double */
    NM_OPT_BOOL,    /* bool: true, false, on, off, yes, no */
    NM_OPT_PAIR,    /* int[2]: 3 or [3, 5] (height, width) */
    NM_OPT_PAD,     /* nm_pad: same, valid, 1, [1, 2] (height, width) or [top, bottom, left, right] */
    NM_OPT_ENUM,    /* int: index into `choices` */
    NM_OPT_STRING,  /* char *, NULL when absent */
    NM_OPT_REALS,   /* nm_reals: a list of numbers, or one */
    NM_OPT_STRINGS, /* nm_strings: a list of scalars, or one; "a,b" from the command line is two */
    NM_OPT_CHOICE,  /* nm_choice: `name` or `{name: {options}}`, an entry of another registry */
} nm_option_type;

typedef struct nm_pad {
    bool same;                    /* out = ceil(in / stride); the rest is filled in by infer */
    int top, bottom, left, right; /* zeros on each side */
} nm_pad;

typedef struct nm_reals {
    int count;
    double *values;
} nm_reals;

typedef struct nm_strings {
    int count;
    char **values;
} nm_strings;

typedef struct nm_choice {
    char *name;             /* NULL when absent */
    const nm_yaml *options; /* a map or NULL; belongs to the document, which must outlive it */
    const nm_yaml *at;
} nm_choice;

typedef struct nm_option {
    const char *name;
    nm_option_type type;
    size_t offset;              /* of the field in the struct */
    const char *preset;         /* default, in YAML; NULL: must be given. "" : absent (NULL, empty; NaN for a real) */
    double least, most;         /* inclusive range of each number; both 0: any */
    const char *const *choices; /* for NM_OPT_ENUM; NULL-terminated */
    const char *help;           /* a phrase: what it is, its unit */
} nm_option;

#ifdef __cplusplus
}
#endif

#endif
