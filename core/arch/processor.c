#include "arch/processor.h"

#include <string.h>

#include "arch/preprocess_keys.h"
#include "base/error.h"

/* 224, {"shortest_edge": 224}, {"height": 224, "width": 224} or [224, 224]. */
typedef struct {
    size_t height, width;
    bool shortest_edge;
} sides;

struct rn_processor {
    const char *name; /* of the class, before "ImageProcessor" or "FeatureExtractor" */
    const float *mean, *std;
    sides size, crop; /* crop.height 0: as `size` */
    rn_filter filter; /* of today's releases */
    bool by_pct;      /* what is called `size` is cut out of more, unless it is WHOLE or larger */
    bool square;      /* a `size` of one number is that of both sides */
    bool crops;       /* do_center_crop */
    bool bgr;         /* do_flip_channel_order */
};

#define WHOLE  384
#define BY_PCT (224. / 256)

static const float standard[3] = {0.5f, 0.5f, 0.5f};
static const float clip_mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
static const float clip_std[3] = {0.26862954f, 0.26130258f, 0.27577711f};

static const rn_processor processors[] = {
    {.name = "ConvNext",
     .by_pct = true,
     .size = {384, 384, true},
     .filter = RN_BICUBIC,
     .mean = standard,
     .std = standard},
    {.name = "Bit",
     .crops = true,
     .size = {224, 224, true},
     .crop = {224, 224, false},
     .filter = RN_BICUBIC,
     .mean = clip_mean,
     .std = clip_std},
    {.name = "CLIP",
     .crops = true,
     .size = {224, 224, true},
     .crop = {224, 224, false},
     .filter = RN_BICUBIC,
     .mean = clip_mean,
     .std = clip_std},
    {.name = "ViT",
     .square = true,
     .size = {224, 224, false},
     .filter = RN_BILINEAR,
     .mean = standard,
     .std = standard},
    {.name = "DeiT",
     .square = true,
     .crops = true,
     .size = {256, 256, false},
     .crop = {224, 224, false},
     .filter = RN_BICUBIC,
     .mean = standard,
     .std = standard},
    {.name = "MobileNetV1",
     .crops = true,
     .size = {224, 224, true},
     .crop = {224, 224, false},
     .filter = RN_BILINEAR,
     .mean = standard,
     .std = standard},
    {.name = "MobileNetV2",
     .crops = true,
     .size = {256, 256, true},
     .crop = {224, 224, false},
     .filter = RN_BILINEAR,
     .mean = standard,
     .std = standard},
    {.name = "MobileViT",
     .crops = true,
     .bgr = true,
     .size = {224, 224, true},
     .crop = {256, 256, false},
     .filter = RN_BILINEAR},
};
enum { PROCESSORS = sizeof processors / sizeof *processors };

/* Where nothing names a processor: the file's keys alone count. */
static const rn_processor unnamed = {.square = true, .filter = RN_BICUBIC},
                          unnamed_by_pct = {.by_pct = true, .filter = RN_BICUBIC},
                          unnamed_crops = {.filter = RN_BICUBIC};

static const rn_processor *find(const char *name, size_t size)
{
    for (size_t i = 0; i < PROCESSORS; i++)
        if (strlen(processors[i].name) == size && memcmp(processors[i].name, name, size) == 0)
            return &processors[i];
    return NULL;
}

/* "ViTImageProcessor", "ViTImageProcessorFast", "ViTFeatureExtractor" */
static const rn_processor *of_class(const char *name)
{
    const char *end = name ? strstr(name, "ImageProcessor") : NULL;
    if (name && !end) end = strstr(name, "FeatureExtractor");
    return end ? find(name, (size_t)(end - name)) : NULL;
}

/* The processors that transformers loads for a network whose file names none. */
static const rn_processor *of_model(const char *type)
{
    static const char *const of[][2] = {
        {"resnet", "ConvNext"},
        {"regnet", "ConvNext"},
        {"convnext", "ConvNext"},
        {"convnextv2", "ConvNext"},
        {"van", "ConvNext"},
        {"bit", "Bit"},
        {"clip", "CLIP"},
        {"vit", "ViT"},
        {"deit", "DeiT"},
        {"mobilenet_v1", "MobileNetV1"},
        {"mobilenet_v2", "MobileNetV2"},
        {"mobilevit", "MobileViT"},
    };
    for (size_t i = 0; type && i < sizeof of / sizeof *of; i++)
        if (strcmp(type, of[i][0]) == 0) return find(of[i][1], strlen(of[i][1]));
    return NULL;
}

