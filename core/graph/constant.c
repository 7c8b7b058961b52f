#include "graph/constant.h"

#include "base/error.h"

rn_status rn_constant_read(rn_constant constant, size_t count, float *buffer, const float **out,
                           rn_error *err)
{
    *out = constant.floats;
    if (constant.floats) return RN_OK;
    if (!constant.stored || constant.stored->count != count)
        return rn_fail(err, RN_ERR_FORMAT, "a constant of %zu numbers, %zu are needed",
                       constant.stored ? constant.stored->count : 0, count);
    *out = buffer;
    return constant.stored->read(constant.stored, buffer, err);
}
