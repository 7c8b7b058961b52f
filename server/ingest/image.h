/* Pictures: JPEG and PNG files to RGB, and RGB to what a network takes.
 *
 * Pixels are those that PIL's Image.open(file).convert("RGB") and Image.resize() give. Sizes are
 * checked before anything is decoded. No state: any thread. */
#ifndef SERVER_INGEST_IMAGE_H
#define SERVER_INGEST_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMAGE_ERROR_SIZE = 160 };

/* height rows of width pixels of three bytes: R, G, B */
struct image {
    size_t width, height;
    uint8_t *rgb;
};

enum image_kind { IMAGE_NONE, IMAGE_JPEG, IMAGE_PNG };

/* What the file is by its first bytes. */
enum image_kind image_kind_of(const void *bytes, size_t size);

/* Decodes a file of at most max_pixels; an EXIF orientation is applied, as PIL's
 * ImageOps.exif_transpose() does. False: `error` says why, nothing is to be freed. */
bool image_decode(struct image *image, const void *bytes, size_t size, size_t max_pixels,
                  char error[IMAGE_ERROR_SIZE]);
void image_free(struct image *image);

enum image_filter { IMAGE_BILINEAR, IMAGE_BICUBIC };

/* The image in another size, antialiased. False: no memory. */
bool image_resize(struct image *out, const struct image *in, size_t width, size_t height,
                  enum image_filter filter);

/* How a network wants its pictures: torchvision's Resize, CenterCrop, ToTensor, Normalize. */
struct image_recipe {
    size_t resize;        /* of the shorter side; 0: straight to width x height */
    size_t width, height; /* of the middle that is cut out */
    size_t channels;      /* 3, or 1: grey as PIL's convert("L") gives */
    enum image_filter filter;
    float mean[3], std[3]; /* of values from 0 to 1 */
};

/* Writes channels x height x width floats. False: no memory. */
bool image_tensor(const struct image *image, const struct image_recipe *recipe, float *chw);

#endif
