/* Any bytes as a .npy file: a header that is accepted must describe exactly the bytes that follow.
 */
#include <stdlib.h>

#include "ingest/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct npy npy;
    if (npy_read(&npy, bytes, size)) return 0;
    float *floats = malloc(npy.count * sizeof *floats + 1);
    if (!floats) abort();
    npy_floats(&npy, floats);
    free(floats);
    return 0;
}
