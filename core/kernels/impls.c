/* The ordered list of implementations: best first, the reference last. A new kernel is one row. */
#include "kernels/blocked/impls.h"
#include "kernels/blocked/reorder.h"
#include "kernels/gemm_blas.h"
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

#include <assert.h>

#define ROW(isa, name) &rn_##isa##_##name

const rn_impl *const rn_impls[] = {
#if defined(__x86_64__)
    RN_BLOCKED_ROWS(ROW, avx512),
#define UNARY(id, low, ...)  ROW(avx512, low),
#define BINARY(id, low, ...) ROW(avx512, low),
#include "graph/elementwise.def"
#undef UNARY
#undef BINARY
    RN_BLOCKED_ROWS(ROW, avx2),
#define UNARY(id, low, ...)  ROW(avx2, low),
#define BINARY(id, low, ...) ROW(avx2, low),
#include "graph/elementwise.def"
#undef UNARY
#undef BINARY
#elif defined(__aarch64__)
    RN_BLOCKED_ROWS(ROW, neon),
#define UNARY(id, low, ...)  ROW(neon, low),
#define BINARY(id, low, ...) ROW(neon, low),
#include "graph/elementwise.def"
#undef UNARY
#undef BINARY
#endif
    /* any CPU */
    &rn_blocked_reorder,
    &rn_gemm_conv,
    &rn_gemm_linear,
/* the definition of truth */
#define OP(id, low, ...) &rn_ref_##low,
#include "graph/ops.def"
#undef OP
};

const size_t rn_impl_count = sizeof rn_impls / sizeof *rn_impls;

const rn_impl *rn_impl_reference(rn_op op)
{
    static const rn_impl *const references[RN_OPS] = {
#define OP(id, low, ...) [RN_OP_##id] = &rn_ref_##low,
#include "graph/ops.def"
#undef OP
    };
    return references[op];
}

bool rn_impl_takes(const rn_impl *impl, const rn_desc *desc, rn_isa isa)
{
    return impl->op == desc->op && rn_isa_has(isa, impl->needs) &&
           (!impl->supports || impl->supports(desc));
}

const rn_impl *rn_impl_choose(const rn_desc *desc, rn_isa isa)
{
    for (size_t i = 0; i < rn_impl_count; i++)
        if (rn_impl_takes(rn_impls[i], desc, isa)) return rn_impls[i];
    assert(0 && "every operator has a reference");
    return NULL;
}
