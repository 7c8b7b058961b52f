/* Resizing as PIL does it: a filter widened by the scale, rows first and columns second, each with
 * coefficients of 22 bits behind the point and a result rounded to a byte. */
#include "ingest/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BITS 22 /* of a coefficient behind the point: a sum of 8-bit samples fits in 32 bits */

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

static void taps_free(struct taps *taps)
{
    free(taps->first);
    free(taps->count);
    free(taps->weight);
}

/* The weights of one output sample, whose middle lies at `center` in the source. */
static bool fill_taps(struct taps *taps, size_t index, size_t in, double center, double scale,
                      enum image_filter filter)
{
    double (*const weigh)(double) = filter == IMAGE_BICUBIC ? bicubic : bilinear;
    const double support = (filter == IMAGE_BICUBIC ? 2 : 1) * scale;
    const double low = center - support + 0.5, high = center + support + 0.5;
    const size_t first = low < 0 ? 0 : (size_t)low, end = high > (double)in ? in : (size_t)high;
    double *exact = calloc(end - first + 1, sizeof *exact), sum = 0;
    if (!exact) return false;
    for (size_t i = first; i < end; i++) {
        exact[i - first] = weigh(((double)i - center + 0.5) * (1 / scale));
        sum += exact[i - first];
    }
    for (size_t i = 0; i < end - first; i++) {
        const double weight = exact[i] / sum * (1 << BITS);
        taps->weight[index * taps->most + i] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    taps->first[index] = first;
    taps->count[index] = end - first;
    free(exact);
    return true;
}

static bool taps_init(struct taps *taps, size_t in, size_t out, enum image_filter filter)
{
    const double step = (double)in / (double)out, scale = step < 1 ? 1 : step;
    taps->most = (size_t)ceil((filter == IMAGE_BICUBIC ? 2 : 1) * scale) * 2 + 1;
    taps->first = calloc(out, sizeof *taps->first);
    taps->count = calloc(out, sizeof *taps->count);
    taps->weight = calloc(out, taps->most * sizeof *taps->weight);
    bool good = taps->first && taps->count && taps->weight;
    for (size_t i = 0; i < out && good; i++)
        good = fill_taps(taps, i, in, ((double)i + 0.5) * step, scale, filter);
    return good;
}

static uint8_t to_byte(int32_t sum)
{
    const int32_t value = sum >> BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row of `in` to one of `out` width. */
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

/* One row of the result from `taps->count[y]` rows of `size` bytes. */
static void resize_column(const struct taps *taps, const uint8_t *in, size_t size, size_t y,
                          int32_t *sums, uint8_t *out)
{
    const uint8_t *row = in + taps->first[y] * size;
    for (size_t i = 0; i < size; i++) sums[i] = 1 << (BITS - 1);
    for (size_t tap = 0; tap < taps->count[y]; tap++, row += size) {
        const int32_t weight = taps->weight[y * taps->most + tap];
        for (size_t i = 0; i < size; i++) sums[i] += row[i] * weight;
    }
    for (size_t i = 0; i < size; i++) out[i] = to_byte(sums[i]);
}

bool image_resize(struct image *out, const struct image *in, size_t width, size_t height,
                  enum image_filter filter)
{
    struct taps across = {0}, down = {0};
    uint8_t *half = malloc(3 * width * in->height); // resized in width
    int32_t *sums = malloc(3 * width * sizeof *sums);
    *out = (struct image){width, height, malloc(3 * width * height)};
    const bool good = half && sums && out->rgb && taps_init(&across, in->width, width, filter) &&
                      taps_init(&down, in->height, height, filter);
    if (good) {
        for (size_t y = 0; y < in->height; y++)
            if (width == in->width)
                memcpy(half + 3 * y * width, in->rgb + 3 * y * width, 3 * width);
            else
                resize_row(&across, in->rgb + 3 * y * in->width, width, half + 3 * y * width);
        for (size_t y = 0; y < height; y++)
            if (height == in->height)
                memcpy(out->rgb + 3 * y * width, half + 3 * y * width, 3 * width);
            else
                resize_column(&down, half, 3 * width, y, sums, out->rgb + 3 * y * width);
    } else {
        image_free(out);
    }
    taps_free(&across);
    taps_free(&down);
    free(half);
    free(sums);
    return good;
}

/* ---- to a tensor ----------------------------------------------------------------------------- */

/* The size whose shorter side is the recipe's, as torchvision computes it. */
static void scaled_size(const struct image *image, const struct image_recipe *recipe, size_t *width,
                        size_t *height)
{
    *width = recipe->width;
    *height = recipe->height;
    if (!recipe->resize) return;
    const bool tall = image->width <= image->height;
    const size_t shorter = tall ? image->width : image->height;
    const size_t longer = tall ? image->height : image->width;
    const size_t scaled = (size_t)((double)(recipe->resize * longer) / (double)shorter);
    *width = tall ? recipe->resize : scaled;
    *height = tall ? scaled : recipe->resize;
}

/* Where a middle of `inner` begins in `outer`: Python's round(), ties to even. */
static ptrdiff_t middle(size_t outer, size_t inner)
{
    return (ptrdiff_t)nearbyint(((double)outer - (double)inner) / 2);
}

static float value_at(const struct image *image, const struct image_recipe *recipe, ptrdiff_t x,
                      ptrdiff_t y, size_t channel)
{
    // what a crop takes from beside the image is black
    unsigned value = 0;
    if (x >= 0 && y >= 0 && (size_t)x < image->width && (size_t)y < image->height) {
        const uint8_t *rgb = image->rgb + 3 * ((size_t)y * image->width + (size_t)x);
        value = recipe->channels == 1
                    ? (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000) >> 16
                    : rgb[channel];
    }
    return ((float)value / 255 - recipe->mean[channel]) / recipe->std[channel];
}

bool image_tensor(const struct image *image, const struct image_recipe *recipe, float *chw)
{
    struct image scaled;
    size_t width, height;
    scaled_size(image, recipe, &width, &height);
    if (!image_resize(&scaled, image, width, height, recipe->filter)) return false;
    const ptrdiff_t left = middle(width, recipe->width), top = middle(height, recipe->height);
    for (size_t c = 0; c < recipe->channels; c++)
        for (size_t y = 0; y < recipe->height; y++)
            for (size_t x = 0; x < recipe->width; x++)
                *chw++ = value_at(&scaled, recipe, left + (ptrdiff_t)x, top + (ptrdiff_t)y, c);
    image_free(&scaled);
    return true;
}
