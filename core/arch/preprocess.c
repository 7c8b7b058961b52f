#include "arch/preprocess.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define CROP_PCT 0.875 /* where nothing says otherwise: timm's, and what torchvision's 256 is */
#define SMALL    64    /* inputs up to this side show the whole picture */
#define MAX_SIDE ((size_t)1 << 30)

static const float imagenet_mean[3] = {0.485f, 0.456f, 0.406f};
static const float imagenet_std[3] = {0.229f, 0.224f, 0.225f};

static rn_status want(rn_error *err, const char *key, const char *wanted)
{
    return rn_fail(err, RN_ERR_FORMAT, "%s: want %s", key, wanted);
}

static bool has(const rn_json *object, const char *key)
{
    return !rn_json_is_null(rn_json_get(object, key));
}

static bool has_any(const rn_json *object, const char *const *keys)
{
    while (*keys && !has(object, *keys)) keys++;
    return *keys != NULL;
}

/* Both leave *out as it is when the key is not there or null. */
static rn_status take_bool(const rn_json *object, const char *key, bool *out, rn_error *err)
{
    if (!has(object, key) || rn_json_bool(rn_json_get(object, key), out)) return RN_OK;
    return want(err, key, "true or false");
}

static rn_status take_factor(const rn_json *object, const char *key, double *out, rn_error *err)
{
    if (!has(object, key) || (rn_json_number(rn_json_get(object, key), out) && *out > 0))
        return RN_OK;
    return want(err, key, "a number above 0");
}

/* A size of a picture's side. */
static bool read_side(const rn_json *value, size_t *out)
{
    return rn_json_size(value, out) && *out >= 1 && *out <= MAX_SIDE;
}

const rn_json *rn_timm_config(const rn_json *config)
{
    const rn_json *nested = rn_json_get(config, "pretrained_cfg");
    return rn_json_is_null(nested) && has(config, "architecture") ? config : nested;
}

/* ---- mean and deviation ---------------------------------------------------------------------- */

/* One number for all channels or one for each. */
static rn_status read_channels(float out[3], const rn_json *list, size_t channels, rn_error *err)
{
    const size_t count = rn_json_count(list);
    if (rn_json_is_null(list)) return RN_OK;
    if (!rn_json_is_array(list) || (count != 1 && (count != channels || count > 3)))
        return rn_fail(err, RN_ERR_FORMAT, "want a list of one number, or one a channel");
    for (size_t i = 0; i < 3; i++) {
        double value;
        if (!rn_json_number(rn_json_at(list, i < count ? i : 0), &value))
            return rn_fail(err, RN_ERR_FORMAT, "want numbers");
        out[i] = (float)value;
    }
    return RN_OK;
}

/* Hugging Face's switches: values may be left as 0 to 255, scaled by another factor than 1/255, or
 * not normalised. All of it is one division and subtraction of values from 0 to 1. */
static rn_status read_rescaling(rn_preprocessing *p, const rn_json *file, rn_error *err)
{
    bool rescale = true, normalise = true;
    double factor = 1 / 255.;
    rn_status status = take_bool(file, "do_rescale", &rescale, err);
    if (status == RN_OK) status = take_bool(file, "do_normalize", &normalise, err);
    if (status == RN_OK) status = take_factor(file, "rescale_factor", &factor, err);
    const double unit = rescale ? 255 * factor : 255;
    for (size_t i = 0; i < 3; i++) {
        if (!normalise) p->mean[i] = 0, p->std[i] = 1;
        if (fabs(unit - 1) < 1e-6) continue;
        p->mean[i] = (float)((double)p->mean[i] / unit);
        p->std[i] = (float)((double)p->std[i] / unit);
    }
    return status;
}

/* Where mean and std stand, and the file whose switches go with them. */
typedef struct {
    const rn_json *mean, *std;
    const char *where;
    const rn_json *switches;
} normalisation;

