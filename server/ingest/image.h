/* Pictures: JPEG and PNG files to what a network takes.
 *
 * The result is that of PIL's Image.open(file).convert("RGB"), ImageOps.exif_transpose() and
 * Image.resize(), byte for byte, and of torchvision's or timm's further steps. Rows are scaled
 * while they are decoded: only the pixels of an interlaced PNG and the coefficients of a
 * progressive JPEG are in memory as a whole, within max_bytes. Sizes are checked before anything is
 * decoded. No state: any thread. */
#ifndef SERVER_INGEST_IMAGE_H
#define SERVER_INGEST_IMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resnet.h"

enum { IMAGE_MAX_SIDE = 65535 };

enum image_kind { IMAGE_NONE, IMAGE_JPEG, IMAGE_PNG };

/* What the file is by its first bytes. */
enum image_kind image_kind_of(const void *bytes, size_t size);

/* Pictures of other kinds are told apart to say so: "a WebP picture", by the file's first bytes, of
 * which IMAGE_NAME_BYTES are enough. NULL: it is none of those that are known. */
enum { IMAGE_NAME_BYTES = 32 };
const char *image_unserved(const void *bytes, size_t size);

struct image_file {
    const void *bytes;
    size_t size;
    size_t max_pixels;
    size_t max_bytes;             /* of memory that its decoding may take beside the file itself */
    const atomic_bool *cancelled; /* asked again and again while it is decoded; NULL: never true */
};

enum image_problem {
    IMAGE_DAMAGED,
    IMAGE_UNSERVED, /* a picture of another kind */
    IMAGE_TOO_LARGE,
    IMAGE_NO_MEMORY,
    IMAGE_CANCELLED
};

struct image_error {
    enum image_problem problem;
    char text[160];
};

/* What a network takes. */
struct image_recipe {
    size_t channels; /* 3, or 1: grey as PIL's convert("L") gives */
    size_t height, width;
    rn_preprocessing how;
};

struct image_recipe image_recipe_of(const rn_model_info *info);

/* Width times height, by the file's header; 0: not told there, as in one that is damaged. */
size_t image_pixels(const void *bytes, size_t size);

/* Writes channels x height x width floats. False: `error` says why. */
bool image_read(const struct image_file *file, const struct image_recipe *recipe, float *chw,
                struct image_error *error);

#endif
