/* Pictures: which decoder, their limits, and the orientation that a camera noted. */
#include "ingest/image.h"

#include <stdarg.h>
#include <stdio.h>
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

/* ---- from file to floats --------------------------------------------------------------------- */

static bool check_size(const struct image_reading *reading, size_t width, size_t height)
{
    const size_t most = reading->file->max_pixels;
    if (width == 0 || height == 0) return image_damaged(reading->error, "no pixels");
    // a resized row or column has a size of its own: the product is no bound for it
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return image_fail(reading->error, IMAGE_TOO_LARGE,
                          "image: %zux%zu pixels, a side may have %d", width, height,
                          IMAGE_MAX_SIDE);
    if (width * height > most || width * height > SIZE_MAX / 3)
        return image_fail(reading->error, IMAGE_TOO_LARGE,
                          "image: %zux%zu pixels, --max-image-pixels allows %zu", width, height,
                          most);
    return true;
}

bool image_begin(struct image_reading *reading, size_t width, size_t height, unsigned orientation)
{
    if (!check_size(reading, width, height)) return false;
    const bool swap = orientation >= 5;
    reading->view = image_view_of(reading->recipe, swap ? height : width, swap ? width : height);
    const struct image_scaling how = {.width = width,
                                      .height = height,
                                      .orientation = orientation,
                                      .part = reading->view.part,
                                      .filter = reading->recipe->how.filter};
    return image_scaler_init(&reading->scaler, &how) || image_no_memory(reading->error);
}

/* What curl's -d @FILE makes of a picture: it leaves out newlines and zero bytes. A PNG begins with
 * newlines, a JPEG has zero bytes in the lengths of its segments. */
static bool is_stripped(const struct image_file *file)
{
    enum { HEADER = 32 };
    if (file->size < HEADER) return false;
    if (memcmp(file->bytes, "\x89PNG", 4) == 0)
        return image_kind_of(file->bytes, file->size) == IMAGE_NONE;
    return image_kind_of(file->bytes, file->size) == IMAGE_JPEG &&
           !memchr(file->bytes, 0, file->size);
}

static bool decode(struct image_reading *reading)
{
    if (is_stripped(reading->file))
        return image_damaged(reading->error,
                             "newlines and zero bytes are missing, as after curl -d: send it with "
                             "--data-binary @FILE or -T FILE");
    switch (image_kind_of(reading->file->bytes, reading->file->size)) {
    case IMAGE_JPEG: return image_jpeg(reading);
    case IMAGE_PNG: return image_png(reading);
    case IMAGE_NONE: break;
    }
    return image_damaged(reading->error, "neither JPEG nor PNG");
}

bool image_read(const struct image_file *file, const struct image_recipe *recipe, float *chw,
                struct image_error *error)
{
    struct image_reading reading = {.file = file, .recipe = recipe, .error = error};
    bool good = decode(&reading);
    if (good && !image_scaler_finish(&reading.scaler)) good = image_no_memory(error);
    if (good) image_fill(&reading.scaler.out, &reading.view, recipe, chw);
    image_scaler_free(&reading.scaler);
    return good;
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
    enum { HEADER = 8, ENTRY = 12, ORIENTATION = 0x0112, SHORT = 3, LONG = 4 };
    if (size >= 6 && memcmp(exif, "Exif\0", 6) == 0) exif += 6, size -= 6;
    if (size < HEADER || (memcmp(exif, "MM\0*", 4) != 0 && memcmp(exif, "II*\0", 4) != 0)) return 1;
    const bool big = exif[0] == 'M';
    const size_t directory = read_number(exif + 4, 4, big);
    if (directory > size || size - directory < 2) return 1;
    const size_t entries = read_number(exif + directory, 2, big);
    for (size_t i = 0; i < entries && size - directory - 2 >= (i + 1) * ENTRY; i++) {
        const uint8_t *entry = exif + directory + 2 + i * ENTRY;
        if (read_number(entry, 2, big) != ORIENTATION) continue;
        const unsigned type = read_number(entry + 2, 2, big);
        const unsigned value = read_number(entry + 8, type == LONG ? 4 : 2, big);
        return (type == SHORT || type == LONG) && value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}
