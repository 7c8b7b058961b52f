/* The two loops of a resize, in plain C and with AVX2: inside image_resize*.c and their test only.
 * All implementations give the same bytes. No state: any thread. */
#ifndef SERVER_INGEST_IMAGE_RESIZE_H
#define SERVER_INGEST_IMAGE_RESIZE_H

#include "ingest/image.h"

/* Of a weight, behind the point: a sum of weighted bytes fits in 32 bits. */
#define IMAGE_TAP_BITS 22

/* The source samples of each output sample and their weights. */
struct image_taps {
    size_t most;   /* weights of one output sample; a multiple of 2, unused ones are 0 */
    size_t *first; /* source sample; never falls, nor does first + count */
    size_t *count;
    int32_t *weight; /* (output sample, tap) */
};

/* The same from the sample `from` on. */
struct image_taps image_taps_from(const struct image_taps *taps, size_t from);

/* One row of in_width pixels to one of `width`. */
typedef void image_row_fn(const struct image_taps *taps, const uint8_t *in, size_t in_width,
                          uint8_t *out, size_t width);

/* The weighted sum of `count` rows of `size` bytes, `stride` apart. */
struct image_rows {
    const int32_t *weight;
    size_t count;
    const uint8_t *in;
    size_t stride;
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

image_row_fn image_row_plain, image_row_avx2;
image_column_fn image_column_plain, image_column_avx2;

/* image_resize() by one of them. */
bool image_resize_by(const struct image_resize_impl *impl, struct image *out,
                     const struct image *in, const struct image_part *part, rn_filter filter);

#endif
