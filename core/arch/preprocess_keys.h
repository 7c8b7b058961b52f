/* Keys of the files that say how pictures become inputs: values are checked as they are read, and
 * an error names the key and what it takes. Inside preprocess.c and processor.c only. */
#ifndef RN_ARCH_PREPROCESS_KEYS_H
#define RN_ARCH_PREPROCESS_KEYS_H

#include "arch/arch.h"

#define RN_MAX_PICTURE_SIDE ((size_t)1 << 30)

/* "KEY: want WANTED" */
rn_status rn_want(rn_error *err, const char *key, const char *wanted);

/* A key whose value is null counts as absent. */
bool rn_has(const rn_json *object, const char *key);
bool rn_has_any(const rn_json *object, const char *const *keys);

/* All leave *out as it is when the key is absent. */
rn_status rn_take_bool(const rn_json *object, const char *key, bool *out, rn_error *err);
/* A number above 0. */
rn_status rn_take_factor(const rn_json *object, const char *key, double *out, rn_error *err);
/* One number for all channels, alone or in a list, or a list of one for each of `channels`. */
rn_status rn_take_channels(const rn_json *value, size_t channels, float out[3], rn_error *err);
/* The name of a filter as timm and PIL write it. */
rn_status rn_take_filter(const rn_json *object, const char *key, rn_filter *out, rn_error *err);
const char *rn_filter_name(rn_filter filter);

/* A size of a picture's side, 1 to RN_MAX_PICTURE_SIDE; false: it is none. */
bool rn_read_side(const rn_json *value, size_t *out);

/* What an input of in.h x in.w shows is crop_pct of a scaled picture. */
rn_status rn_set_size(rn_preprocessing *p, rn_shape in, double crop_pct, rn_error *err);

#endif
