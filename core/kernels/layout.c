/* What kernels.h says about layouts. */
#include "base/size.h"
#include "kernels/kernels.h"

size_t rn_layout_size(rn_layout layout, rn_shape shape)
{
    const size_t channels = layout == RN_LAYOUT_NCHW16C ? rn_round_up(shape.c, 16) : shape.c;
    return channels * rn_shape_pixels(shape);
}

const char *rn_layout_name(rn_layout layout)
{
    static const char *const names[] = {
        [RN_LAYOUT_NCHW] = "nchw", [RN_LAYOUT_NCHW16C] = "nchw16c", [RN_LAYOUT_SAME] = "same"};
    return names[layout];
}
