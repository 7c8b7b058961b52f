/* Checked arithmetic on sizes: every product and sum that comes from a file or the network. */
#ifndef RN_BASE_SIZE_H
#define RN_BASE_SIZE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/* False on overflow; *out is then unspecified. */
static inline bool rn_size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool rn_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* product of n factors; the empty product is 1 */
static inline bool rn_size_product(const size_t *factor, size_t n, size_t *out)
{
    *out = 1;
    for (size_t i = 0; i < n; i++)
        if (!rn_size_mul(*out, factor[i], out)) return false;
    return true;
}

/* The following take values that were checked before: no overflow is possible. */
static inline size_t rn_round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static inline size_t rn_ceil_div(size_t value, size_t divisor)
{
    assert(divisor > 0);
    return (value + divisor - 1) / divisor;
}

static inline size_t rn_min(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline size_t rn_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
