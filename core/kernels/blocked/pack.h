/* The packed weights that all convolutions over NCHW16C share: direct and Winograd read the same
 * memory, so that which one runs may depend on the batch.
 *
 *   (output block, band of input blocks, taps, 16 input channels, 16 output channels)
 *
 * A band is what the channels of one output block read: all input blocks, or with groups those
 * around the block's own groups, the same number for every output block. Channels that fill up a
 * block, and those of other groups, have zero weights. */
#ifndef RN_KERNELS_BLOCKED_PACK_H
#define RN_KERNELS_BLOCKED_PACK_H

#include "kernels/blocked/blocked.h"

size_t rn_conv_taps(const rn_desc *desc);
size_t rn_conv_in_blocks(const rn_desc *desc);
size_t rn_conv_out_blocks(const rn_desc *desc);
size_t rn_conv_band(const rn_desc *desc);                         /* input blocks in a band */
size_t rn_conv_band_start(const rn_desc *desc, size_t out_block); /* its first input block */

size_t rn_conv_packed_size(const rn_desc *desc);
void rn_conv_pack(const rn_desc *desc, const float *weights, const float *scale, float *packed);

/* How often a window of one image is computed: offsets of its taps in a plane. Fills
 * offset[taps][count] for the output pixels [first, first + count), RN_OUTSIDE for padding. */
void rn_conv_offsets(const rn_desc *desc, size_t first, size_t count, uint32_t *offset);

/* True when a plane's offsets fit into 32 bits. */
bool rn_conv_plane_fits(const rn_desc *desc);

#endif
