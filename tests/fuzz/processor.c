/* Any two texts, with a NUL between, as the config.json and preprocessor_config.json of a network:
 * refused with a text, or a preparation of pictures that makes sense. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/preprocess.h"

enum { HEAD = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static rn_json_document *parse(const uint8_t *text, size_t size)
{
    rn_json_document *document = NULL;
    rn_error err = {0};
    if (rn_json_parse(&document, (const char *)text, size, "text", &err) != RN_OK) return NULL;
    return document;
}

static void check(const rn_preprocessing *p)
{
    const size_t most = (size_t)1 << 30;
    if (p->fit > RN_FIT_NONE || p->filter > RN_HAMMING || p->crop > RN_CROP_FLOOR) abort();
    if (p->height < 1 || p->height > most || p->width < 1 || p->width > most) abort();
    for (size_t i = 0; i < 3; i++)
        if (isnan(p->mean[i]) || !(p->std[i] >= 0)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < HEAD) return 0;
    const rn_shape in = {
        .rank = 3, .c = bytes[0] & 1 ? 3 : 1, .h = 1 + bytes[1] * 4u, .w = 1 + bytes[2] * 4u};
    const uint8_t *text = bytes + HEAD, *end = bytes + size;
    const uint8_t *nul = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;
    rn_json_document *config = parse(text, (size_t)((nul ? nul : end) - text));
    rn_json_document *file = nul ? parse(nul + 1, (size_t)(end - nul - 1)) : NULL;
    const rn_arch_options options = {.config = rn_json_root(config),
                                     .preprocessor = rn_json_root(file)};
    size_t height = 0, width = 0;
    rn_arch arch = {0};
    rn_error err = {0};
    if (rn_preprocess_input(&options, &height, &width) && (height == 0 || width == 0)) abort();
    if (rn_preprocess_read(&arch, in, &options, &err) == RN_OK)
        check(&arch.preprocess);
    else if (!*err.text)
        abort();
    rn_arch_release(&arch);
    rn_json_free(config);
    rn_json_free(file);
    return 0;
}
