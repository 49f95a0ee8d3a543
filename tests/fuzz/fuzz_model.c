/* Model files. */
#include "fuzz.h"
#include "train.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    nm_context *ctx = fuzz_context();
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    nm_status status = nm_yaml_parse(ctx, "model.yaml", (const char *)bytes, size, &document);
    if (status == NM_OK)
        status = nm_network_open(ctx, document, &nm_train_section, &net);
    fuzz_judge(ctx, status);
    nm_network_free(net);
    nm_context_free(ctx);
    return 0;
}
