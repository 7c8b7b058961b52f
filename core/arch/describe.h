/* What the files beside the weights say that is no part of the network: labels, preprocessing. */
#ifndef RN_ARCH_DESCRIBE_H
#define RN_ARCH_DESCRIBE_H

#include "arch/arch.h"

/* Sets label and preprocess, and notes where they are from. graph: built, its output set. */
rn_status rn_arch_describe(rn_arch *arch, const rn_graph *graph, const rn_arch_options *options,
                           rn_error *err);

#endif
