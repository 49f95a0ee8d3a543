/* PNG, JPEG, WebP, TIFF and GIF, by their first bytes. */
#include "fuzz.h"
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t pixels[16 * 16 * 3];
    nm_context *ctx = fuzz_context();
    nm_image_reader reader = {.ctx = ctx, .rules = {.orient = true}};
    nm_shape shape = {16, 16, size % 2 ? 3 : 1};
    fuzz_judge(ctx, nm_image_decode(&reader, "x", bytes, size, shape, pixels));
    nm_context_free(ctx);
    return 0;
}
