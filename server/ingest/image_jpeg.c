/* JPEG by libjpeg-turbo: the only jpeglib.h here.
 *
 * Pixels are made of the blocks around what is needed, and of these all. libjpeg can scale while it
 * decodes, but a full decode clips to bytes before the resize averages, a scaled one afterwards:
 * bright and coloured parts differ however much is left to resize. Beside full decode and resize,
 * bytes of 42 photographs differ by up to
 *
 *     left to resize   1.5    2   2.5    3    4    5    6   7.5   10   15   20
 *     scale 1/2         30   19    17   12    8    7    5          4    3    3
 *     scale 1/4         54   30    28   21   12    8    6    4     4
 *     scale 1/8         67   17    24   16         7
 *
 * and of noise or text, by 20 at any of these. Only 7/8 of a picture 40 times too large is within
 * 1, and scales 5/8 to 7/8 take longer than a full decode. Scale 1/2 would save a quarter of the
 * time: half of it goes into reading the entropy code. */
#include "ingest/image_files.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "ingest/orientation.h"

#define MAX_SCANS 100 /* of a progressive file: each costs a pass over all pixels */

/* libjpeg's objects, and where to go when it gives up. */
struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    struct image_reading *reading;
    uint8_t *memory, *row;
    bool has_exif;
    unsigned exif, xmp; /* the orientation that they say, or 0 */
};

static void fail(j_common_ptr common)
{
    struct reader *reader = common->client_data;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    if (common->err->msg_code == JERR_OUT_OF_MEMORY)
        image_no_memory(reader->reading->error);
    else
        image_damaged(reader->reading->error, text);
    longjmp(reader->failed, 1);
}

/* Warnings go by, as with PIL, but for a file that ends too early. */
static void warn(j_common_ptr common, int level)
{
    if (level < 0 && common->err->msg_code == JWRN_JPEG_EOF) fail(common);
}

/* Called for every row of blocks that is read, and every row of pixels that is made. */
static void on_progress(j_common_ptr common)
{
    struct reader *reader = common->client_data;
    if (reader->jpeg.input_scan_number > MAX_SCANS)
        image_fail(reader->reading->error, IMAGE_DAMAGED, "image: more than %d scans", MAX_SCANS);
    else if (image_go_on(reader->reading->file, reader->reading->error))
        return;
    longjmp(reader->failed, 1);
}

/* The payload of an APP1 marker. The first EXIF counts, and of several XMPs the last, as with PIL.
 */
static void take_app1(struct reader *reader, const uint8_t *at, size_t size)
{
    static const char exif[] = "Exif\0", xmp[] = "http://ns.adobe.com/xap/1.0/";
    if (size >= sizeof exif && memcmp(at, exif, sizeof exif) == 0 && !reader->has_exif) {
        reader->has_exif = true;
        reader->exif = exif_orientation(at, size);
    } else if (size >= sizeof xmp && memcmp(at, xmp, sizeof xmp) == 0) {
        reader->xmp = xmp_orientation(at + sizeof xmp, size - sizeof xmp);
    }
}

/* Called behind an APP1 marker: all of the file is there, so nothing is copied. */
static boolean on_app1(j_decompress_ptr jpeg)
{
    struct jpeg_source_mgr *source = jpeg->src;
    const uint8_t *at = source->next_input_byte;
    const size_t there = source->bytes_in_buffer;
    const size_t size = there < 2 ? 2 : (size_t)at[0] << 8 | at[1]; // with these two bytes
    if (size < 2) ERREXIT(jpeg, JERR_BAD_LENGTH);
    if (size > there) return source->fill_input_buffer(jpeg); // which warns of the file's end
    take_app1(jpeg->client_data, at + 2, size - 2);
    source->next_input_byte += size;
    source->bytes_in_buffer -= size;
    return TRUE;
}

static unsigned orientation_of(const struct reader *reader)
{
    if (reader->exif) return reader->exif;
    return reader->xmp ? reader->xmp : 1;
}

/* Of a file whose pixels come in several scans, all coefficients are kept. */
static size_t coefficient_bytes(const struct jpeg_decompress_struct *jpeg)
{
    size_t blocks = 0;
    for (int i = 0; i < jpeg->num_components; i++) {
        const jpeg_component_info *component = &jpeg->comp_info[i];
        blocks += (component->width_in_blocks + (size_t)component->h_samp_factor) *
                  (component->height_in_blocks + (size_t)component->v_samp_factor);
    }
    return blocks * sizeof(JBLOCK);
}

