/* The points of an axis of the Winograd domains: what a driver and its transforms must agree on;
 * what the points are, winograd.inc says for 3x3 convolutions and winograd_stem.inc for 7x7 ones.
 *
 * 3x3: the transformed input V has a product with U at each of its points; products of the same sum
 * are added to one point of M. Stride 1: six points of each. Stride 2: of V five for the inputs
 * 0 2 4 .. of a tile and four for the others, which all meet U's sixth; of M five. */
#ifndef RN_KERNELS_BLOCKED_WINOGRAD_POINTS_H
#define RN_KERNELS_BLOCKED_WINOGRAD_POINTS_H

#include <stdbool.h>
#include <stddef.h>

/* Points of V. */
static inline size_t rn_wino_side(size_t stride)
{
    return stride == 1 ? 6 : 9;
}

/* Points of M. */
static inline size_t rn_wino_sums(size_t stride)
{
    return stride == 1 ? 6 : 5;
}

/* The point of U that a point of V is multiplied by. */
static inline size_t rn_wino_u(size_t stride, size_t point)
{
    return stride == 1 || point < 5 ? point : 5;
}

/* The point of M that the product is added to; those below rn_wino_sums() come first there. */
static inline size_t rn_wino_sum(size_t stride, size_t point)
{
    if (stride == 1 || point < 5) return point;
    return point == 8 ? 4 : point - 5;
}

/* Tiles of 3 outputs do without this point of V. */
static inline bool rn_wino_fours_only(size_t stride, size_t point)
{
    return stride == 1 ? point == 4 : point == 3 || point == 8;
}

/* 7x7 of stride 2. */
enum {
    RN_STEM_TAPS = 7, /* of an axis */
    RN_STEM_STRIDE = 2,
    RN_STEM_OUTPUTS = 4,                               /* of a tile's axis */
    RN_STEM_EVEN = 7,                                  /* points of the even inputs and taps */
    RN_STEM_ODD = 6,                                   /* of the odd ones */
    RN_STEM_SIDE = RN_STEM_EVEN + RN_STEM_ODD,         /* of both, and as many inputs */
    RN_STEM_PHASES = RN_STEM_OUTPUTS * RN_STEM_STRIDE, /* inputs from one tile to the next */
};

#endif