static normalisation find_normalisation(const rn_arch_options *options)
{
    const rn_json *ours = rn_json_get(options->config, "preprocess");
    const rn_json *timm = rn_timm_config(options->config), *file = options->preprocessor;
    const normalisation places[] = {
        {rn_json_get(ours, "mean"), rn_json_get(ours, "std"), "config.json: preprocess", NULL},
        {rn_json_get(timm, "mean"), rn_json_get(timm, "std"), "config.json: pretrained_cfg", NULL},
        {rn_json_get(file, "image_mean"), rn_json_get(file, "image_std"),
         "preprocessor_config.json", file},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!rn_json_is_null(places[i].mean) || !rn_json_is_null(places[i].std)) return places[i];
    return (normalisation){.where = "default: ImageNet's", .switches = file};
}

#define NUMBERS 64 /* bytes of three numbers */

/* " 0.5 0.25": one for each channel that a picture has */
static char *numbers_text(const float *number, size_t channels, char text[NUMBERS])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < channels && i < 3; i++)
        used += (size_t)snprintf(text + used, NUMBERS - used, " %g", (double)number[i]);
    return text;
}

static rn_status read_normalisation(rn_arch *arch, size_t channels, const rn_arch_options *options,
                                    rn_error *err)
{
    const normalisation n = find_normalisation(options);
    float *mean = arch->preprocess.mean, *std = arch->preprocess.std;
    memcpy(mean, imagenet_mean, sizeof imagenet_mean);
    memcpy(std, imagenet_std, sizeof imagenet_std);
    rn_status status = read_channels(mean, n.mean, channels, err);
    if (status == RN_OK) status = read_channels(std, n.std, channels, err);
    for (size_t i = 0; status == RN_OK && i < 3; i++)
        if (!(std[i] > 0)) status = rn_fail(err, RN_ERR_FORMAT, "std: want numbers above 0");
    if (status != RN_OK) return rn_context(err, "%s", n.where), status;
    status = read_rescaling(&arch->preprocess, n.switches, err);
    if (status != RN_OK) return rn_context(err, "preprocessor_config.json"), status;
    char means[NUMBERS], deviations[NUMBERS];
    return rn_arch_note(arch, err, "preprocessing: mean%s, std%s (%s)",
                        numbers_text(mean, channels, means),
                        numbers_text(std, channels, deviations), n.where);
}

/* ---- size and crop --------------------------------------------------------------------------- */

static const char *const filter_names[] = {
    [RN_NEAREST] = "nearest", [RN_LANCZOS] = "lanczos", [RN_BILINEAR] = "bilinear",
    [RN_BICUBIC] = "bicubic", [RN_BOX] = "box",         [RN_HAMMING] = "hamming"};

/* What the input of in.h x in.w shows is crop_pct of a scaled picture. */
static rn_status set_size(rn_preprocessing *p, rn_shape in, double crop_pct, rn_error *err)
{
    const double height = floor((double)in.h / crop_pct), width = floor((double)in.w / crop_pct);
    const double most = (double)MAX_SIDE;
    if (!(height >= 1 && height <= most && width >= 1 && width <= most))
        return want(err, "crop_pct", "the part of a picture that the input shows");
    p->height = (size_t)height;
    p->width = (size_t)width;
    return RN_OK;
}

static void set_default(rn_preprocessing *p, rn_shape in)
{
    const bool small = in.h <= SMALL || in.w <= SMALL;
    p->filter = RN_BILINEAR;
    p->orient = true;
    p->fit = small && in.h != in.w ? RN_FIT_STRETCH : RN_FIT_COVER;
    p->height = small ? in.h : (size_t)((double)in.h / CROP_PCT);
    p->width = small ? in.w : (size_t)((double)in.w / CROP_PCT);
}

