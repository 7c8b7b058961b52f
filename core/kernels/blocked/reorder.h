/* Between NCHW and NCHW16C, on any CPU. */
#ifndef RN_KERNELS_BLOCKED_REORDER_H
#define RN_KERNELS_BLOCKED_REORDER_H

#include "kernels/kernels.h"

extern const rn_impl rn_blocked_reorder;

#endif
