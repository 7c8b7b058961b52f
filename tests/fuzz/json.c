/* Any bytes as the JSON body of POST /infer. */
#include "fuzz/ingest_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct ingest_spec spec = {
        .form = INGEST_JSON, .body_size = size, .sample_size = 4, .max_floats = 5000};
    return compare_whole_and_pieces(&spec, bytes, size);
}
