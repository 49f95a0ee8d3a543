/* A model of the public interface, and changes of its document by the rules of `train:`. */
#ifndef NM_MODEL_H
#define NM_MODEL_H

#include "train.h"

struct nm_model {
    nm_yaml *document;
};

/* Changes one value as `norma train --set PATH=VALUE` does: as nm_document_change, and where the
 * option takes text the value is text, and an optimizer or schedule may be written without braces
 * ("adam: {lr: 0.1}"). nm_settings_settle is still to be called. */
nm_status nm_settings_change(nm_context *ctx, nm_yaml *document, const nm_change *change) NM_MUST_USE;

#endif
