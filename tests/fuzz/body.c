/* Any bytes as a body of any form and coding. The first byte chooses them, the next two are the
 * size of the JSON in front of binary tensors. */
#include "fuzz/ingest_target.h"

enum { HEAD = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const enum ingest_form forms[] = {INGEST_V2,  INGEST_V2,       INGEST_JSON,
                                             INGEST_V1,  INGEST_NPY,      INGEST_IMAGE,
                                             INGEST_RAW, INGEST_MULTIPART};
    if (size < HEAD) return 0;
    const size_t choice = bytes[0] % 8;
    struct ingest_spec spec = {.form = forms[choice],
                               .coding = (enum coding)(bytes[0] / 8 % 3),
                               .max_size = 20000,
                               .sample_size = 4,
                               .json_size = choice == 0 ? SIZE_MAX : bytes[1] + 256u * bytes[2],
                               .max_floats = 5000,
                               .max_pixels = 4096,
                               .max_bytes = 1 << 20,
                               .recipe = {3,
                                          2,
                                          2,
                                          {.fit = RN_FIT_COVER,
                                           .height = 2,
                                           .width = 2,
                                           .filter = RN_BILINEAR,
                                           .std = {1, 1, 1}}},
                               .or_floats = bytes[1] % 2 == 1,
                               .boundary = ""};
    if (choice == 7) memcpy(spec.boundary, "XX", 3);
    return compare_whole_and_pieces(&spec, bytes + HEAD, size - HEAD);
}
