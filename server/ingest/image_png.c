/* PNG by libspng: the only spng.h here. Samples are taken as they are in the file and converted as
 * PIL's convert("RGB") does: alpha is dropped, of 16 bits the upper 8 count, except that a grey
 * value of 16 bits is cut off at 255. */
#include "ingest/image_files.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>

/* One pixel's samples to RGB. */
struct layout {
    const struct spng_ihdr *header;
    struct spng_plte palette;
    size_t channels, row_size;
};

static size_t channels_of(unsigned color)
{
    switch (color) {
    case SPNG_COLOR_TYPE_TRUECOLOR: return 3;
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA: return 2;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA: return 4;
    default: return 1;
    }
}

/* A sample of less than 8 bits. */
static unsigned small_sample(const uint8_t *row, size_t x, unsigned depth)
{
    const size_t bit = x * depth;
    return row[bit / 8] >> (8 - depth - bit % 8) & ((1u << depth) - 1);
}

static unsigned grey_sample(const struct layout *layout, const uint8_t *row, size_t x)
{
    const unsigned depth = layout->header->bit_depth;
    if (depth < 8) return small_sample(row, x, depth) * 255 / ((1u << depth) - 1);
    if (depth == 8) return row[x];
    uint16_t sample; // in this machine's order
    memcpy(&sample, row + 2 * x, sizeof sample);
    return sample < 255 ? sample : 255;
}

static void convert_one_channel(const struct layout *layout, const uint8_t *row, uint8_t *rgb)
{
    const bool indexed = layout->header->color_type == SPNG_COLOR_TYPE_INDEXED;
    const unsigned depth = layout->header->bit_depth;
    for (size_t x = 0; x < layout->header->width; x++, rgb += 3) {
        if (indexed) {
            const unsigned index = depth < 8 ? small_sample(row, x, depth) : row[x];
            const struct spng_plte_entry *entry = &layout->palette.entries[index];
            rgb[0] = entry->red, rgb[1] = entry->green, rgb[2] = entry->blue;
        } else {
            memset(rgb, (int)grey_sample(layout, row, x), 3);
        }
    }
}

static void convert_more_channels(const struct layout *layout, const uint8_t *row, uint8_t *rgb)
{
    const size_t bytes = layout->header->bit_depth / 8;
    const bool grey = layout->channels == 2;
    for (size_t x = 0; x < layout->header->width; x++, rgb += 3)
        for (size_t i = 0; i < 3; i++) {
            const uint8_t *sample = row + (x * layout->channels + (grey ? 0 : i)) * bytes;
            rgb[i] = sample[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? bytes - 1 : 0];
        }
}

static void convert(const struct layout *layout, const uint8_t *rows, struct image *image)
{
    for (size_t y = 0; y < image->height; y++) {
        const uint8_t *row = rows + y * layout->row_size;
        uint8_t *rgb = image->rgb + 3 * y * image->width;
        if (layout->channels == 1)
            convert_one_channel(layout, row, rgb);
        else
            convert_more_channels(layout, row, rgb);
    }
}

static bool decode_rows(spng_ctx *png, struct layout *layout, struct image *image,
                        char error[IMAGE_ERROR_SIZE])
{
    size_t size;
    int problem = spng_decoded_image_size(png, SPNG_FMT_PNG, &size);
    if (problem) return image_fail(error, "image: %s", spng_strerror(problem));
    uint8_t *rows = malloc(size);
    if (!rows) return image_fail(error, "image: no memory");
    problem = spng_decode_image(png, rows, size, SPNG_FMT_PNG, 0);
    layout->row_size = size / image->height;
    if (!problem) convert(layout, rows, image);
    free(rows);
    return !problem || image_fail(error, "image: %s", spng_strerror(problem));
}

static bool read_png(spng_ctx *png, struct image *image, size_t max_pixels,
                     char error[IMAGE_ERROR_SIZE])
{
    struct spng_ihdr header;
    struct spng_exif exif;
    struct layout layout = {.header = &header};
    int problem = spng_get_ihdr(png, &header);
    if (problem) return image_fail(error, "image: %s", spng_strerror(problem));
    if (!image_new(image, header.width, header.height, max_pixels, error)) return false;
    layout.channels = channels_of(header.color_type);
    if (header.color_type == SPNG_COLOR_TYPE_INDEXED) {
        problem = spng_get_plte(png, &layout.palette);
        if (problem) return image_fail(error, "image: %s", spng_strerror(problem));
    }
    const unsigned orientation = spng_get_exif(png, &exif) == 0
                                     ? image_orientation((const uint8_t *)exif.data, exif.length)
                                     : 1;
    return decode_rows(png, &layout, image, error) &&
           (image_turn(image, orientation) || image_fail(error, "image: no memory"));
}

bool image_png(struct image *image, const uint8_t *bytes, size_t size, size_t max_pixels,
               char error[IMAGE_ERROR_SIZE])
{
    enum { CHUNK = 1 << 20, CHUNKS = 8 << 20 }; // of what is not pixels
    spng_ctx *png = spng_ctx_new(0);
    *image = (struct image){0};
    if (!png) return image_fail(error, "image: no memory");
    spng_set_chunk_limits(png, CHUNK, CHUNKS);
    const int problem = spng_set_png_buffer(png, bytes, size);
    const bool good = problem ? image_fail(error, "image: %s", spng_strerror(problem))
                              : read_png(png, image, max_pixels, error);
    spng_ctx_free(png);
    if (!good) image_free(image);
    return good;
}