/* timm's keys, and "resize", torchvision's size of the shorter side. */
static rn_status read_timm(rn_preprocessing *p, const rn_json *object, rn_shape in, rn_error *err)
{
    static const struct {
        const char *name;
        rn_fit fit;
    } modes[] = {{"center", RN_FIT_COVER}, {"border", RN_FIT_INSIDE}, {"squash", RN_FIT_STRETCH}};
    const char *filter = rn_json_string(rn_json_get(object, "interpolation"));
    const char *mode = rn_json_string(rn_json_get(object, "crop_mode"));
    double crop_pct = CROP_PCT;
    rn_status status = take_factor(object, "crop_pct", &crop_pct, err);
    if (status == RN_OK && has(object, "crop_pct")) status = set_size(p, in, crop_pct, err);
    if (status != RN_OK) return status;
    if (has(object, "interpolation")) {
        if (!filter || (strcmp(filter, "bilinear") != 0 && strcmp(filter, "bicubic") != 0))
            return want(err, "interpolation", "\"bilinear\" or \"bicubic\"");
        p->filter = strcmp(filter, "bicubic") == 0 ? RN_BICUBIC : RN_BILINEAR;
    }
    if (has(object, "crop_mode")) {
        size_t i = 0, count = sizeof modes / sizeof *modes;
        while (i < count && !(mode && strcmp(mode, modes[i].name) == 0)) i++;
        if (i == count) return want(err, "crop_mode", "\"center\", \"border\" or \"squash\"");
        p->fit = modes[i].fit;
    }
    if (!has(object, "resize")) return RN_OK;
    if (!read_side(rn_json_get(object, "resize"), &p->height))
        return want(err, "resize", "a size from 1 to 2^30");
    p->width = p->height;
    return RN_OK;
}

/* Hugging Face's sizes: 224, {"shortest_edge": 224}, {"height": 224, "width": 224}. */
typedef struct {
    size_t height, width;
    bool shortest_edge;
} sides;

static bool read_sides(const rn_json *value, sides *out)
{
    const rn_json *edge = rn_json_get(value, "shortest_edge");
    out->shortest_edge = !rn_json_is_null(edge);
    if (rn_json_is_object(value) && !out->shortest_edge)
        return read_side(rn_json_get(value, "height"), &out->height) &&
               read_side(rn_json_get(value, "width"), &out->width);
    if (!read_side(out->shortest_edge ? edge : value, &out->height)) return false;
    out->width = out->height;
    return true;
}

static rn_status take_sides(const rn_json *file, const char *key, sides *out, rn_error *err)
{
    if (!has(file, key) || read_sides(rn_json_get(file, key), out)) return RN_OK;
    return want(err, key, "a size, {\"shortest_edge\"} or {\"height\", \"width\"}, 1 to 2^30");
}

/* An image processor that has crop_pct cuts out what it calls `size`; from this size on it takes
 * the whole picture. */
#define HF_WHOLE 384

bool rn_preprocess_input(const rn_json *preprocessor, size_t *height, size_t *width)
{
    sides in;
    const char *key = has(preprocessor, "crop_size") ? "crop_size" : "size";
    if (!read_sides(rn_json_get(preprocessor, key), &in)) return false;
    *height = in.height;
    *width = in.width;
    return true;
}

static rn_status read_resample(rn_preprocessing *p, const rn_json *file, rn_error *err)
{
    enum { BILINEAR = 2, BICUBIC = 3 }; /* PIL's numbers */
    size_t resample = BICUBIC;
    if (has(file, "resample") && (!rn_json_size(rn_json_get(file, "resample"), &resample) ||
                                  (resample != BILINEAR && resample != BICUBIC)))
        return want(err, "resample", "2 (bilinear) or 3 (bicubic)");
    p->filter = resample == BICUBIC ? RN_BICUBIC : RN_BILINEAR;
    return RN_OK;
}

