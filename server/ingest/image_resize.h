/* The weights of a resize and its two loops, in plain C and with AVX2: inside image_resize*.c,
 * image_scale.c and their test only. All implementations give the same bytes. No state: any thread.
 */
#ifndef SERVER_INGEST_IMAGE_RESIZE_H
#define SERVER_INGEST_IMAGE_RESIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resnet.h"

/* Of a weight, behind the point: a sum of weighted bytes fits in 32 bits. */
#define IMAGE_TAP_BITS 22

/* The source samples of each output sample and their weights. */
struct image_taps {
    size_t most;   /* weights of one output sample; a multiple of 2, unused ones are 0 */
    size_t *first; /* source sample; never falls, nor does first + count */
    size_t *count;
    int32_t *weight; /* (output sample, tap) */
};

/* One direction: samples `first` to `first + count` of a scale from `in` to `out` samples. */
struct image_axis {
    size_t in, out, first, count;
    bool mirrored; /* the source lies the other way round, and so do the taps */
};

/* False: no memory; what there is is to be freed. */
bool image_taps_init(struct image_taps *taps, const struct image_axis *axis, rn_filter filter);
void image_taps_free(struct image_taps *taps);

/* The same from the sample `from` on. */
struct image_taps image_taps_from(const struct image_taps *taps, size_t from);

/* One row of in_width pixels to one of `width`. */
typedef void image_row_fn(const struct image_taps *taps, const uint8_t *in, size_t in_width,
                          uint8_t *out, size_t width);

/* The weighted sum of `count` rows of `size` bytes. */
struct image_rows {
    const int32_t *weight;
    size_t count;
    const uint8_t *const *in;
};
typedef void image_column_fn(const struct image_rows *rows, uint8_t *out, size_t size);

/* Best first, the plain one last; then a row without a name. */
struct image_resize_impl {
    const char *name;
    bool (*available)(void); /* on this CPU, as far as it is allowed: isa.h */
    image_row_fn *row;
    image_column_fn *column;
};
extern const struct image_resize_impl image_resize_impls[];

/* The best that is available. */
const struct image_resize_impl *image_resize_best(void);

image_row_fn image_row_plain, image_row_avx2;
image_column_fn image_column_plain, image_column_avx2;

#endif
