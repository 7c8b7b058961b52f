/* Scaling a picture while its rows arrive; see image_scale.h.
 *
 * PIL's first pass is along the rows of the upright picture, its second along the columns. Of a
 * picture that lies upright in the file, each row is made narrower at once, and a ring holds as
 * many of these as a sum of the second pass has. Of one on its side, the first pass is along the
 * file's columns, so the ring holds its rows as they are, and each sum of them is a row for the
 * second pass. */
#include "ingest/image_scale.h"

#include <stdlib.h>
#include <string.h>

/* How a picture lies in the file, as its orientation says. */
static bool on_its_side(unsigned orientation)
{
    return orientation >= 5;
}

static bool left_is_right(unsigned orientation)
{
    return orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
}

static bool top_is_bottom(unsigned orientation)
{
    return orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
}

/* The source samples that the taps need; they count from the first of these afterwards. */
static void cut_source(struct image_taps *taps, size_t count, size_t *first, size_t *size)
{
    *first = taps->first[0];
    *size = taps->first[count - 1] + taps->count[count - 1] - *first;
    for (size_t i = 0; i < count; i++) taps->first[i] -= *first;
}

/* Weights along the file's rows and columns, and which pixels these need. */
static bool init_taps(struct image_scaler *s, const struct image_scaling *how)
{
    const struct image_part *part = &how->part;
    const bool swap = on_its_side(how->orientation);
    const struct image_axis x = {swap ? how->height : how->width, part->full_width, part->left,
                                 part->width, left_is_right(how->orientation)};
    const struct image_axis y = {swap ? how->width : how->height, part->full_height, part->top,
                                 part->height, top_is_bottom(how->orientation)};
    const struct image_axis *across = swap ? &y : &x, *down = swap ? &x : &y;
    if (!image_taps_init(&s->across, across, how->filter)) return false;
    if (!image_taps_init(&s->down, down, how->filter)) return false;
    s->out = (struct image){across->count, down->count, NULL};
    cut_source(&s->across, across->count, &s->area.left, &s->area.width);
    cut_source(&s->down, down->count, &s->area.top, &s->area.height);
    return true;
}

bool image_scaler_init(struct image_scaler *s, const struct image_scaling *how)
{
    *s = (struct image_scaler){.impl = how->impl ? how->impl : image_resize_best(),
                               .orientation = how->orientation};
    if (!init_taps(s, how)) return false;
    for (size_t y = 0; y < s->out.height; y++)
        if (s->down.count[y] > s->ring_rows) s->ring_rows = s->down.count[y];
    s->row_size = 3 * (on_its_side(s->orientation) ? s->area.width : s->out.width);
    return s->ring_rows != 0 && s->row_size != 0 && s->out.width != 0; // no part is empty
}

size_t image_scaler_bytes(const struct image_scaler *s)
{
    const size_t turned = s->orientation == 1 ? 1 : 2;
    return (s->ring_rows + 1) * s->row_size + 3 * s->out.width * s->out.height * turned;
}

/* All of it is written before it is read: cleared so that a mistake never shows another client's
 * picture. */
bool image_scaler_start(struct image_scaler *s)
{
    s->ring = calloc(s->ring_rows, s->row_size);
    s->window = calloc(s->ring_rows, sizeof *s->window);
    s->line = calloc(1, s->row_size);
    s->out.rgb = calloc(s->out.height, 3 * s->out.width);
    return s->ring && s->window && s->line && s->out.rgb;
}

void image_scaler_free(struct image_scaler *s)
{
    image_taps_free(&s->across);
    image_taps_free(&s->down);
    free(s->ring);
    free(s->window);
    free(s->line);
    free(s->out.rgb);
}

static uint8_t *ring_row(const struct image_scaler *s, size_t row)
{
    return s->ring + row % s->ring_rows * s->row_size;
}

/* The next row of `out`, whose last source row is there. */
static void make_row(struct image_scaler *s)
{
    const size_t y = s->made++;
    uint8_t *out = s->out.rgb + 3 * s->out.width * y;
    const struct image_rows rows = {s->down.weight + y * s->down.most, s->down.count[y], s->window};
    for (size_t i = 0; i < rows.count; i++) s->window[i] = ring_row(s, s->down.first[y] + i);
    if (!on_its_side(s->orientation)) {
        s->impl->column(&rows, out, s->row_size);
        return;
    }
    s->impl->column(&rows, s->line, s->row_size);
    s->impl->row(&s->across, s->line, s->area.width, out, s->out.width);
}

void image_scaler_row(struct image_scaler *s, const uint8_t *rgb)
{
    uint8_t *row = ring_row(s, s->taken++);
    if (on_its_side(s->orientation))
        memcpy(row, rgb, s->row_size);
    else
        s->impl->row(&s->across, rgb, s->area.width, row, s->out.width);
    while (s->made < s->out.height && s->down.first[s->made] + s->down.count[s->made] <= s->taken)
        make_row(s);
}

/* Mirrors and turns what lies as the file's rows do. */
static bool turn(struct image *image, unsigned orientation)
{
    if (orientation == 1) return true;
    const bool mirror = left_is_right(orientation), flip = top_is_bottom(orientation);
    const bool swap = on_its_side(orientation);
    const size_t width = swap ? image->height : image->width;
    const size_t height = swap ? image->width : image->height;
    uint8_t *rgb = calloc(height, 3 * width);
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

bool image_scaler_finish(struct image_scaler *s)
{
    return turn(&s->out, s->orientation);
}