static const char *class_of(const rn_json *file)
{
    const char *name = rn_json_string(rn_json_get(file, "image_processor_type"));
    return name ? name : rn_json_string(rn_json_get(file, "feature_extractor_type"));
}

const rn_processor *rn_processor_named(const rn_arch_options *options)
{
    const char *class = class_of(options->preprocessor);
    if (rn_json_is_null(options->preprocessor)) return NULL;
    if (class) return of_class(class);
    return of_model(rn_json_string(rn_json_get(options->config, "model_type")));
}

const char *rn_processor_name(const rn_processor *processor)
{
    return processor->name;
}

const float *rn_processor_mean(const rn_processor *processor)
{
    return processor->mean;
}

const float *rn_processor_std(const rn_processor *processor)
{
    return processor->std;
}

static const rn_processor *choose(const rn_arch_options *options)
{
    const rn_processor *named = rn_processor_named(options);
    if (named) return named;
    if (rn_has(options->preprocessor, "crop_pct")) return &unnamed_by_pct;
    return rn_has(options->preprocessor, "do_center_crop") ? &unnamed_crops : &unnamed;
}

bool rn_processor_speaks(const rn_arch_options *options)
{
    static const char *const keys[] = {
        "do_resize", "size",     "do_center_crop",        "crop_size",
        "crop_pct",  "resample", "do_flip_channel_order", NULL};
    const rn_json *file = options->preprocessor;
    return rn_has_any(file, keys) || of_class(class_of(file)) != NULL;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static bool read_sides(const rn_json *value, bool square, sides *out)
{
    const rn_json *edge = rn_json_get(value, "shortest_edge");
    const bool list = rn_json_is_array(value) && rn_json_count(value) == 2;
    size_t side;
    *out = (sides){0};
    if (list)
        return rn_read_side(rn_json_at(value, 0), &out->height) &&
               rn_read_side(rn_json_at(value, 1), &out->width);
    if (rn_json_is_object(value) && rn_json_is_null(edge))
        return rn_read_side(rn_json_get(value, "height"), &out->height) &&
               rn_read_side(rn_json_get(value, "width"), &out->width);
    if (!rn_read_side(rn_json_is_null(edge) ? value : edge, &side)) return false;
    *out = (sides){side, side, !rn_json_is_null(edge) || !square};
    return true;
}

static rn_status take_sides(const rn_json *file, const char *key, bool square, sides *out,
                            rn_error *err)
{
    if (!rn_has(file, key) || read_sides(rn_json_get(file, key), square, out)) return RN_OK;
    return rn_want(err, key,
                   "a size, {\"shortest_edge\"}, {\"height\", \"width\"} or [height, width], "
                   "1 to 2^30");
}

/* What the file and the processor's defaults say together. */
typedef struct {
    bool resize, crops, by_pct;
    double pct;
    sides size, crop; /* crop: what the input shows of the scaled picture */
} steps;

static rn_status read_plan(steps *out, const rn_json *file, const rn_processor *processor,
                           rn_error *err)
{
    sides crop = processor->crop;
    *out =
        (steps){.resize = true, .crops = processor->crops, .pct = BY_PCT, .size = processor->size};
    rn_status status = rn_take_bool(file, "do_resize", &out->resize, err);
    if (status == RN_OK) status = rn_take_bool(file, "do_center_crop", &out->crops, err);
    if (status == RN_OK) status = rn_take_factor(file, "crop_pct", &out->pct, err);
    if (status == RN_OK) status = take_sides(file, "size", processor->square, &out->size, err);
    if (status == RN_OK) status = take_sides(file, "crop_size", true, &crop, err);
    if (status != RN_OK) return status;
    out->crop = out->crops && crop.height ? crop : out->size;
    out->by_pct = processor->by_pct && out->size.shortest_edge;
    if (!out->by_pct || out->crop.height == out->size.height) return RN_OK;
    return rn_fail(err, RN_ERR_FORMAT,
                   "crop_size: this processor cuts out %zu by crop_pct, and then %zux%zu of that: "
                   "can't be served",
                   out->size.height, out->crop.height, out->crop.width);
}

bool rn_processor_input(const rn_arch_options *options, size_t *height, size_t *width)
{
    steps plan;
    if (!rn_processor_speaks(options) ||
        read_plan(&plan, options->preprocessor, choose(options), NULL) != RN_OK ||
        plan.crop.height == 0)
        return false;
    *height = plan.crop.height;
    *width = plan.crop.width;
    return true;
}

/* ---- all together ---------------------------------------------------------------------------- */

static rn_status read_resample(rn_preprocessing *p, const rn_json *file, rn_error *err)
{
    size_t resample;
    if (!rn_has(file, "resample")) return RN_OK;
    if (!rn_json_size(rn_json_get(file, "resample"), &resample) || resample > RN_HAMMING)
        return rn_want(err, "resample",
                       "PIL's 0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 "
                       "(hamming)");
    p->filter = (rn_filter)resample;
    return RN_OK;
}

static rn_status set_geometry(rn_preprocessing *p, const steps *plan, rn_shape in, rn_error *err)
{
    const bool whole = plan->size.height >= WHOLE;
    if (plan->by_pct) {
        p->fit = whole ? RN_FIT_STRETCH : RN_FIT_COVER;
        if (!plan->resize) p->fit = RN_FIT_NONE;
        return rn_set_size(p, in, whole ? 1 : plan->pct, err);
    }
    p->fit = plan->size.shortest_edge ? RN_FIT_COVER : RN_FIT_STRETCH;
    if (!plan->resize) p->fit = RN_FIT_NONE;
    // for another input than the file was written for, the picture is scaled in proportion
    const sides crop = plan->crop.height ? plan->crop : (sides){in.h, in.w, false};
    const sides size = plan->size.height ? plan->size : crop;
    p->height = size.height * in.h / crop.height;
    p->width = size.width * in.w / crop.width;
    if (p->height >= 1 && p->height <= RN_MAX_PICTURE_SIDE && p->width >= 1 &&
        p->width <= RN_MAX_PICTURE_SIDE)
        return RN_OK;
    return rn_want(err, "size", "a size that suits the input's");
}

rn_status rn_processor_read(rn_preprocessing *p, const rn_arch_options *options, rn_shape in,
                            rn_error *err)
{
    const rn_json *file = options->preprocessor;
    const rn_processor *processor = choose(options);
    bool offset = false;
    steps plan;
    p->filter = processor->filter;
    p->crop = RN_CROP_FLOOR;
    p->bgr = processor->bgr;
    rn_status status = read_plan(&plan, file, processor, err);
    if (status == RN_OK) status = read_resample(p, file, err);
    if (status == RN_OK) status = rn_take_bool(file, "do_flip_channel_order", &p->bgr, err);
    if (status == RN_OK) status = rn_take_bool(file, "rescale_offset", &offset, err);
    if (status == RN_OK && offset)
        status = rn_fail(err, RN_ERR_FORMAT,
                         "rescale_offset: can't be served; say the same by image_mean and "
                         "image_std");
    return status == RN_OK ? set_geometry(p, &plan, in, err) : status;
}

rn_status rn_processor_note(rn_arch *arch, const rn_arch_options *options, rn_error *err)
{
    const rn_processor *processor = rn_processor_named(options);
    const char *class = class_of(options->preprocessor);
    if (!processor && class) {
        const rn_status status = rn_arch_note(
            arch, err,
            "pictures: the defaults of %.60s are not known: only what the file says counts", class);
        if (status != RN_OK) return status;
    }
    if (rn_has(options->preprocessor, "resample")) return RN_OK;
    if (!processor) return rn_arch_note(arch, err, "pictures: no resample in the file: bicubic");
    return rn_arch_note(arch, err,
                        "pictures: no resample in the file: %s, as today's %s processors%s",
                        rn_filter_name(processor->filter), processor->name,
                        strcmp(processor->name, "ConvNext") == 0 ? "; earlier ones: bilinear" : "");
}
