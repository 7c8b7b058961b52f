/* Any bytes as a safetensors file. */
#include "fuzz/format_target.h"

FORMAT_TARGET({.name = "safetensors", .load = rn_safetensors_load, .build = NULL})
