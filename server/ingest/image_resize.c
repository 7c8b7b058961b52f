/* Resizing as PIL does it: a filter widened by the scale, rows first and columns second, each with
 * coefficients of 22 bits behind the point and a result rounded to a byte. Only the part that is
 * asked for is computed. */
#include "ingest/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BITS 22 /* of a coefficient behind the point: a sum of 8-bit samples fits in 32 bits */

/* One direction: samples `first` to `first + count` of a scale from `in` to `out` samples. */
struct axis {
    size_t in, out, first, count;
};

/* The source samples of each output sample and their weights. */
struct taps {
    size_t most;   /* weights of one output sample that there is room for */
    size_t *first; /* source sample */
    size_t *count;
    int32_t *weight; /* (output sample, tap) */
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

static void taps_free(struct taps *taps)
{
    free(taps->first);
    free(taps->count);
    free(taps->weight);
}

/* The weights of one output sample, whose middle lies at `center` in the source. exact: room for
 * taps->most numbers. */
static void fill_taps(struct taps *taps, size_t index, const struct axis *axis, rn_filter filter,
                      double *exact)
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
        const double weight = exact[i] / sum * (1 << BITS);
        taps->weight[index * taps->most + i] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    taps->first[index] = first;
    taps->count[index] = end - first;
}

static bool taps_init(struct taps *taps, const struct axis *axis, rn_filter filter)
{
    const double step = (double)axis->in / (double)axis->out, scale = step < 1 ? 1 : step;
    taps->most = (size_t)ceil(filters[filter].support * scale) * 2 + 1;
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
    const int32_t value = sum >> BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row of `in` to one of `width` pixels. */
static void resize_row(const struct taps *taps, const uint8_t *in, size_t width, uint8_t *out)
{
    for (size_t x = 0; x < width; x++, out += 3) {
        const uint8_t *pixel = in + 3 * taps->first[x];
        const int32_t *weight = taps->weight + x * taps->most;
        int32_t r = 1 << (BITS - 1), g = r, b = r;
        for (size_t i = 0; i < taps->count[x]; i++, pixel += 3) {
            r += pixel[0] * weight[i];
            g += pixel[1] * weight[i];
            b += pixel[2] * weight[i];
        }
        out[0] = to_byte(r), out[1] = to_byte(g), out[2] = to_byte(b);
    }
}

/* One row of the result from `count` rows of `size` bytes. */
static void resize_column(const int32_t *weight, size_t count, const uint8_t *in, size_t size,
                          uint8_t *out)
{
    enum { BLOCK = 128 };
    for (size_t at = 0; at < size; at += BLOCK) {
        const size_t width = size - at < BLOCK ? size - at : BLOCK;
        int32_t sum[BLOCK];
        for (size_t i = 0; i < width; i++) sum[i] = 1 << (BITS - 1);
        for (size_t tap = 0; tap < count; tap++)
            for (size_t i = 0; i < width; i++) sum[i] += in[tap * size + at + i] * weight[tap];
        for (size_t i = 0; i < width; i++) out[at + i] = to_byte(sum[i]);
    }
}

/* The rows of `in` from `first` to `end` to rows of the part's width. */
static void resize_rows(const struct taps *taps, const struct image *in,
                        const struct image_part *part, size_t first, size_t end, uint8_t *out)
{
    const size_t size = 3 * part->width;
    for (size_t y = first; y < end; y++, out += size) {
        const uint8_t *row = in->rgb + 3 * y * in->width;
        if (part->full_width == in->width)
            memcpy(out, row + 3 * part->left, size);
        else
            resize_row(taps, row, part->width, out);
    }
}

/* half: the rows of the source from `first` on, resized in width. */
static void resize_columns(const struct taps *taps, const struct image *in,
                           const struct image_part *part, const uint8_t *half, size_t first,
                           uint8_t *out)
{
    const size_t size = 3 * part->width;
    for (size_t y = 0; y < part->height; y++, out += size) {
        const uint8_t *rows = half + (taps->first[y] - first) * size;
        if (part->full_height == in->height)
            memcpy(out, half + (part->top + y - first) * size, size);
        else
            resize_column(taps->weight + y * taps->most, taps->count[y], rows, size, out);
    }
}

bool image_resize(struct image *out, const struct image *in, const struct image_part *part,
                  rn_filter filter)
{
    const struct axis x = {in->width, part->full_width, part->left, part->width};
    const struct axis y = {in->height, part->full_height, part->top, part->height};
    struct taps across = {0}, down = {0};
    uint8_t *half = NULL;
    *out = (struct image){part->width, part->height, malloc(3 * part->width * part->height)};
    bool good = out->rgb && taps_init(&across, &x, filter) && taps_init(&down, &y, filter);
    if (good) {
        const size_t last = part->height - 1;
        const size_t first = down.first[0], end = down.first[last] + down.count[last];
        half = malloc(3 * part->width * (end - first));
        good = half != NULL;
        if (good) {
            resize_rows(&across, in, part, first, end, half);
            resize_columns(&down, in, part, half, first, out->rgb);
        }
    }
    if (!good) image_free(out);
    taps_free(&across);
    taps_free(&down);
    free(half);
    return good;
}
