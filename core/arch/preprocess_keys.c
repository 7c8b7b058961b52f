#include "arch/preprocess_keys.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

rn_status rn_want(rn_error *err, const char *key, const char *wanted)
{
    return rn_fail(err, RN_ERR_FORMAT, "%s: want %s", key, wanted);
}

bool rn_has(const rn_json *object, const char *key)
{
    return !rn_json_is_null(rn_json_get(object, key));
}

bool rn_has_any(const rn_json *object, const char *const *keys)
{
    while (*keys && !rn_has(object, *keys)) keys++;
    return *keys != NULL;
}

rn_status rn_take_bool(const rn_json *object, const char *key, bool *out, rn_error *err)
{
    if (!rn_has(object, key) || rn_json_bool(rn_json_get(object, key), out)) return RN_OK;
    return rn_want(err, key, "true or false");
}

rn_status rn_take_factor(const rn_json *object, const char *key, double *out, rn_error *err)
{
    if (!rn_has(object, key) || (rn_json_number(rn_json_get(object, key), out) && *out > 0))
        return RN_OK;
    return rn_want(err, key, "a number above 0");
}

rn_status rn_take_channels(const rn_json *value, size_t channels, float out[3], rn_error *err)
{
    const size_t count = rn_json_count(value);
    double number;
    if (rn_json_is_null(value)) return RN_OK;
    if (rn_json_number(value, &number)) {
        for (size_t i = 0; i < 3; i++) out[i] = (float)number;
        return RN_OK;
    }
    if (!rn_json_is_array(value) || (count != 1 && (count != channels || count > 3)))
        return rn_fail(err, RN_ERR_FORMAT, "want a list of one number, or one a channel");
    for (size_t i = 0; i < 3; i++) {
        if (!rn_json_number(rn_json_at(value, i < count ? i : 0), &number))
            return rn_fail(err, RN_ERR_FORMAT, "want numbers");
        out[i] = (float)number;
    }
    return RN_OK;
}

static const char *const filter_names[] = {
    [RN_NEAREST] = "nearest", [RN_LANCZOS] = "lanczos", [RN_BILINEAR] = "bilinear",
    [RN_BICUBIC] = "bicubic", [RN_BOX] = "box",         [RN_HAMMING] = "hamming"};

const char *rn_filter_name(rn_filter filter)
{
    return filter_names[filter];
}

rn_status rn_take_filter(const rn_json *object, const char *key, rn_filter *out, rn_error *err)
{
    const char *name = rn_json_string(rn_json_get(object, key));
    if (!rn_has(object, key)) return RN_OK;
    for (size_t i = 0; name && i < sizeof filter_names / sizeof *filter_names; i++)
        if (strcmp(name, filter_names[i]) == 0) {
            *out = (rn_filter)i;
            return RN_OK;
        }
    return rn_want(err, key,
                   "\"nearest\", \"box\", \"bilinear\", \"hamming\", \"bicubic\" or \"lanczos\"");
}

bool rn_read_side(const rn_json *value, size_t *out)
{
    return rn_json_size(value, out) && *out >= 1 && *out <= RN_MAX_PICTURE_SIDE;
}

rn_status rn_set_size(rn_preprocessing *p, rn_shape in, double crop_pct, rn_error *err)
{
    const double height = floor((double)in.h / crop_pct), width = floor((double)in.w / crop_pct);
    const double most = (double)RN_MAX_PICTURE_SIDE;
    if (!(height >= 1 && height <= most && width >= 1 && width <= most))
        return rn_want(err, "crop_pct", "the part of a picture that the input shows");
    p->height = (size_t)height;
    p->width = (size_t)width;
    return RN_OK;
}
