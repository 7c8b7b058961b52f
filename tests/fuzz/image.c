/* Any bytes as a picture: refused with a text, or decoded within the limit and made a tensor by a
 * recipe that the first bytes choose. */
#include "ingest/image.h"

#include <stdlib.h>

enum { HEAD = 4, MAX_PIXELS = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < HEAD) return 0;
    const uint8_t *choice = bytes;
    const struct image_recipe recipe = {choice[0] & 1 ? 3 : 1,
                                        1 + choice[1] % 40,
                                        1 + choice[1] / 8,
                                        {(rn_fit)(choice[0] / 2 % 4),
                                         1 + choice[2],
                                         choice[0] & 8 ? 1 + choice[2] : 1 + choice[3],
                                         choice[0] & 16 ? RN_BICUBIC : RN_BILINEAR,
                                         {0.5f, 0.5f, 0.5f},
                                         {0.5f, 0.5f, 0.5f}}};
    const struct image_file file = {bytes + HEAD, size - HEAD, MAX_PIXELS, 1 << 20, NULL};
    const size_t count = recipe.channels * recipe.height * recipe.width;
    struct image_error error = {0};
    float *chw = malloc(count * sizeof *chw);
    if (!chw) abort();
    if (image_read(&file, &recipe, chw, &error)) {
        for (size_t i = 0; i < count; i++)
            if (!(chw[i] >= -1 && chw[i] <= 1)) abort();
    } else if (!*error.text) {
        abort();
    }
    free(chw);
    return 0;
}
