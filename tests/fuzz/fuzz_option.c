/* PATH=VALUE, as after --set, on a small model. */
#include "alloc.h"
#include "fuzz.h"
#include "train.h"

#include <string.h>

static const char model[] = "name: m\ninput: {height: 8, width: 8, channels: 1}\nlayers:\n"
                            "  - {name: c1, conv: {filters: 4, kernel: 3}}\n  - batchnorm: {}\n  - relu: {}\n"
                            "  - {name: p1, maxpool: {size: 2}}\n  - gap: {}\n  - {name: d1, dense: {units: 3}}\n"
                            "loss: softmax_ce\n";

static nm_status set(nm_context *ctx, char *text)
{
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    char *value = strchr(text, '=');
    if (!value)
        return NM_OK;
    *value = '\0';
    NM_TRY(nm_yaml_parse(ctx, "model.yaml", model, sizeof model - 1, &document));
    nm_status status = nm_document_set(ctx, document, text, value + 1);
    if (status == NM_OK) {
        status = nm_network_open(ctx, document, &nm_train_section, &net);
        nm_network_free(net);
    } else {
        nm_yaml_free(document);
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    nm_context *ctx = fuzz_context();
    char *text = nm_alloc(ctx, size + 1, 1);
    if (text && size)
        memcpy(text, bytes, size);
    if (text)
        fuzz_judge(ctx, set(ctx, text));
    nm_free(text);
    nm_context_free(ctx);
    return 0;
}