static rn_status read_hf(rn_preprocessing *p, const rn_json *file, rn_shape in, rn_error *err)
{
    bool resize = true, crops = has(file, "crop_size");
    double crop_pct = 0;
    sides size = {in.h, in.w, false}, crop = {0};
    rn_status status = take_bool(file, "do_resize", &resize, err);
    if (status == RN_OK) status = take_bool(file, "do_center_crop", &crops, err);
    if (status == RN_OK) status = take_factor(file, "crop_pct", &crop_pct, err);
    if (status == RN_OK) status = take_sides(file, "size", &size, err);
    if (status == RN_OK) status = take_sides(file, "crop_size", &crop, err);
    if (status == RN_OK) status = read_resample(p, file, err);
    if (status != RN_OK) return status;
    if (crop_pct > 0) {
        const bool whole = size.height >= HF_WHOLE;
        p->fit = !resize ? RN_FIT_NONE : whole ? RN_FIT_STRETCH : RN_FIT_COVER;
        return set_size(p, in, whole ? 1 : crop_pct, err);
    }
    const bool ratio = size.shortest_edge || (size.height == size.width && crops);
    p->fit = !resize ? RN_FIT_NONE : ratio ? RN_FIT_COVER : RN_FIT_STRETCH;
    if (!crop.height) crop = size;
    // for another input than the file was written for, the picture is scaled in proportion
    p->height = size.height * in.h / crop.height;
    p->width = size.width * in.w / crop.width;
    if (p->height >= 1 && p->height <= MAX_SIDE && p->width >= 1 && p->width <= MAX_SIDE)
        return RN_OK;
    return want(err, "size", "a size that suits the input's");
}

/* The first place that says anything about size, crop or filter. */
static rn_status find_geometry(rn_preprocessing *p, rn_shape in, const rn_arch_options *options,
                               const char **where, rn_error *err)
{
    static const char *const timm_keys[] = {"resize", "crop_pct", "crop_mode", "interpolation",
                                            NULL};
    static const char *const hf_keys[] = {"do_resize", "size",     "crop_size",
                                          "crop_pct",  "resample", NULL};
    const rn_json *ours = rn_json_get(options->config, "preprocess");
    const rn_json *timm = rn_timm_config(options->config);
    set_default(p, in);
    *where = "default";
    if (has_any(ours, timm_keys)) {
        *where = "config.json: preprocess";
        return read_timm(p, ours, in, err);
    }
    if (has_any(timm, timm_keys)) {
        *where = "config.json: pretrained_cfg";
        return read_timm(p, timm, in, err);
    }
    if (!has_any(options->preprocessor, hf_keys)) return RN_OK;
    *where = "preprocessor_config.json";
    return read_hf(p, options->preprocessor, in, err);
}

static rn_status note_geometry(rn_arch *arch, rn_shape in, const char *where, rn_error *err)
{
    static const char *const fits[] = {[RN_FIT_COVER] = "scaled to cover",
                                       [RN_FIT_INSIDE] = "scaled to lie inside",
                                       [RN_FIT_STRETCH] = "stretched to"};
    const rn_preprocessing *p = &arch->preprocess;
    if (p->fit == RN_FIT_NONE)
        return rn_arch_note(arch, err, "pictures: the middle %zux%zu, not scaled (%s)", in.h, in.w,
                            where);
    return rn_arch_note(arch, err, "pictures: %s %zux%zu, %s; the middle %zux%zu (%s)",
                        fits[p->fit], p->height, p->width, filter_names[p->filter], in.h, in.w,
                        where);
}

rn_status rn_preprocess_read(rn_arch *arch, rn_shape input, const rn_arch_options *options,
                             rn_error *err)
{
    const char *where;
    rn_status status = find_geometry(&arch->preprocess, input, options, &where, err);
    if (status != RN_OK) return rn_context(err, "%s", where), status;
    status = note_geometry(arch, input, where, err);
    return status == RN_OK ? read_normalisation(arch, input.c, options, err) : status;
}
