/* Any bytes as an ONNX model. */
#include "fuzz/format_target.h"

FORMAT_TARGET({.name = "onnx", .load = rn_onnx_load, .build = rn_onnx_build})
