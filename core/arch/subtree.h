/* Where in a file the network is: checkpoints hold optimisers, averaged copies, projection heads
 * and other nets beside it, and wrappers put their names in front of its tensors'. The sub-tree is
 * told by its names, not by those around it. */
#ifndef RN_ARCH_SUBTREE_H
#define RN_ARCH_SUBTREE_H

#include "arch/arch.h"

typedef struct {
    char *prefix;  /* of every tensor's name in it, "state_dict.module." or "" */
    size_t others; /* further sub-trees that would have been networks too */
} rn_subtree;

/* Finds the sub-tree of the sorted tensors that is a residual network, or that has the layers of
 * `list`. Of several the averaged one is taken, then the one with the most tensors, then the first;
 * "weights" in config.json names one by the keys that lead to it. Where there is none the prefix is
 * empty. Marks all tensors outside as used. A normaliser beside the network that changes its input
 * is refused: RN_ERR_FORMAT. Release it on failure too. */
rn_status rn_subtree_find(rn_subtree *found, const rn_tensors *tensors, const rn_json *config,
                          const rn_json *list, rn_error *err);

/* Bytes of a prefix without its last key, what the network and its neighbours share: 0 for
 * "backbone.", 6 for "model.backbone.". */
size_t rn_subtree_parent(const char *prefix);

/* Says in notes what was taken and what was left, when something was. */
rn_status rn_subtree_note(const rn_subtree *found, const rn_tensors *tensors, rn_arch *arch,
                          rn_error *err);

void rn_subtree_release(rn_subtree *found);

#endif
