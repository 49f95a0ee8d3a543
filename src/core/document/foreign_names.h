/* What PyTorch, Keras, TensorFlow, Caffe and Darknet call what norma has, for messages about
 * unknown words. */
#ifndef NM_FOREIGN_NAMES_H
#define NM_FOREIGN_NAMES_H

#include "error.h"

typedef enum nm_foreign_kind {
    NM_FOREIGN_LAYER,
    NM_FOREIGN_LOSS,
    NM_FOREIGN_OPTIMIZER,
    NM_FOREIGN_SCHEDULE,
    NM_FOREIGN_OPTION, /* of layers, losses, optimizers, schedules and train: */
    NM_FOREIGN_KEY,    /* of a model file */
    NM_FOREIGN_VALUE,  /* of an option that is one of several words */
} nm_foreign_kind;

typedef struct nm_foreign_name {
    const char *word;
    nm_foreign_kind kind;
    const char *name;   /* norma's; NULL: it has none, and the remark says what to do */
    const char *remark; /* NULL: the same */
} nm_foreign_name;

/* [nm_foreign_count] */
extern const nm_foreign_name nm_foreign_names[];
extern const int nm_foreign_count;

/* The entry of that kind for `word` whose name is one of the candidates, or NULL. Upper case,
 * dashes, underscores and what stands before a dot (nn.Conv2d) do not count. */
const nm_foreign_name *nm_foreign_find(nm_foreign_kind kind, const char *word, const char *const *candidates,
                                       int count);

/* The end of a message about an unknown word: ": norma calls it 'conv'" where another framework's
 * name is known, else as nm_did_you_mean. */
const char *nm_called_here(char text[NM_HINT], nm_foreign_kind kind, const char *word, const char *const *candidates,
                           int count);

#endif
