/* Types of elements: those of tensors in files and of values in the graph. Any thread. */
#ifndef RN_BASE_TYPE_H
#define RN_BASE_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#define RN_MAX_RANK 8 /* axes of a tensor, at most */

/* The first five are the ones that weights files may have. */
typedef enum {
    RN_F32,
    RN_F16,
    RN_BF16,
    RN_F64,
    RN_I64,
    RN_I32,
    RN_I8,
    RN_U8,
    RN_BOOL,
    RN_TYPES
} rn_type;

size_t rn_type_bytes(rn_type type);
const char *rn_type_name(rn_type type); /* "F32" */
bool rn_type_is_float(rn_type type);

#endif
