/* Any bytes as a .pth file of torch 1.6 and later, a zip archive. */
#include "fuzz/format_target.h"

FORMAT_TARGET({.name = "torch zip", .load = rn_torch_zip_load, .build = NULL})
