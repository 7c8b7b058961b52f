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
    const size_t side = choice[0] & 8 ? choice[2] : choice[3];
    const struct image_recipe recipe = {choice[0] & 1 ? 3 : 1,
                                        1 + choice[1] % 40,
                                        1 + choice[1] / 8,
                                        {.fit = (rn_fit)(choice[0] / 2 % 4),
                                         .height = 1 + choice[2],
                                         .width = 1 + side,
                                         .filter = (rn_filter)(choice[0] / 16 % (RN_HAMMING + 1)),
                                         .mean = {0.5f, 0.5f, 0.5f},
                                         .std = {0.5f, 0.5f, 0.5f},
                                         .crop = choice[3] & 1 ? RN_CROP_FLOOR : RN_CROP_EVEN,
                                         .bgr = choice[3] & 2,
                                         .orient = !(choice[3] & 4)}};
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
