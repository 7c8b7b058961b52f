/* Resizing as PIL does it: a filter widened by the scale, coefficients of 22 bits behind the point,
 * each sum rounded to a byte. */
#include "ingest/image_resize.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "isa.h"

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double sinc(double x)
{
    return x == 0 ? 1 : sin(x * M_PI) / (x * M_PI);
}

/* PIL's two constants are floats. */
static double hamming(double x)
{
    x = fabs(x);
    if (x == 0) return 1;
    return x < 1 ? sinc(x) * ((double)0.54f + (double)0.46f * cos(x * M_PI)) : 0;
}

static double lanczos(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* Weights are 0 from the distance `support` on; without a function, one sample is taken. */
static const struct filter {
    double (*weigh)(double x);
    double support;
} filters[] = {
    [RN_NEAREST] = {NULL, 0},    [RN_LANCZOS] = {lanczos, 3}, [RN_BILINEAR] = {bilinear, 1},
    [RN_BICUBIC] = {bicubic, 2}, [RN_BOX] = {box, 0.5},       [RN_HAMMING] = {hamming, 1}};

void image_taps_free(struct image_taps *taps)
{
    free(taps->first);
    free(taps->count);
    free(taps->weight);
}

/* The taps of the output sample `index` of the axis, at the place `to`. exact: room for taps->most
 * numbers. */
static void fill_taps(struct image_taps *taps, size_t to, const struct image_axis *axis,
                      size_t index, const struct filter *filter, double *exact)
{
    const double step = (double)axis->in / (double)axis->out, scale = step < 1 ? 1 : step;
    const double center = ((double)(axis->first + index) + 0.5) * step;
    const double support = filter->support * scale;
    const double low = center - support + 0.5, high = center + support + 0.5;
    const size_t first = low < 0 ? 0 : (size_t)low;
    const size_t end = high > (double)axis->in ? axis->in : (size_t)high, count = end - first;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        exact[i] = filter->weigh(((double)(first + i) - center + 0.5) * (1 / scale));
        sum += exact[i];
    }
    int32_t *out = taps->weight + to * taps->most;
    for (size_t i = 0; i < count; i++) {
        const double weight = exact[i] / sum * (1 << IMAGE_TAP_BITS);
        out[axis->mirrored ? count - 1 - i : i] =
            (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    taps->first[to] = axis->mirrored ? axis->in - end : first;
    taps->count[to] = count;
}

/* One tap each. PIL finds the source samples by adding up the step, and so does this as far as
 * sizes go that PIL can have. */
static void fill_nearest(struct image_taps *taps, const struct image_axis *axis)
{
    enum { MAX_ADDED = 1 << 24 };
    const double step = (double)axis->in / (double)axis->out;
    double place = step / 2;
    if (axis->first > MAX_ADDED) place += (double)axis->first * step;
    for (size_t i = 0; axis->first <= MAX_ADDED && i < axis->first; i++) place += step;
    for (size_t i = 0; i < axis->count; i++) {
        const size_t to = axis->mirrored ? axis->count - 1 - i : i;
        const size_t from = place < (double)axis->in ? (size_t)place : axis->in - 1;
        taps->first[to] = axis->mirrored ? axis->in - 1 - from : from;
        taps->count[to] = 1;
        taps->weight[to * taps->most] = 1 << IMAGE_TAP_BITS;
        place += step;
    }
}

bool image_taps_init(struct image_taps *taps, const struct image_axis *axis, rn_filter filter)
{
    const struct filter *shape = &filters[filter];
    const double step = (double)axis->in / (double)axis->out, scale = step < 1 ? 1 : step;
    taps->most = (size_t)ceil(shape->support * scale) * 2 + 1;
    taps->most = (taps->most + 1) / 2 * 2;
    taps->first = calloc(axis->count, sizeof *taps->first);
    taps->count = calloc(axis->count, sizeof *taps->count);
    taps->weight = calloc(axis->count, taps->most * sizeof *taps->weight);
    double *exact = calloc(taps->most, sizeof *exact);
    const bool good = taps->first && taps->count && taps->weight && exact;
    if (good && !shape->weigh) fill_nearest(taps, axis);
    for (size_t i = 0; i < axis->count && good && shape->weigh; i++)
        fill_taps(taps, axis->mirrored ? axis->count - 1 - i : i, axis, i, shape, exact);
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
        int32_t sum = 1 << (IMAGE_TAP_BITS - 1);
        for (size_t tap = 0; tap < rows->count; tap++) sum += rows->in[tap][i] * rows->weight[tap];
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

const struct image_resize_impl *image_resize_best(void)
{
    const struct image_resize_impl *impl = image_resize_impls;
    while (!impl->available()) impl++;
    return impl;
}
