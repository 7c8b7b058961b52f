/* preprocessor_config.json, as the image processors of Hugging Face's transformers read it: each
 * has its own defaults for what the file does not say. */
#ifndef RN_ARCH_PROCESSOR_H
#define RN_ARCH_PROCESSOR_H

#include "arch/arch.h"

/* What an image processor does where its file says nothing. */
typedef struct rn_processor rn_processor;

/* The processor by "image_processor_type", else "feature_extractor_type", else config.json's
 * "model_type"; NULL: none of those that are known is named. */
const rn_processor *rn_processor_named(const rn_arch_options *options);
const char *rn_processor_name(const rn_processor *processor);

/* Whether preprocessor_config.json says anything about size, crop or filter. */
bool rn_processor_speaks(const rn_arch_options *options);

/* The input's height and width; false: the file does not say them. */
bool rn_processor_input(const rn_arch_options *options, size_t *height, size_t *width);

/* Sets all of *p but mean and std, for an input of that size. */
rn_status rn_processor_read(rn_preprocessing *p, const rn_arch_options *options, rn_shape in,
                            rn_error *err);

/* Its own, or NULL: it does not normalise. processor: not NULL. */
const float *rn_processor_mean(const rn_processor *processor);
const float *rn_processor_std(const rn_processor *processor);

/* Notes what of the filter the file leaves open. */
rn_status rn_processor_note(rn_arch *arch, const rn_arch_options *options, rn_error *err);

#endif
