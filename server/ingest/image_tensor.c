/* A picture to what a network takes: which part of it in which size, then floats. The sizes are
 * those of torchvision's Resize and CenterCrop and of timm's ResizeKeepRatio and CenterCropOrPad.
 */
#include "ingest/image_files.h"

#include <math.h>

struct image_recipe image_recipe_of(const rn_model_info *info)
{
    return (struct image_recipe){info->input[0], info->input[1], info->input[2], info->preprocess};
}

struct size {
    size_t width, height;
};

static size_t at_least_one(double size)
{
    return size < 1 ? 1 : (size_t)size;
}

/* The ratio is kept, and one side becomes that of `box`. */
static struct size keep_ratio(struct size image, struct size box, bool inside)
{
    const double across = (double)image.width / (double)box.width;
    const double down = (double)image.height / (double)box.height;
    const double ratio = inside == (across > down) ? across : down;
    return (struct size){at_least_one(nearbyint((double)image.width / ratio)),
                         at_least_one(nearbyint((double)image.height / ratio))};
}

/* The shorter side becomes `side`: torchvision rounds the longer one down. */
static struct size set_shorter(struct size image, size_t side)
{
    const bool tall = image.width <= image.height;
    const size_t shorter = tall ? image.width : image.height;
    const size_t longer = tall ? image.height : image.width;
    const size_t scaled = (size_t)((double)(side * longer) / (double)shorter);
    return tall ? (struct size){side, scaled} : (struct size){scaled, side};
}

static struct size scaled_size(struct size image, const rn_preprocessing *how)
{
    const struct size box = {how->width, how->height};
    switch (how->fit) {
    case RN_FIT_COVER:
        return box.width == box.height ? set_shorter(image, box.width)
                                       : keep_ratio(image, box, false);
    case RN_FIT_INSIDE: return keep_ratio(image, box, true);
    case RN_FIT_STRETCH: return box;
    case RN_FIT_NONE: break;
    }
    return image;
}

/* One direction of a middle that is cut out: what of it is the picture, and where. */
struct cut {
    size_t from; /* in the scaled picture */
    size_t to;   /* in the input */
    size_t count;
};

/* torchvision and timm place it by Python's round(), ties to even, and pad less before a smaller
 * one; Hugging Face divides by //, and pads more. */
static struct cut cut_middle(size_t size, size_t input, rn_crop crop)
{
    const bool floor = crop == RN_CROP_FLOOR;
    if (size < input) return (struct cut){0, (input - size + floor) / 2, size};
    const size_t over = size - input;
    return (struct cut){floor ? over / 2 : (size_t)nearbyint((double)over / 2), 0, input};
}

/* What stands beside a picture that is smaller than the input: black, or the mean. */
static unsigned padding_of(const rn_preprocessing *how, size_t channel)
{
    const double value = nearbyint(255 * (double)how->mean[channel]);
    if (how->fit != RN_FIT_INSIDE) return 0;
    return value < 0 ? 0 : value > 255 ? 255 : (unsigned)value;
}

struct image_view image_view_of(const struct image_recipe *recipe, size_t width, size_t height)
{
    const struct size size = scaled_size((struct size){width, height}, &recipe->how);
    const struct cut x = cut_middle(size.width, recipe->width, recipe->how.crop);
    const struct cut y = cut_middle(size.height, recipe->height, recipe->how.crop);
    const struct image_part part = {size.width, size.height, x.from, y.from, x.count, y.count};
    return (struct image_view){part, x.to, y.to};
}

static void fill_channel(const struct image *part, const struct image_view *view,
                         const struct image_recipe *recipe, size_t channel, float *out)
{
    const rn_preprocessing *how = &recipe->how;
    const size_t source = how->bgr && recipe->channels == 3 ? 2 - channel : channel; // of R, G, B
    float value[256];
    for (size_t i = 0; i < 256; i++)
        value[i] = ((float)i / 255 - how->mean[channel]) / how->std[channel];
    const float padding = value[padding_of(how, channel)];
    if (part->width < recipe->width || part->height < recipe->height)
        for (size_t i = 0; i < recipe->height * recipe->width; i++) out[i] = padding;
    for (size_t row = 0; row < part->height; row++) {
        const uint8_t *rgb = part->rgb + 3 * row * part->width;
        float *to = out + (view->top + row) * recipe->width + view->left;
        for (size_t i = 0; i < part->width; i++, rgb += 3) to[i] = value[rgb[source]];
    }
}

void image_fill(const struct image *part, const struct image_view *view,
                const struct image_recipe *recipe, float *chw)
{
    const size_t area = recipe->height * recipe->width;
    for (size_t c = 0; c < recipe->channels; c++)
        fill_channel(part, view, recipe, c, chw + c * area);
}
