/* Any bytes as a .pth file of older torch. */
#include "fuzz/format_target.h"

FORMAT_TARGET({.name = "torch legacy", .load = rn_torch_legacy_load, .build = NULL})
