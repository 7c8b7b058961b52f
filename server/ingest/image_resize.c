/* Resizing as PIL does it: a filter widened by the scale, rows first and columns second, each with
 * coefficients of 22 bits behind the point and a result rounded to a byte. Only the part that is
 * asked for is computed. */
#include "ingest/image_resize.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isa.h"

/* One direction: samples `first` to `first + count` of a scale from `in` to `out` samples. */
struct axis {
    size_t in, out, first, count;
};

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static const struct {
    double (*weigh)(double x);
    double support; /* weights are 0 from this distance on */
} filters[] = {[RN_BILINEAR] = {bilinear, 1}, [RN_BICUBIC] = {bicubic, 2}};

static void taps_free(struct image_taps *taps)
{
    free(taps->first);
    free(taps->count);
    free(taps->weight);
}

/* The weights of one output sample, whose middle lies at `center` in the source. exact: room for
 * taps->most numbers. */
static void fill_taps(struct image_taps *taps, size_t index, const struct axis *axis,
                      rn_filter filter, double *exact)
{
    const double step = (double)axis->in / (double)axis->out, scale = step < 1 ? 1 : step;
    const double center = ((double)(axis->first + index) + 0.5) * step;
    const double support = filters[filter].support * scale;
    const double low = center - support + 0.5, high = center + support + 0.5;
    const size_t first = low < 0 ? 0 : (size_t)low;
    const size_t end = high > (double)axis->in ? axis->in : (size_t)high;
    double sum = 0;
    for (size_t i = 0; i < end - first; i++) {
        exact[i] = filters[filter].weigh(((double)(first + i) - center + 0.5) * (1 / scale));
        sum += exact[i];
    }
    for (size_t i = 0; i < end - first; i++) {
        const double weight = exact[i] / sum * (1 << IMAGE_TAP_BITS);
        taps->weight[index * taps->most + i] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    taps->first[index] = first;
    taps->count[index] = end - first;
}

static bool taps_init(struct image_taps *taps, const struct axis *axis, rn_filter filter)
{
    const double step = (double)axis->in / (double)axis->out, scale = step < 1 ? 1 : step;
    taps->most = (size_t)ceil(filters[filter].support * scale) * 2 + 1;
    taps->most = (taps->most + 1) / 2 * 2;
    taps->first = calloc(axis->count, sizeof *taps->first);
    taps->count = calloc(axis->count, sizeof *taps->count);
    taps->weight = calloc(axis->count, taps->most * sizeof *taps->weight);
    double *exact = calloc(taps->most, sizeof *exact);
    const bool good = taps->first && taps->count && taps->weight && exact;
    for (size_t i = 0; i < axis->count && good; i++) fill_taps(taps, i, axis, filter, exact);
    free(exact);
    return good;
}

static uint8_t to_byte(int32_t sum)
{
    const int32_t value = sum >> IMAGE_TAP_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

struct image_taps image_taps_from(const struct image_taps *taps, size_t from)
{
    return (struct image_taps){taps->most, taps->first + from, taps->count + from,
                               taps->weight + from * taps->most};
}

void image_row_plain(const struct image_taps *taps, const uint8_t *in, size_t in_width,
                     uint8_t *out, size_t width)
{
    for (size_t x = 0; x < width; x++, out += 3) {
        const uint8_t *pixel = in + 3 * taps->first[x];
        const int32_t *weight = taps->weight + x * taps->most;
        int32_t r = 1 << (IMAGE_TAP_BITS - 1), g = r, b = r;
        assert(taps->first[x] + taps->count[x] <= in_width);
        for (size_t i = 0; i < taps->count[x]; i++, pixel += 3) {
            r += pixel[0] * weight[i];
            g += pixel[1] * weight[i];
            b += pixel[2] * weight[i];
        }
        out[0] = to_byte(r), out[1] = to_byte(g), out[2] = to_byte(b);
    }
}

void image_column_plain(const struct image_rows *rows, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const uint8_t *in = rows->in + i;
        int32_t sum = 1 << (IMAGE_TAP_BITS - 1);
        for (size_t tap = 0; tap < rows->count; tap++)
            sum += in[tap * rows->stride] * rows->weight[tap];
        out[i] = to_byte(sum);
    }
}

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return isa_allows("avx2");
}
#endif

const struct image_resize_impl image_resize_impls[] = {
#if defined(__x86_64__)
    {"avx2", has_avx2, image_row_avx2, image_column_avx2},
#endif
    {"plain", always, image_row_plain, image_column_plain},
    {0},
};

/* ---- both passes ----------------------------------------------------------------------------- */

/* What both passes need. */
struct passes {
    const struct image_resize_impl *impl;
    const struct image *in;
    const struct image_part *part;
    struct image_taps across, down;
};

/* The rows of the source from `first` to `end`, to rows of the part's width. */
static void resize_rows(const struct passes *p, size_t first, size_t end, uint8_t *out)
{
    const size_t size = 3 * p->part->width;
    for (size_t y = first; y < end; y++, out += size) {
        const uint8_t *row = p->in->rgb + 3 * y * p->in->width;
        if (p->part->full_width == p->in->width)
            memcpy(out, row + 3 * p->part->left, size);
        else
            p->impl->row(&p->across, row, p->in->width, out, p->part->width);
    }
}

/* half: the rows of the source from `first` on, resized in width. */
static void resize_columns(const struct passes *p, const uint8_t *half, size_t first, uint8_t *out)
{
    const size_t size = 3 * p->part->width;
    for (size_t y = 0; y < p->part->height; y++, out += size) {
        const struct image_rows rows = {p->down.weight + y * p->down.most, p->down.count[y],
                                        half + (p->down.first[y] - first) * size, size};
        if (p->part->full_height == p->in->height)
            memcpy(out, half + (p->part->top + y - first) * size, size);
        else
            p->impl->column(&rows, out, size);
    }
}

static bool run_passes(const struct passes *p, uint8_t *out)
{
    const size_t last = p->part->height - 1;
    const size_t first = p->down.first[0], end = p->down.first[last] + p->down.count[last];
    uint8_t *half = malloc(3 * p->part->width * (end - first));
    if (!half) return false;
    resize_rows(p, first, end, half);
    resize_columns(p, half, first, out);
    free(half);
    return true;
}

bool image_resize_by(const struct image_resize_impl *impl, struct image *out,
                     const struct image *in, const struct image_part *part, rn_filter filter)
{
    const struct axis x = {in->width, part->full_width, part->left, part->width};
    const struct axis y = {in->height, part->full_height, part->top, part->height};
    struct passes p = {impl, in, part, {0}, {0}};
    *out = (struct image){part->width, part->height, malloc(3 * part->width * part->height)};
    const bool good = out->rgb && taps_init(&p.across, &x, filter) &&
                      taps_init(&p.down, &y, filter) && run_passes(&p, out->rgb);
    if (!good) image_free(out);
    taps_free(&p.across);
    taps_free(&p.down);
    return good;
}

bool image_resize(struct image *out, const struct image *in, const struct image_part *part,
                  rn_filter filter)
{
    const struct image_resize_impl *impl = image_resize_impls;
    while (!impl->available()) impl++;
    return image_resize_by(impl, out, in, part, filter);
}
