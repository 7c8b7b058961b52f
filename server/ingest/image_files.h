/* The decoders, and what they hand their rows to: inside image*.c and a test only. */
#ifndef SERVER_INGEST_IMAGE_FILES_H
#define SERVER_INGEST_IMAGE_FILES_H

#include "ingest/image.h"
#include "ingest/image_scale.h"

/* They say why and return false. */
bool image_fail(struct image_error *error, enum image_problem problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool image_damaged(struct image_error *error, const char *why);
bool image_no_memory(struct image_error *error);

/* False: cancelled. Decoders ask it for every row, and between. */
bool image_go_on(const struct image_file *file, struct image_error *error);

/* What of a picture the network sees: a part of it, at (left, top) of the input. */
struct image_view {
    struct image_part part;
    size_t left, top;
};

struct image_view image_view_of(const struct image_recipe *recipe, size_t width, size_t height);

/* The view's part and, where it is smaller than the input, what stands beside it: to floats. */
void image_fill(const struct image *part, const struct image_view *view,
                const struct image_recipe *recipe, float *chw);

/* A file on its way to a network. */
struct image_reading {
    const struct image_file *file;
    const struct image_recipe *recipe;
    struct image_error *error;
    struct image_view view;
    struct image_scaler scaler; /* says what of the file is needed, and takes these rows */
    size_t bytes;               /* of memory, by image_take_bytes() */
};

/* A decoder knows the size, and the orientation, and nothing is decoded yet: checks the size
 * against the limit and makes scaler and view. */
bool image_begin(struct image_reading *reading, size_t width, size_t height, unsigned orientation);

/* Counts memory that grows with the picture, before it is allocated, against file->max_bytes. */
bool image_take_bytes(struct image_reading *reading, size_t bytes);

/* The next row of the scaler's area, which this call may change. */
void image_take_row(struct image_reading *reading, uint8_t *rgb);

/* From image_begin() to the last row of the scaler's area. */
bool image_jpeg(struct image_reading *reading);
bool image_png(struct image_reading *reading);

#endif
