/* The last linear layer under the names that people give it, and where none is to be taken. */
#ifndef RN_ARCH_HEAD_H
#define RN_ARCH_HEAD_H

#include "arch/arch.h"
#include "arch/names.h"

/* Adds the head's tensors to the index as "fc.*": those inside the sub-tree that have another name,
 * or those beside it, at its parent, when their width is the network's. What a self-supervised
 * encoder projects its features with isn't one: those tensors count as used. Notes say so. */
rn_status rn_head_find(rn_names *names, const rn_tensors *tensors, const char *prefix,
                       rn_arch *arch, rn_error *err);

#endif
