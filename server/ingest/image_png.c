/* PNG by libspng: the only spng.h here. Samples are taken as they are in the file and converted as
 * PIL's convert("RGB") does: alpha is dropped, of 16 bits the upper 8 count, except that a grey
 * value of 16 bits is cut off at 255. */
#include "ingest/image_files.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/png_chunks.h"

/* The file, its decoder and what becomes of it. */
struct reader {
    spng_ctx *png;
    struct image_reading *reading;
};

/* The samples of a scanline. */
struct layout {
    const struct spng_ihdr *header;
    struct spng_plte palette;
    size_t channels, row_size;
};

/* Pixels `first` to `first + count` of a scanline. */
struct run {
    size_t first, count;
};

/* ---- libspng's memory: an error of it may be the want of some, under many names ---------------
 */

static _Thread_local bool starved;

static void *watch(void *memory)
{
    if (!memory) starved = true;
    return memory;
}

static void *take(size_t size)
{
    return watch(malloc(size));
}

static void *take_again(void *old, size_t size)
{
    return watch(realloc(old, size));
}

static void *take_zeros(size_t count, size_t size)
{
    return watch(calloc(count, size));
}

/* ---- pixels ---------------------------------------------------------------------------------- */

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

static void convert_one_channel(const struct layout *layout, const uint8_t *row, struct run run,
                                uint8_t *rgb)
{
    const bool indexed = layout->header->color_type == SPNG_COLOR_TYPE_INDEXED;
    const unsigned depth = layout->header->bit_depth;
    for (size_t x = run.first; x < run.first + run.count; x++, rgb += 3) {
        if (indexed) {
            const unsigned index = depth < 8 ? small_sample(row, x, depth) : row[x];
            const struct spng_plte_entry *entry = &layout->palette.entries[index];
            rgb[0] = entry->red, rgb[1] = entry->green, rgb[2] = entry->blue;
        } else {
            memset(rgb, (int)grey_sample(layout, row, x), 3);
        }
    }
}

static void convert_more_channels(const struct layout *layout, const uint8_t *row, struct run run,
                                  uint8_t *rgb)
{
    const size_t bytes = layout->header->bit_depth / 8;
    const bool grey = layout->channels == 2;
    for (size_t x = run.first; x < run.first + run.count; x++, rgb += 3)
        for (size_t i = 0; i < 3; i++) {
            const uint8_t *sample = row + (x * layout->channels + (grey ? 0 : i)) * bytes;
            rgb[i] = sample[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? bytes - 1 : 0];
        }
}

/* Returns an error of libspng. Beyond the palette's end there are greys, as
 * with PIL. */
static int read_palette(spng_ctx *png, struct spng_plte *palette)
{
    const int problem = spng_get_plte(png, palette);
    for (size_t i = problem ? 256 : palette->n_entries; i < 256; i++)
        palette->entries[i] = (struct spng_plte_entry){(uint8_t)i, (uint8_t)i, (uint8_t)i, 255};
    return problem;
}

