/* Constants: numbers of a network that are known at load (weights, biases, statistics).
 *
 * They are float32 in row-major order, and lie in memory or still in the weights file: whoever
 * needs the numbers asks rn_constant_read(), so that no more of a file is in memory than is worked
 * on. A constant is a value: copy it. What it points to belongs to the rn_tensors that it came
 * from, and must outlive it. Any thread. */
#ifndef RN_GRAPH_CONSTANT_H
#define RN_GRAPH_CONSTANT_H

#include "resnet.h"

/* Numbers in a file. */
typedef struct rn_stored rn_stored;
struct rn_stored {
    size_t count; /* floats */
    /* Fills `out` with all `count` floats. Called by any thread, also for the same one at once. */
    rn_status (*read)(const rn_stored *self, float *out, rn_error *err);
};

/* Of floats and stored one is set; neither: the node has no such constant. */
typedef struct {
    const char *name; /* of the tensor in the file; NULL: it was computed */
    size_t count;     /* numbers */
    const float *floats;
    const rn_stored *stored;
} rn_constant;

/* Numbers in memory; none for NULL. */
static inline rn_constant rn_constant_of(const float *floats, size_t count)
{
    return (rn_constant){.count = floats ? count : 0, .floats = floats};
}

static inline bool rn_constant_is_set(rn_constant constant)
{
    return constant.floats || constant.stored;
}

/* Sets *out to the constant's `count` floats: where they lie in memory, or in `buffer` (count
 * floats), read from the file. RN_ERR_FORMAT when the file has another number of them. */
rn_status rn_constant_read(rn_constant constant, size_t count, float *buffer, const float **out,
                           rn_error *err);

#endif