/* a * b / 255, rounded */
static unsigned multiply(unsigned a, unsigned b)
{
    const unsigned product = a * b + 128;
    return (product + (product >> 8)) >> 8;
}

/* In place. Inks are stored inverted, as Adobe does: PIL takes all files so. */
static void rgb_of_cmyk(uint8_t *row, size_t width)
{
    const uint8_t *cmyk = row;
    uint8_t *rgb = row;
    for (size_t x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (size_t i = 0; i < 3; i++) {
            const unsigned light = cmyk[3], ink = multiply(255u - cmyk[i], light);
            rgb[i] = (uint8_t)(light - ink);
        }
}

static void read_row(struct reader *reader)
{
    jpeg_read_scanlines(&reader->jpeg, &reader->row, 1);
}

/* To the row `end`; whole rows of blocks are only skipped, which jpeg_skip_scanlines() does right
 * from one's beginning on, and never to the file's end: that has to be there. */
static void pass_rows(struct reader *reader, size_t end)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    const size_t block = DCTSIZE * (size_t)jpeg->max_v_samp_factor;
    while (jpeg->output_scanline < end && jpeg->output_scanline % block) read_row(reader);
    const size_t blocks = (end - jpeg->output_scanline) / block;
    if (blocks > 1) jpeg_skip_scanlines(jpeg, (JDIMENSION)((blocks - 1) * block));
    while (jpeg->output_scanline < end) read_row(reader);
}

/* Only the columns of blocks that are needed become pixels, and some beside them: the values of
 * these depend on their neighbours. */
static size_t crop(struct jpeg_decompress_struct *jpeg, const struct image_area *area)
{
    const size_t beside = 3 * DCTSIZE * (size_t)jpeg->max_h_samp_factor;
    const size_t end = area->left + area->width + beside;
    JDIMENSION left = (JDIMENSION)(area->left > beside ? area->left - beside : 0);
    JDIMENSION width = (JDIMENSION)(end < jpeg->image_width ? end : jpeg->image_width) - left;
    jpeg_crop_scanline(jpeg, &left, &width);
    return left;
}

static void read_rows(struct reader *reader)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    const struct image_scaler *scaler = &reader->reading->scaler;
    const size_t left = crop(jpeg, &scaler->area);
    pass_rows(reader, scaler->area.top);
    for (size_t y = 0; y < scaler->area.height; y++) {
        read_row(reader);
        if (jpeg->out_color_space == JCS_CMYK) rgb_of_cmyk(reader->row, jpeg->output_width);
        image_take_row(reader->reading, reader->row + 3 * (scaler->area.left - left));
    }
    pass_rows(reader, jpeg->output_height);
}

static bool read_image(struct reader *reader)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    const struct image_file *file = reader->reading->file;
    if (setjmp(reader->failed)) return false;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &reader->progress;
    jpeg_mem_src(jpeg, file->bytes, file->size);
    jpeg_set_marker_processor(jpeg, JPEG_APP0 + 1, on_app1);
    jpeg_read_header(jpeg, TRUE);
    const bool cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    if (!image_begin(reader->reading, jpeg->image_width, jpeg->image_height,
                     orientation_of(reader)))
        return false;
    if (jpeg_has_multiple_scans(jpeg) &&
        !image_take_bytes(reader->reading, coefficient_bytes(jpeg)))
        return false;
    reader->memory = calloc(1, 1 + (cmyk ? 4 : 3) * (size_t)jpeg->image_width);
    if (!reader->memory) return image_no_memory(reader->reading->error);
    reader->row = reader->memory + 1; // libjpeg-turbo writes an aligned row past the caches
    jpeg_start_decompress(jpeg);
    read_rows(reader);
    jpeg_finish_decompress(jpeg);
    return true;
}

bool image_jpeg(struct image_reading *reading)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) return image_no_memory(reading->error);
    reader->jpeg.err = jpeg_std_error(&reader->errors);
    reader->jpeg.client_data = reader;
    reader->errors.error_exit = fail;
    reader->errors.emit_message = warn;
    reader->progress.progress_monitor = on_progress;
    reader->reading = reading;
    const bool good = read_image(reader);
    jpeg_destroy_decompress(&reader->jpeg);
    free(reader->memory);
    free(reader);
    return good;
}