/* rgb: room for the run */
static void convert(const struct layout *layout, const uint8_t *row, struct run run, uint8_t *rgb)
{
    if (layout->channels == 1)
        convert_one_channel(layout, row, run, rgb);
    else
        convert_more_channels(layout, row, run, rgb);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The memory of one decode. */
struct rows {
    uint8_t *scanline; /* as libspng writes it */
    uint8_t *rgb;      /* a row of the area */
    uint8_t *picture;  /* all rows of the area, for an interlaced file only */
};

/* A scanline of one of an interlaced file's seven passes: every dx-th pixel from x0 on. */
static void scatter(const struct layout *layout, const struct rows *rows, unsigned pass,
                    const struct image_area *area, uint8_t *out)
{
    static const uint8_t start[] = {0, 4, 0, 2, 0, 1, 0}, step[] = {8, 8, 4, 4, 2, 2, 1};
    const size_t x0 = start[pass], dx = step[pass], end = area->left + area->width;
    const size_t first = area->left <= x0 ? 0 : (area->left - x0 + dx - 1) / dx;
    const size_t stop = end <= x0 ? 0 : (end - x0 + dx - 1) / dx;
    if (first >= stop) return;
    convert(layout, rows->scanline, (struct run){first, stop - first}, rows->rgb);
    for (size_t i = first; i < stop; i++)
        memcpy(out + 3 * (x0 + i * dx - area->left), rows->rgb + 3 * (i - first), 3);
}

/* A scanline that is in the area: to the scaler, or to the picture. */
static void take_scanline(const struct reader *reader, const struct layout *layout,
                          const struct rows *rows, const struct spng_row_info *info)
{
    const struct image_area *area = &reader->reading->scaler.area;
    if (rows->picture) {
        uint8_t *out = rows->picture + 3 * area->width * (info->row_num - area->top);
        scatter(layout, rows, info->pass, area, out);
        return;
    }
    convert(layout, rows->scanline, (struct run){area->left, area->width}, rows->rgb);
    image_take_row(reader->reading, rows->rgb);
}

static bool decode_rows(const struct reader *reader, const struct layout *layout,
                        const struct rows *rows)
{
    const struct image_scaler *scaler = &reader->reading->scaler;
    const size_t top = scaler->area.top, end = top + scaler->area.height;
    struct image_error *error = reader->reading->error;
    struct spng_row_info info;
    int problem = spng_decode_image(reader->png, NULL, 0, SPNG_FMT_PNG, SPNG_DECODE_PROGRESSIVE);
    while (!problem && !(problem = spng_get_row_info(reader->png, &info))) {
        if (!image_go_on(reader->reading->file, error)) return false;
        // not spng_decode_row(), which adds samples of less than 8 bits to what is there
        problem = spng_decode_scanline(reader->png, rows->scanline, layout->row_size);
        const bool whole = !problem || problem == SPNG_EOI;
        if (whole && info.row_num >= top && info.row_num < end)
            take_scanline(reader, layout, rows, &info);
    }
    if (problem != SPNG_EOI) return image_damaged(error, spng_strerror(problem));
    for (size_t y = 0; rows->picture && y < end - top; y++)
        image_take_row(reader->reading, rows->picture + 3 * scaler->area.width * y);
    return true;
}

static bool decode_pixels(const struct reader *reader, struct layout *layout)
{
    const struct image_area *area = &reader->reading->scaler.area;
    const bool interlaced = layout->header->interlace_method != 0;
    size_t size;
    const int problem = spng_decoded_image_size(reader->png, SPNG_FMT_PNG, &size);
    if (problem) return image_damaged(reader->reading->error, spng_strerror(problem));
    layout->row_size = size / layout->header->height;
    if (interlaced && !image_take_bytes(reader->reading, 3 * area->width * area->height))
        return false;
    struct rows rows = {.scanline = calloc(1, layout->row_size), .rgb = calloc(area->width, 3)};
    if (interlaced) rows.picture = calloc(area->height, 3 * area->width);
    const bool good = rows.scanline && rows.rgb && (rows.picture || !interlaced)
                          ? decode_rows(reader, layout, &rows)
                          : image_no_memory(reader->reading->error);
    free(rows.scanline);
    free(rows.rgb);
    free(rows.picture);
    return good;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool read_png(const struct reader *reader)
{
    const struct image_file *file = reader->reading->file;
    struct spng_ihdr header;
    struct layout layout = {.header = &header};
    int problem = spng_get_ihdr(reader->png, &header);
    if (!problem && header.color_type == SPNG_COLOR_TYPE_INDEXED)
        problem = read_palette(reader->png, &layout.palette);
    if (problem) return image_damaged(reader->reading->error, spng_strerror(problem));
    layout.channels = channels_of(header.color_type);
    return image_begin(reader->reading, header.width, header.height,
                       png_orientation(file->bytes, file->size)) &&
           decode_pixels(reader, &layout);
}

static int read_chunks(spng_ctx *png, void *chunks, void *out, size_t size)
{
    (void)png;
    return png_chunks_read(chunks, out, size) ? 0 : SPNG_IO_EOF;
}

bool image_png(struct image_reading *reading)
{
    enum { CHUNK = 1 << 20 }; // of what is not pixels
    struct png_chunks chunks = png_chunks_of(reading->file->bytes, reading->file->size);
    struct spng_alloc memory = {take, take_again, take_zeros, free};
    starved = false;
    spng_ctx *png = spng_ctx_new2(&memory, 0);
    const struct reader reader = {png, reading};
    if (!png) return image_no_memory(reading->error);
    spng_set_chunk_limits(png, CHUNK, CHUNK);
    const int problem = spng_set_png_stream(png, read_chunks, &chunks);
    const bool good =
        problem ? image_damaged(reading->error, spng_strerror(problem)) : read_png(&reader);
    spng_ctx_free(png);
    return good || !starved ? good : image_no_memory(reading->error);
}
