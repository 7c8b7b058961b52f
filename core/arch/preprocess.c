#include "arch/preprocess.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/preprocess_keys.h"
#include "arch/processor.h"
#include "base/error.h"

#define CROP_PCT 0.875 /* where nothing says otherwise: timm's, and what torchvision's 256 is */
#define SMALL    64    /* inputs up to this side show the whole picture by default */

static const float imagenet_mean[3] = {0.485f, 0.456f, 0.406f};
static const float imagenet_std[3] = {0.229f, 0.224f, 0.225f};

const rn_json *rn_timm_config(const rn_json *config)
{
    const rn_json *nested = rn_json_get(config, "pretrained_cfg");
    return rn_json_is_null(nested) && rn_has(config, "architecture") ? config : nested;
}

bool rn_preprocess_input(const rn_arch_options *options, size_t *height, size_t *width)
{
    return rn_processor_input(options, height, width);
}

bool rn_preprocess_test_size(const rn_json *config)
{
    bool asked = false;
    rn_json_bool(rn_json_get(rn_json_get(config, "preprocess"), "use_test_size"), &asked);
    return asked;
}

/* ---- mean and deviation ---------------------------------------------------------------------- */

/* Hugging Face's switches: values may be left as 0 to 255, scaled by another factor than 1/255, or
 * not normalised. All of it is one division and subtraction of values from 0 to 1. */
static rn_status read_rescaling(rn_preprocessing *p, const rn_json *file,
                                const rn_processor *processor, rn_error *err)
{
    const float *own = processor ? rn_processor_mean(processor) : imagenet_mean;
    bool rescale = true, normalise = own != NULL;
    double factor = 1 / 255.;
    rn_status status = rn_take_bool(file, "do_rescale", &rescale, err);
    if (status == RN_OK) status = rn_take_bool(file, "do_normalize", &normalise, err);
    if (status == RN_OK) status = rn_take_factor(file, "rescale_factor", &factor, err);
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
    const rn_processor *processor; /* whose values count where the file says none; or NULL */
} normalisation;

