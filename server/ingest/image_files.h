/* The decoders behind image_decode(): inside image.c, image_jpeg.c and image_png.c only. */
#ifndef SERVER_INGEST_IMAGE_FILES_H
#define SERVER_INGEST_IMAGE_FILES_H

#include "ingest/image.h"

/* They say why and return false. */
bool image_fail(struct image_error *error, enum image_problem problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool image_damaged(struct image_error *error, const char *why);
bool image_no_memory(struct image_error *error);

/* False: cancelled. Decoders ask it for every row, and between. */
bool image_go_on(const struct image_file *file, struct image_error *error);

/* Checks a size against the limit and makes room for the pixels. */
bool image_new(struct image *image, size_t width, size_t height, size_t max_pixels,
               struct image_error *error);

/* Both free what they have made when they fail. */
bool image_jpeg(struct image *image, const struct image_file *file, struct image_error *error);
bool image_png(struct image *image, const struct image_file *file, struct image_error *error);

/* The orientation, 1 to 8, in the payload of a JPEG's APP1 marker or a PNG's eXIf chunk (which has
 * no "Exif\0\0" in front); 1 where there is none. */
unsigned image_orientation(const uint8_t *exif, size_t size);

/* Turns and mirrors the image upright. False: no memory. */
bool image_turn(struct image *image, unsigned orientation);

#endif
