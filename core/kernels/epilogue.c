#include "kernels/epilogue.h"

#include <math.h>
#include <stdio.h>

#include "kernels/functions.h"

void rn_unary(rn_op op, const float parameter[RN_PARAMETERS], const float *src, float *dst,
              size_t count)
{
    const float *const p = parameter;
    (void)p;
    switch (op) {
#define UNARY(id, low, name, accuracy, formula, fast) \
    case RN_OP_##id:                                  \
        for (size_t i = 0; i < count; i++) {          \
            const float x = src[i];                   \
            dst[i] = (formula);                       \
        }                                             \
        break;
#define BINARY(...)
#include "graph/elementwise.def"
#undef UNARY
#undef BINARY
    default: break;
    }
}

void rn_binary(rn_op op, const float *a, const float *b, float *dst, size_t count)
{
    switch (op) {
#define UNARY(...)
#define BINARY(id, low, name, commutes, verb, accuracy, formula) \
    case RN_OP_##id:                                             \
        for (size_t i = 0; i < count; i++) {                     \
            const float x = a[i], y = b[i];                      \
            dst[i] = (formula);                                  \
        }                                                        \
        break;
#include "graph/elementwise.def"
#undef UNARY
#undef BINARY
    default: break;
    }
}

float rn_binary_one(rn_op op, float a, float b)
{
    float result = 0;
    rn_binary(op, &a, &b, &result, 1);
    return result;
}

static bool is_binary(const rn_post *post)
{
    return rn_op_row_of(post->op)->kind == RN_KIND_BINARY;
}

bool rn_epilogue_adds(const rn_epilogue *epilogue)
{
    for (size_t i = 0; i < epilogue->count; i++)
        if (is_binary(&epilogue->post[i])) return true;
    return false;
}

bool rn_epilogue_keeps_zero(const rn_epilogue *epilogue)
{
    float y = 0;
    const float addend = 0;
    rn_epilogue_apply(epilogue, &y, &addend, 1);
    return y == 0;
}

bool rn_epilogue_append(rn_epilogue *epilogue, const rn_post *post)
{
    if (epilogue->count == RN_MAX_POSTS) return false;
    if (is_binary(post) && rn_epilogue_adds(epilogue)) return false;
    epilogue->post[epilogue->count++] = *post;
    return true;
}

void rn_epilogue_apply(const rn_epilogue *epilogue, float *y, const float *addend, size_t count)
{
    for (size_t i = 0; i < epilogue->count; i++) {
        const rn_post *post = &epilogue->post[i];
        if (is_binary(post))
            rn_binary(post->op, y, addend, y, count);
        else
            rn_unary(post->op, post->parameter, y, y, count);
    }
}

char *rn_epilogue_write(const rn_epilogue *epilogue, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < epilogue->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "+" : "",
                                 rn_op_name(epilogue->post[i].op));
    return text;
}
