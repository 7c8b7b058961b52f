/* Pictures: which decoder, their limits, and the orientation that a camera noted. */
#include "ingest/image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/image_files.h"

enum image_kind image_kind_of(const void *bytes, size_t size)
{
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return IMAGE_JPEG;
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return IMAGE_PNG;
    return IMAGE_NONE;
}

bool image_fail(struct image_error *error, enum image_problem problem, const char *format, ...)
{
    va_list arguments;
    error->problem = problem;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

bool image_damaged(struct image_error *error, const char *why)
{
    return image_fail(error, IMAGE_DAMAGED, "image: %.120s", why);
}

bool image_no_memory(struct image_error *error)
{
    return image_fail(error, IMAGE_NO_MEMORY, "image: no memory");
}

bool image_go_on(const struct image_file *file, struct image_error *error)
{
    if (!file->cancelled || !atomic_load_explicit(file->cancelled, memory_order_relaxed))
        return true;
    return image_fail(error, IMAGE_CANCELLED, "image: nobody waits for it any more");
}

bool image_new(struct image *image, size_t width, size_t height, size_t max_pixels,
               struct image_error *error)
{
    *image = (struct image){width, height, NULL};
    if (width == 0 || height == 0) return image_damaged(error, "no pixels");
    // a resized row or column has a size of its own: the product is no bound for it
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return image_fail(error, IMAGE_TOO_LARGE, "image: %zux%zu pixels, a side may have %d",
                          width, height, IMAGE_MAX_SIDE);
    const size_t pixels = width * height;
    if (pixels > max_pixels || pixels > SIZE_MAX / 3)
        return image_fail(error, IMAGE_TOO_LARGE,
                          "image: %zux%zu pixels, --max-image-pixels allows %zu", width, height,
                          max_pixels);
    image->rgb = malloc(3 * pixels);
    return image->rgb != NULL || image_no_memory(error);
}

bool image_decode(struct image *image, const struct image_file *file, struct image_error *error)
{
    switch (image_kind_of(file->bytes, file->size)) {
    case IMAGE_JPEG: return image_jpeg(image, file, error);
    case IMAGE_PNG: return image_png(image, file, error);
    case IMAGE_NONE: break;
    }
    return image_damaged(error, "neither JPEG nor PNG");
}

void image_free(struct image *image)
{
    free(image->rgb);
    *image = (struct image){0};
}

/* ---- orientation ----------------------------------------------------------------------------- */

static unsigned read_number(const uint8_t *at, size_t bytes, bool big_endian)
{
    unsigned value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (unsigned)at[big_endian ? bytes - 1 - i : i] << 8 * i;
    return value;
}

unsigned image_orientation(const uint8_t *exif, size_t size)
{
    enum { HEADER = 8, ENTRY = 12, ORIENTATION = 0x0112, SHORT = 3 };
    if (size >= 6 && memcmp(exif, "Exif\0", 6) == 0) exif += 6, size -= 6;
    if (size < HEADER || (memcmp(exif, "MM\0*", 4) != 0 && memcmp(exif, "II*\0", 4) != 0)) return 1;
    const bool big = exif[0] == 'M';
    const size_t directory = read_number(exif + 4, 4, big);
    if (directory > size || size - directory < 2) return 1;
    const size_t entries = read_number(exif + directory, 2, big);
    for (size_t i = 0; i < entries && size - directory - 2 >= (i + 1) * ENTRY; i++) {
        const uint8_t *entry = exif + directory + 2 + i * ENTRY;
        if (read_number(entry, 2, big) != ORIENTATION) continue;
        const unsigned value = read_number(entry + 8, 2, big);
        return read_number(entry + 2, 2, big) == SHORT && value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}

bool image_turn(struct image *image, unsigned orientation)
{
    if (orientation == 1) return true;
    // mirrored left to right, upside down, rows and columns exchanged
    const bool mirror =
        orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    const bool flip = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const bool swap = orientation >= 5;
    const size_t width = swap ? image->height : image->width;
    const size_t height = swap ? image->width : image->height;
    uint8_t *rgb = malloc(3 * width * height);
    if (!rgb) return false;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            const size_t right = mirror ? width - 1 - x : x, down = flip ? height - 1 - y : y;
            const size_t from = swap ? right * image->width + down : down * image->width + right;
            memcpy(rgb + 3 * (y * width + x), image->rgb + 3 * from, 3);
        }
    free(image->rgb);
    *image = (struct image){width, height, rgb};
    return true;
}