static normalisation find_normalisation(const rn_arch_options *options)
{
    const rn_json *ours = rn_json_get(options->config, "preprocess");
    const rn_json *timm = rn_timm_config(options->config), *file = options->preprocessor;
    const rn_processor *processor = rn_processor_named(options);
    const normalisation places[] = {
        {rn_json_get(ours, "mean"), rn_json_get(ours, "std"), "config.json: preprocess", NULL,
         NULL},
        {rn_json_get(timm, "mean"), rn_json_get(timm, "std"), "config.json: pretrained_cfg", NULL,
         NULL},
        {rn_json_get(file, "image_mean"), rn_json_get(file, "image_std"),
         "preprocessor_config.json", file, processor},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!rn_json_is_null(places[i].mean) || !rn_json_is_null(places[i].std)) return places[i];
    if (rn_json_is_null(timm) && processor)
        return (normalisation){
            .where = rn_processor_name(processor), .switches = file, .processor = processor};
    return (normalisation){.where = "ImageNet", .switches = file};
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

/* Where nothing is said: those of the processor, else ImageNet's. */
static void set_own(rn_preprocessing *p, const rn_processor *processor)
{
    const bool own = processor && rn_processor_mean(processor);
    memcpy(p->mean, own ? rn_processor_mean(processor) : imagenet_mean, sizeof p->mean);
    memcpy(p->std, own ? rn_processor_std(processor) : imagenet_std, sizeof p->std);
}

static rn_status read_normalisation(rn_arch *arch, size_t channels, const rn_arch_options *options,
                                    rn_error *err)
{
    const normalisation n = find_normalisation(options);
    const bool said = !rn_json_is_null(n.mean) || !rn_json_is_null(n.std);
    float *mean = arch->preprocess.mean, *std = arch->preprocess.std;
    set_own(&arch->preprocess, n.processor);
    rn_status status = rn_take_channels(n.mean, channels, mean, err);
    if (status == RN_OK) status = rn_take_channels(n.std, channels, std, err);
    for (size_t i = 0; status == RN_OK && i < 3; i++)
        if (!(std[i] > 0)) status = rn_fail(err, RN_ERR_FORMAT, "std: want numbers above 0");
    if (status != RN_OK) return rn_context(err, "%s", n.where), status;
    status = read_rescaling(&arch->preprocess, n.switches, n.processor, err);
    if (status != RN_OK) return rn_context(err, "preprocessor_config.json"), status;
    char means[NUMBERS], deviations[NUMBERS];
    return rn_arch_note(arch, err, "preprocessing: mean%s, std%s (%s%s%s)",
                        numbers_text(mean, channels, means),
                        numbers_text(std, channels, deviations), said ? "" : "default: ", n.where,
                        said ? "" : "'s");
}

/* ---- size and crop --------------------------------------------------------------------------- */

static void set_default(rn_preprocessing *p, rn_shape in)
{
    const bool small = in.h <= SMALL || in.w <= SMALL;
    p->filter = RN_BILINEAR;
    p->crop = RN_CROP_EVEN;
    p->orient = true;
    p->fit = small && in.h != in.w ? RN_FIT_STRETCH : RN_FIT_COVER;
    p->height = small ? in.h : (size_t)((double)in.h / CROP_PCT);
    p->width = small ? in.w : (size_t)((double)in.w / CROP_PCT);
}

static rn_status take_mode(const rn_json *object, rn_fit *fit, rn_error *err)
{
    static const struct {
        const char *name;
        rn_fit fit;
    } modes[] = {{"center", RN_FIT_COVER}, {"border", RN_FIT_INSIDE}, {"squash", RN_FIT_STRETCH}};
    const char *mode = rn_json_string(rn_json_get(object, "crop_mode"));
    if (!rn_has(object, "crop_mode")) return RN_OK;
    for (size_t i = 0; mode && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(mode, modes[i].name) == 0) {
            *fit = modes[i].fit;
            return RN_OK;
        }
    return rn_want(err, "crop_mode", "\"center\", \"border\" or \"squash\"");
}

/* As timm's resolve_data_config() and create_transform(): defaults that are its own. */
static rn_status read_timm(rn_preprocessing *p, const rn_json *timm, bool test, rn_shape in,
                           rn_error *err)
{
    double crop_pct = CROP_PCT;
    rn_status status = rn_take_factor(timm, "crop_pct", &crop_pct, err);
    if (status == RN_OK && test) status = rn_take_factor(timm, "test_crop_pct", &crop_pct, err);
    if (status == RN_OK) status = rn_set_size(p, in, crop_pct, err);
    p->fit = RN_FIT_COVER;
    p->filter = RN_BICUBIC;
    if (status == RN_OK) status = take_mode(timm, &p->fit, err);
    if (status == RN_OK) status = rn_take_filter(timm, "interpolation", &p->filter, err);
    // inputs that are no squares are scaled by its ResizeKeepRatio, which it does not tell the
    // filter
    if (p->fit == RN_FIT_COVER && p->height != p->width) p->filter = RN_BILINEAR;
    return status;
}

/* ---- our own keys ---------------------------------------------------------------------------- */

static const char *const own_keys[] = {
    "resize", "crop_pct", "crop_mode",     "crop_rounding", "interpolation",
    "mean",   "std",      "channel_order", "orient",        "use_test_size"};

static rn_status check_own_keys(const rn_json *ours, rn_error *err)
{
    const size_t count = sizeof own_keys / sizeof *own_keys;
    const rn_json *value;
    const char *key;
    char known[160] = "";
    size_t used = 0;
    for (void *at = rn_json_next(ours, NULL, &key, &value); at;
         at = rn_json_next(ours, at, &key, &value)) {
        size_t i = 0;
        while (i < count && strcmp(key, own_keys[i]) != 0) i++;
        if (i < count) continue;
        for (i = 0; i < count; i++)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                     i == 0           ? ""
                                     : i + 1 == count ? " and "
                                                      : ", ",
                                     own_keys[i]);
        return rn_fail(err, RN_ERR_FORMAT, "no key '%.30s'; known are %s", key, known);
    }
    return RN_OK;
}

/* One of two words, in capitals or not: *out is whether it is the second one. */
static rn_status take_choice(const rn_json *object, const char *key, const char *const choice[2],
                             bool *out, rn_error *err)
{
    const char *word = rn_json_string(rn_json_get(object, key));
    char wanted[40];
    if (!rn_has(object, key)) return RN_OK;
    for (size_t i = 0; word && i < 2; i++)
        if (strcasecmp(word, choice[i]) == 0) {
            *out = i == 1;
            return RN_OK;
        }
    snprintf(wanted, sizeof wanted, "\"%s\" or \"%s\"", choice[0], choice[1]);
    return rn_want(err, key, wanted);
}

