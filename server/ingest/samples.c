#include "ingest/samples.h"

#include <stdio.h>
#include <string.h>

size_t tensor_samples(const struct tensor *tensor, const rn_model_info *info, const char *name,
                      bool flat, char error[240])
{
    const size_t *dim = tensor->dim, *want = info->input;
    size_t samples = 0;
    if (flat && tensor->rank == 2 && dim[1] == info->input_size) samples = dim[0];
    if (!flat && tensor->rank == 4 && !memcmp(dim + 1, want, 3 * sizeof *want)) samples = dim[0];
    if (!flat && tensor->rank == 3 && !memcmp(dim, want, 3 * sizeof *want)) samples = 1;
    if (samples) return samples;

    char shape[160] = "[";
    for (size_t i = 0, at = 1; i < tensor->rank && at < sizeof shape; i++)
        at += (size_t)snprintf(shape + at, sizeof shape - at, i ? ",%zu" : "%zu", dim[i]);
    snprintf(error, 240, "shape %.80s], model %.64s needs [N,%zu,%zu,%zu] or [%zu,%zu,%zu]%s",
             shape, name, want[0], want[1], want[2], want[0], want[1], want[2],
             tensor->rank == 1 ? "; flat numbers need a \"shape\"" : "");
    return 0;
}
