/* All drivers over NCHW16C: what blocked/impls.inc makes rows of. */
#ifndef RN_KERNELS_BLOCKED_DRIVERS_H
#define RN_KERNELS_BLOCKED_DRIVERS_H

#include "kernels/blocked/conv_direct.h"
#include "kernels/blocked/conv_group.h"
#include "kernels/blocked/conv_stem.h"
#include "kernels/blocked/conv_winograd.h"
#include "kernels/blocked/conv_winograd_stem.h"
#include "kernels/blocked/elementwise.h"
#include "kernels/blocked/impls.h"
#include "kernels/blocked/linear.h"
#include "kernels/blocked/pack.h"
#include "kernels/blocked/pool.h"
#include "kernels/blocked/variants.h"

#endif
