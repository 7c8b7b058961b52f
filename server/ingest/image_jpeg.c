/* JPEG by libjpeg-turbo: the only jpeglib.h here.
 *
 * All pixels are decoded. libjpeg can scale while it decodes, but the picture is then another one:
 * beside a full decode and resize, bytes differ by up to 10 where 1.5 is left to resize, by up to 3
 * where 3 is left, and still by 2 where 6 is left. */
#include "ingest/image_files.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

#define MAX_SCANS 100 /* of a progressive file: each costs a pass over all pixels */
#define MAX_EXIF  65533

/* libjpeg's objects, and where to go when it gives up. */
struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    const struct image_file *file;
    struct image *image;
    struct image_error *error;
    uint8_t *row; /* of a CMYK file */
};

static void fail(j_common_ptr common)
{
    struct reader *reader = common->client_data;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    image_damaged(reader->error, text);
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
        image_fail(reader->error, IMAGE_DAMAGED, "image: more than %d scans", MAX_SCANS);
    else if (image_go_on(reader->file, reader->error))
        return;
    longjmp(reader->failed, 1);
}

static unsigned orientation_of(const struct jpeg_decompress_struct *jpeg)
{
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker; marker = marker->next) {
        const unsigned orientation = image_orientation(marker->data, marker->data_length);
        if (orientation != 1) return orientation;
    }
    return 1;
}

/* a * b / 255, rounded */
static unsigned multiply(unsigned a, unsigned b)
{
    const unsigned product = a * b + 128;
    return (product + (product >> 8)) >> 8;
}

/* Inks are stored inverted, as Adobe does: PIL takes all files so. */
static void rgb_of_cmyk(const uint8_t *cmyk, size_t width, uint8_t *rgb)
{
    for (size_t x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (size_t i = 0; i < 3; i++) {
            const unsigned light = cmyk[3], ink = multiply(255u - cmyk[i], light);
            rgb[i] = (uint8_t)(light - ink);
        }
}

static void read_rows(struct reader *reader)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    const bool cmyk = jpeg->out_color_space == JCS_CMYK;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *rgb = reader->image->rgb + 3 * (size_t)jpeg->output_scanline * jpeg->output_width;
        JSAMPROW row = cmyk ? reader->row : rgb;
        jpeg_read_scanlines(jpeg, &row, 1);
        if (cmyk) rgb_of_cmyk(reader->row, jpeg->output_width, rgb);
    }
}

static bool read_image(struct reader *reader)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    if (setjmp(reader->failed)) return false;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &reader->progress;
    jpeg_mem_src(jpeg, reader->file->bytes, reader->file->size);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, MAX_EXIF);
    jpeg_read_header(jpeg, TRUE);
    const bool cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    if (!image_new(reader->image, jpeg->image_width, jpeg->image_height, reader->file->max_pixels,
                   reader->error))
        return false;
    if (cmyk && !(reader->row = malloc(4 * (size_t)jpeg->image_width)))
        return image_no_memory(reader->error);
    jpeg_start_decompress(jpeg);
    read_rows(reader);
    const unsigned orientation = orientation_of(jpeg); // finishing drops the markers
    jpeg_finish_decompress(jpeg);
    return image_turn(reader->image, orientation) || image_no_memory(reader->error);
}

bool image_jpeg(struct image *image, const struct image_file *file, struct image_error *error)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) return image_no_memory(error);
    *image = (struct image){0};
    reader->jpeg.err = jpeg_std_error(&reader->errors);
    reader->jpeg.client_data = reader;
    reader->errors.error_exit = fail;
    reader->errors.emit_message = warn;
    reader->progress.progress_monitor = on_progress;
    reader->file = file;
    reader->image = image;
    reader->error = error;
    const bool good = read_image(reader);
    jpeg_destroy_decompress(&reader->jpeg);
    free(reader->row);
    free(reader);
    if (!good) image_free(image);
    return good;
}
