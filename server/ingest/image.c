/* Pictures: which decoder, their limits, and the orientation that a camera noted. */
#include "ingest/image.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ingest/image_files.h"

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

bool image_take_bytes(struct image_reading *reading, size_t bytes)
{
    const size_t most = reading->file->max_bytes;
    const size_t all = bytes > SIZE_MAX - reading->bytes ? SIZE_MAX : reading->bytes + bytes;
    if (all > most)
        return image_fail(reading->error, IMAGE_TOO_LARGE,
                          "image: decoding it takes %zu bytes of memory, --max-image-bytes allows "
                          "%zu",
                          all, most);
    reading->bytes = all;
    return true;
}

bool image_begin(struct image_reading *reading, size_t width, size_t height, unsigned orientation)
{
    const size_t channels = reading->recipe->channels;
    if (channels != 1 && channels != 3)
        return image_fail(reading->error, IMAGE_UNSERVED,
                          "image: the model's input has %zu channels, a picture 1 or 3: send a "
                          "tensor",
                          channels);
    if (!check_size(reading, width, height)) return false;
    if (!reading->recipe->how.orient) orientation = 1;
    const bool swap = orientation >= 5;
    reading->view = image_view_of(reading->recipe, swap ? height : width, swap ? width : height);
    const struct image_scaling how = {.width = width,
                                      .height = height,
                                      .orientation = orientation,
                                      .part = reading->view.part,
                                      .filter = reading->recipe->how.filter};
    struct image_scaler *scaler = &reading->scaler;
    if (!image_scaler_init(scaler, &how)) return image_no_memory(reading->error);
    if (!image_take_bytes(reading, image_scaler_bytes(scaler))) return false;
    return image_scaler_start(scaler) || image_no_memory(reading->error);
}

/* As PIL's convert("L") */
static uint8_t grey_of(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000) >> 16);
}

void image_take_row(struct image_reading *reading, uint8_t *rgb)
{
    struct image_scaler *scaler = &reading->scaler;
    if (reading->recipe->channels == 1)
        for (size_t x = 0; x < scaler->area.width; x++)
            memset(rgb + 3 * x, grey_of(rgb + 3 * x), 3);
    image_scaler_row(scaler, rgb);
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
    const char *other = image_unserved(reading->file->bytes, reading->file->size);
    if (!other) return image_damaged(reading->error, "neither JPEG nor PNG");
    return image_fail(reading->error, IMAGE_UNSERVED, "image: %s: send JPEG or PNG", other);
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
