/* PNG by libspng: the only spng.h here. Samples are taken as they are in the file and converted as
 * PIL's convert("RGB") does: alpha is dropped, of 16 bits the upper 8 count, except that a grey
 * value of 16 bits is cut off at 255. */
#include "ingest/image_files.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>

/* The file, its decoder and what becomes of it. */
struct reader {
    spng_ctx *png;
    struct image_reading *reading;
};

/* The samples of a row, and which of its pixels become RGB. */
struct layout {
    const struct spng_ihdr *header;
    struct spng_plte palette;
    size_t channels, row_size;
    size_t left, width;
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
    for (size_t x = layout->left; x < layout->left + layout->width; x++, rgb += 3) {
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
    for (size_t x = layout->left; x < layout->left + layout->width; x++, rgb += 3)
        for (size_t i = 0; i < 3; i++) {
            const uint8_t *sample = row + (x * layout->channels + (grey ? 0 : i)) * bytes;
            rgb[i] = sample[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? bytes - 1 : 0];
        }
}

/* rgb: room for the pixels */
static void push_row(const struct reader *reader, const struct layout *layout, const uint8_t *row,
                     uint8_t *rgb)
{
    if (layout->channels == 1)
        convert_one_channel(layout, row, rgb);
    else
        convert_more_channels(layout, row, rgb);
    image_scaler_row(&reader->reading->scaler, rgb);
}

/* One row after the other; of an interlaced file they come in parts, and are converted at the end.
 * rows: room for one of them, or for all. */
static bool decode_rows(const struct reader *reader, const struct layout *layout, uint8_t *rows,
                        uint8_t *rgb)
{
    const struct image_area *area = &reader->reading->scaler.area;
    const size_t size = layout->row_size, end = area->top + area->height;
    const bool parts = layout->header->interlace_method != 0;
    struct image_error *error = reader->reading->error;
    struct spng_row_info info;
    int problem = spng_decode_image(reader->png, NULL, 0, SPNG_FMT_PNG, SPNG_DECODE_PROGRESSIVE);
    while (!problem && !(problem = spng_get_row_info(reader->png, &info))) {
        uint8_t *row = parts ? rows + info.row_num * size : rows;
        if (!image_go_on(reader->reading->file, error)) return false;
        problem = spng_decode_row(reader->png, row, size);
        const bool whole = !parts && (!problem || problem == SPNG_EOI);
        if (whole && info.row_num >= area->top && info.row_num < end)
            push_row(reader, layout, row, rgb);
    }
    if (problem != SPNG_EOI) return image_damaged(error, spng_strerror(problem));
    for (size_t y = area->top; parts && y < end; y++)
        push_row(reader, layout, rows + y * size, rgb);
    return true;
}

static bool decode_pixels(const struct reader *reader, struct layout *layout)
{
    size_t size;
    const int problem = spng_decoded_image_size(reader->png, SPNG_FMT_PNG, &size);
    if (problem) return image_damaged(reader->reading->error, spng_strerror(problem));
    layout->row_size = size / layout->header->height;
    layout->left = reader->reading->scaler.area.left;
    layout->width = reader->reading->scaler.area.width;
    uint8_t *rows = malloc(layout->header->interlace_method ? size : layout->row_size);
    uint8_t *rgb = malloc(3 * layout->width);
    const bool good = rows && rgb ? decode_rows(reader, layout, rows, rgb)
                                  : image_no_memory(reader->reading->error);
    free(rows);
    free(rgb);
    return good;
}

static bool read_png(const struct reader *reader)
{
    struct spng_ihdr header;
    struct spng_exif exif;
    struct layout layout = {.header = &header};
    int problem = spng_get_ihdr(reader->png, &header);
    if (!problem && header.color_type == SPNG_COLOR_TYPE_INDEXED)
        problem = spng_get_plte(reader->png, &layout.palette);
    if (problem) return image_damaged(reader->reading->error, spng_strerror(problem));
    const unsigned orientation = spng_get_exif(reader->png, &exif) == 0
                                     ? image_orientation((const uint8_t *)exif.data, exif.length)
                                     : 1;
    layout.channels = channels_of(header.color_type);
    return image_begin(reader->reading, header.width, header.height, orientation) &&
           decode_pixels(reader, &layout);
}

bool image_png(struct image_reading *reading)
{
    enum { CHUNK = 1 << 20, CHUNKS = 8 << 20 }; // of what is not pixels
    spng_ctx *png = spng_ctx_new(0);
    const struct reader reader = {png, reading};
    if (!png) return image_no_memory(reading->error);
    spng_set_chunk_limits(png, CHUNK, CHUNKS);
    const int problem = spng_set_png_buffer(png, reading->file->bytes, reading->file->size);
    const bool good =
        problem ? image_damaged(reading->error, spng_strerror(problem)) : read_png(&reader);
    spng_ctx_free(png);
    return good;
}
