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
    RN_BLOCKED_ROWS(ROW, avx2),
#elif defined(__aarch64__)
    RN_BLOCKED_ROWS(ROW, neon),
#endif
    /* any CPU */
    &rn_blocked_reorder,
    &rn_gemm_conv,
    &rn_gemm_linear,
    /* the definition of truth */
    &rn_ref_conv,
    &rn_ref_linear,
    &rn_ref_batch_norm,
    &rn_ref_relu,
    &rn_ref_add,
    &rn_ref_max_pool,
    &rn_ref_avg_pool,
    &rn_ref_global_avg_pool,
    &rn_ref_flatten,
    &rn_ref_concat,
    &rn_ref_zero_pad,
    &rn_ref_softmax,
    &rn_ref_group_norm,
    &rn_ref_sigmoid,
    &rn_ref_mul,
    &rn_ref_channel_conv,
    &rn_ref_blur_pool,
    &rn_ref_channel_pad,
    &rn_ref_fake_quantize,
    &rn_ref_reorder,
};

const size_t rn_impl_count = sizeof rn_impls / sizeof *rn_impls;

const rn_impl *rn_impl_choose(const rn_desc *desc, rn_isa isa)
{
    for (size_t i = 0; i < rn_impl_count; i++) {
        const rn_impl *impl = rn_impls[i];
        if (impl->op == desc->op && impl->isa <= isa && (!impl->supports || impl->supports(desc)))
            return impl;
    }
    assert(0 && "every operator has a reference");
    return NULL;
}
