/* The rows that each instruction set adds to kernels/impls.c, made by blocked/impls.inc. */
#ifndef RN_KERNELS_BLOCKED_IMPLS_H
#define RN_KERNELS_BLOCKED_IMPLS_H

#include "kernels/blocked/blocked.h"

/* A list of ROW(isa, name), best first. Those of the elementwise operators are not in it: they
 * follow from elementwise.def. */
#define RN_BLOCKED_ROWS(ROW, isa)                                                                \
    ROW(isa, winograd_stem), ROW(isa, stem), ROW(isa, winograd), ROW(isa, group),                \
        ROW(isa, direct), ROW(isa, linear), ROW(isa, batch_norm), ROW(isa, max_pool),            \
        ROW(isa, avg_pool), ROW(isa, global_avg_pool), ROW(isa, group_norm), ROW(isa, zero_pad), \
        ROW(isa, blur), ROW(isa, concat), ROW(isa, prelu)

#define RN_BLOCKED_DECLARE(isa, name) rn_##isa##_##name
extern const rn_impl RN_BLOCKED_ROWS(RN_BLOCKED_DECLARE, avx512);
extern const rn_impl RN_BLOCKED_ROWS(RN_BLOCKED_DECLARE, avx2);
extern const rn_impl RN_BLOCKED_ROWS(RN_BLOCKED_DECLARE, neon);
#undef RN_BLOCKED_DECLARE

#define UNARY(id, low, ...)  extern const rn_impl rn_avx512_##low, rn_avx2_##low, rn_neon_##low;
#define BINARY(id, low, ...) extern const rn_impl rn_avx512_##low, rn_avx2_##low, rn_neon_##low;
#include "graph/elementwise.def"
#undef UNARY
#undef BINARY

/* What the rows are built on. */
extern const rn_micro *const rn_avx512_micro, *const rn_avx2_micro, *const rn_neon_micro;

#endif