/* "resize" is torchvision's size of the shorter side; "crop_pct" is timm's. */
static rn_status read_own_size(rn_preprocessing *p, const rn_json *ours, rn_shape in, rn_error *err)
{
    double crop_pct = CROP_PCT;
    const bool sized = rn_has(ours, "resize") || rn_has(ours, "crop_pct");
    rn_status status = rn_take_factor(ours, "crop_pct", &crop_pct, err);
    if (status == RN_OK && rn_has(ours, "crop_pct")) status = rn_set_size(p, in, crop_pct, err);
    if (sized && p->fit != RN_FIT_INSIDE) p->fit = RN_FIT_COVER;
    if (status != RN_OK || !rn_has(ours, "resize")) return status;
    if (!rn_read_side(rn_json_get(ours, "resize"), &p->height))
        return rn_want(err, "resize", "a size from 1 to 2^30");
    p->width = p->height;
    return RN_OK;
}

/* What it says stands above what the other files say. */
static rn_status read_own(rn_preprocessing *p, const rn_json *ours, rn_shape in, rn_error *err)
{
    static const char *const roundings[2] = {"even", "floor"}, *const orders[2] = {"RGB", "BGR"};
    bool floored = p->crop == RN_CROP_FLOOR, test = false;
    rn_status status = check_own_keys(ours, err);
    if (status == RN_OK) status = read_own_size(p, ours, in, err);
    if (status == RN_OK) status = take_mode(ours, &p->fit, err);
    if (status == RN_OK) status = rn_take_filter(ours, "interpolation", &p->filter, err);
    if (status == RN_OK) status = take_choice(ours, "crop_rounding", roundings, &floored, err);
    if (status == RN_OK) status = take_choice(ours, "channel_order", orders, &p->bgr, err);
    if (status == RN_OK) status = rn_take_bool(ours, "orient", &p->orient, err);
    if (status == RN_OK) status = rn_take_bool(ours, "use_test_size", &test, err);
    p->crop = floored ? RN_CROP_FLOOR : RN_CROP_EVEN;
    return status;
}

/* ---- all together ---------------------------------------------------------------------------- */

/* Whether one of the keys that read_own() takes is there. */
static bool says_geometry(const rn_json *ours)
{
    static const char *const keys[] = {
        "resize", "crop_pct", "crop_mode", "crop_rounding", "interpolation", "channel_order", NULL};
    return rn_has_any(ours, keys);
}

/* The first of the other files that says anything, else the default; then our own keys. */
static rn_status find_geometry(rn_preprocessing *p, rn_shape in, const rn_arch_options *options,
                               const char **where, rn_error *err)
{
    static const char *const timm_keys[] = {"crop_pct", "crop_mode", "interpolation",
                                            "test_crop_pct", NULL};
    const rn_json *ours = rn_json_get(options->config, "preprocess");
    const rn_json *timm = rn_timm_config(options->config);
    const bool speaks = rn_processor_speaks(options);
    rn_status status = RN_OK;
    set_default(p, in);
    *where = "default";
    if (rn_has_any(timm, timm_keys) || (rn_json_is_object(timm) && !speaks)) {
        *where = "config.json: pretrained_cfg";
        status = read_timm(p, timm, rn_preprocess_test_size(options->config), in, err);
    } else if (speaks) {
        *where = "preprocessor_config.json";
        status = rn_processor_read(p, options, in, err);
    }
    if (status != RN_OK || rn_json_is_null(ours)) return status;
    if (!rn_json_is_object(ours))
        return *where = "config.json", rn_want(err, "preprocess", "an object");
    const char *other = *where;
    *where = "config.json: preprocess";
    status = read_own(p, ours, in, err);
    if (status == RN_OK && !says_geometry(ours)) *where = other;
    return status;
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
                        fits[p->fit], p->height, p->width, rn_filter_name(p->filter), in.h, in.w,
                        where);
}

/* What is not as most networks have it. */
static rn_status note_others(rn_arch *arch, const rn_arch_options *options, bool speaks,
                             rn_error *err)
{
    const rn_preprocessing *p = &arch->preprocess;
    rn_status status = speaks ? rn_processor_note(arch, options, err) : RN_OK;
    if (status == RN_OK && p->bgr)
        status = rn_arch_note(arch, err, "pictures: channels in the order blue, green, red");
    if (status == RN_OK && !p->orient)
        status = rn_arch_note(arch, err, "pictures: not turned upright, whatever EXIF says");
    return status;
}

rn_status rn_preprocess_read(rn_arch *arch, rn_shape input, const rn_arch_options *options,
                             rn_error *err)
{
    const char *where;
    rn_status status = find_geometry(&arch->preprocess, input, options, &where, err);
    if (status != RN_OK) return rn_context(err, "%s", where), status;
    status = note_geometry(arch, input, where, err);
    const bool speaks = strcmp(where, "preprocessor_config.json") == 0;
    if (status == RN_OK) status = note_others(arch, options, speaks, err);
    return status == RN_OK ? read_normalisation(arch, input.c, options, err) : status;
}
