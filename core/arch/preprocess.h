/* How pictures become inputs, by the files beside the weights: timm's keys in config.json, else
 * Hugging Face's preprocessor_config.json, else a default; and above all of these our own keys in
 * config.json's "preprocess". */
#ifndef RN_ARCH_PREPROCESS_H
#define RN_ARCH_PREPROCESS_H

#include "arch/arch.h"

/* timm's keys about its weights: "pretrained_cfg", or config.json itself in older files; NULL. */
const rn_json *rn_timm_config(const rn_json *config);

/* The input's height and width as preprocessor_config.json says them; false: it doesn't. */
bool rn_preprocess_input(const rn_arch_options *options, size_t *height, size_t *width);

/* Whether config.json asks for the size that timm tests with: "preprocess": {"use_test_size":
 * true}.
 */
bool rn_preprocess_test_size(const rn_json *config);

/* Sets arch->preprocess for an input of that size, and notes where it is from. */
rn_status rn_preprocess_read(rn_arch *arch, rn_shape input, const rn_arch_options *options,
                             rn_error *err);

#endif
