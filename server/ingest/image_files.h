/* The decoders behind image_decode(): inside image.c, image_jpeg.c and image_png.c only. */
#ifndef SERVER_INGEST_IMAGE_FILES_H
#define SERVER_INGEST_IMAGE_FILES_H

#include "ingest/image.h"

/* Says why and returns false. */
bool image_fail(char error[IMAGE_ERROR_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Checks a size against the limit and makes room for the pixels. */
bool image_new(struct image *image, size_t width, size_t height, size_t max_pixels,
               char error[IMAGE_ERROR_SIZE]);

/* Both free what they have made when they fail. */
bool image_jpeg(struct image *image, const uint8_t *bytes, size_t size, size_t max_pixels,
                char error[IMAGE_ERROR_SIZE]);
bool image_png(struct image *image, const uint8_t *bytes, size_t size, size_t max_pixels,
               char error[IMAGE_ERROR_SIZE]);

/* The orientation, 1 to 8, in the payload of a JPEG's APP1 marker or a PNG's eXIf chunk (which has
 * no "Exif\0\0" in front); 1 where there is none. */
unsigned image_orientation(const uint8_t *exif, size_t size);

/* Turns and mirrors the image upright. False: no memory. */
bool image_turn(struct image *image, unsigned orientation);

#endif
