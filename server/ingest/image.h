/* Pictures: JPEG and PNG files to RGB, and RGB to what a network takes.
 *
 * Pixels are those that PIL's Image.open(file).convert("RGB") and Image.resize() give. Sizes are
 * checked before anything is decoded. No state: any thread. */
#ifndef SERVER_INGEST_IMAGE_H
#define SERVER_INGEST_IMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resnet.h"

enum { IMAGE_MAX_SIDE = 65535 };

/* height rows of width pixels of three bytes: R, G, B */
struct image {
    size_t width, height;
    uint8_t *rgb;
};

enum image_kind { IMAGE_NONE, IMAGE_JPEG, IMAGE_PNG };

/* What the file is by its first bytes. */
enum image_kind image_kind_of(const void *bytes, size_t size);

struct image_file {
    const void *bytes;
    size_t size;
    size_t max_pixels;
    const atomic_bool *cancelled; /* asked again and again while it is decoded; NULL: never true */
};

enum image_problem { IMAGE_DAMAGED, IMAGE_TOO_LARGE, IMAGE_NO_MEMORY, IMAGE_CANCELLED };

struct image_error {
    enum image_problem problem;
    char text[160];
};

/* Decodes a file; an EXIF orientation is applied, as PIL's ImageOps.exif_transpose() does. False:
 * `error` says why, nothing is to be freed. */
bool image_decode(struct image *image, const struct image_file *file, struct image_error *error);
void image_free(struct image *image);

/* A part of the image in another size. */
struct image_part {
    size_t full_width, full_height;  /* that the whole image is scaled to */
    size_t left, top, width, height; /* of the part within */
};

/* Antialiased. False: no memory. */
bool image_resize(struct image *out, const struct image *in, const struct image_part *part,
                  rn_filter filter);

/* What a network takes. */
struct image_recipe {
    size_t channels; /* 3, or 1: grey as PIL's convert("L") gives */
    size_t height, width;
    rn_preprocessing how;
};

struct image_recipe image_recipe_of(const rn_model_info *info);

/* Writes channels x height x width floats: torchvision's Resize, CenterCrop, ToTensor and
 * Normalize, or timm's where it has others. False: no memory. */
bool image_tensor(const struct image *image, const struct image_recipe *recipe, float *chw);

#endif
