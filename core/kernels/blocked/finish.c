/* What blocked.h says about epilogues. */
#include "kernels/blocked/blocked.h"

rn_finish rn_finish_of(const rn_epilogue *epilogue)
{
    rn_finish finish = {0};
    size_t i = 0;
    const rn_post *post = epilogue->post;
    if (i < epilogue->count && post[i].op == RN_OP_ADD) finish.add_first = true, i++;
    if (i < epilogue->count && post[i].op == RN_OP_RELU) finish.relu = true, i++;
    if (i < epilogue->count && finish.relu && !finish.add_first && post[i].op == RN_OP_ADD)
        finish.add_last = true, i++;
    return i == epilogue->count ? finish : (rn_finish){.rest = epilogue};
}

bool rn_finish_fits(const rn_desc *desc)
{
    return desc->out.c % RN_BLOCK == 0 || rn_epilogue_keeps_zero(&desc->epilogue);
}
