#include "base/type.h"

static const struct {
    const char *name;
    size_t bytes;
    bool is_float;
} types[RN_TYPES] = {
    [RN_F32] = {"F32", 4, true}, [RN_F16] = {"F16", 2, true},  [RN_BF16] = {"BF16", 2, true},
    [RN_F64] = {"F64", 8, true}, [RN_I64] = {"I64", 8, false}, [RN_I32] = {"I32", 4, false},
    [RN_I8] = {"I8", 1, false},  [RN_U8] = {"U8", 1, false},   [RN_BOOL] = {"BOOL", 1, false},
};

size_t rn_type_bytes(rn_type type)
{
    return types[type].bytes;
}

const char *rn_type_name(rn_type type)
{
    return types[type].name;
}

bool rn_type_is_float(rn_type type)
{
    return types[type].is_float;
}
