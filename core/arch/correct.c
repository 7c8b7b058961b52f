/* What config.json says about the network: our own keys, timm's and Hugging Face's. It corrects
 * what tensors can't show and may not contradict what they do. */
#include <string.h>

#include "arch/family.h"
#include "base/error.h"

/* Each leaves *out as it is when the key is not there or null. */
static rn_status take_size(const rn_builder *b, const rn_json *config, const char *key, size_t *out)
{
    const rn_json *value = rn_json_get(config, key);
    if (rn_json_is_null(value) || (rn_json_size(value, out) && *out > 0)) return RN_OK;
    return rn_arch_bad_key(b->err, key, "a size of at least 1");
}

static rn_status take_bool(const rn_builder *b, const rn_json *config, const char *key, bool *out)
{
    const rn_json *value = rn_json_get(config, key);
    if (rn_json_is_null(value) || rn_json_bool(value, out)) return RN_OK;
    return rn_arch_bad_key(b->err, key, "true or false");
}

static rn_status take_eps(const rn_builder *b, const rn_json *config, const char *key, double *out)
{
    const rn_json *value = rn_json_get(config, key);
    if (rn_json_is_null(value) || (rn_json_number(value, out) && *out >= 0)) return RN_OK;
    return rn_arch_bad_key(b->err, key, "a number that is not negative");
}

#define USUAL_GROUPS 32 /* of group norm: no tensor shows them */

static bool says(const char *text, const char *part)
{
    return text && strcasestr(text, part) != NULL;
}

/* Group norm has no statistics, and batch norm without them can't be served: only the config tells
 * the two apart, by timm's architecture (resnet50_gn, resnetv2_50x1_bit), a norm_layer, or our own
 * norm_groups. */
static rn_status correct_norm(rn_family *f, const rn_builder *b, const rn_json *config)
{
    const char *architecture = rn_json_string(rn_json_get(config, "architecture"));
    const char *layer = rn_json_string(rn_json_get(config, "norm_layer"));
    if (!layer)
        layer = rn_json_string(rn_json_get(rn_json_get(config, "model_args"), "norm_layer"));
    const bool groups = says(architecture, "_gn") || says(architecture, "_bit") ||
                        says(layer, "group") ||
                        !rn_json_is_null(rn_json_get(config, "norm_groups"));
    if (f->statistics) return RN_OK;
    if (groups) {
        f->norm_groups = USUAL_GROUPS;
        f->bit = f->preact && !f->deep_stem;
        return take_size(b, config, "norm_groups", &f->norm_groups);
    }
    if (!rn_names_have(b->names, "bn1.") && !rn_names_have(b->names, "layer1.0.bn1."))
        return RN_OK; /* no norms at all: an error names the first tensor that is missing */
    return rn_fail(
        b->err, RN_ERR_FORMAT,
        "the running statistics of batch norm are missing: save model.state_dict(); or if "
        "it is group norm, config.json says so: \"norm_groups\": 32");
}

/* Keys that stand for one field each. */
static rn_status correct_fields(rn_family *f, const rn_builder *b, const rn_json *config)
{
    const struct {
        const char *key;
        bool *field;
    } flags[] = {
        {"stem_pool", &f->stem_pool},
        {"stride_in_1x1", &f->stride_in_1x1},
        {"downsample_in_bottleneck", &f->stride_in_1x1}, /* Hugging Face's name for it */
        {"avg_down", &f->avg_down},
        {"weight_standardization", &f->bit},
    };
    rn_status status = take_size(b, config, "stem_stride", &f->stem_stride);
    for (size_t i = 0; status == RN_OK && i < sizeof flags / sizeof *flags; i++)
        status = take_bool(b, config, flags[i].key, flags[i].field);
    if (status == RN_OK) status = take_eps(b, config, "batch_norm_eps", &f->eps);
    return status;
}

static rn_status correct_strides(rn_family *f, const rn_builder *b, const rn_json *config)
{
    bool first_stage = false;
    const rn_json *strides = rn_json_get(config, "strides");
    const rn_status status = take_bool(b, config, "downsample_in_first_stage", &first_stage);
    if (first_stage) f->stage[0].stride = 2;
    if (status != RN_OK || rn_json_is_null(strides)) return status;
    if (rn_json_count(strides) != f->stages)
        return rn_arch_bad_key(b->err, "strides", "one size a stage");
    for (size_t i = 0; i < f->stages; i++)
        if (!rn_json_size(rn_json_at(strides, i), &f->stage[i].stride) || !f->stage[i].stride)
            return rn_arch_bad_key(b->err, "strides", "sizes of at least 1");
    return RN_OK;
}

/* Our own "antialias", else timm's architecture's name: resnetaa50d, seresnextaa101d, resnetblur50.
 */
static rn_status correct_antialias(rn_family *f, const rn_builder *b, const rn_json *config)
{
    static const char *const words[] = {"none", "avg", "blur"};
    const rn_json *value = rn_json_get(config, "antialias");
    const char *word = rn_json_string(value);
    const char *architecture = rn_json_string(rn_json_get(config, "architecture"));
    if (architecture && strstr(architecture, "blur")) f->antialias = RN_ANTIALIAS_BLUR;
    if (architecture && (strstr(architecture, "resnetaa") || strstr(architecture, "resnextaa")))
        f->antialias = RN_ANTIALIAS_AVG;
    if (rn_json_is_null(value)) return RN_OK;
    for (int i = 0; word && i <= RN_ANTIALIAS_BLUR; i++) {
        if (strcmp(word, words[i]) != 0) continue;
        f->antialias = (rn_antialias)i;
        return RN_OK;
    }
    return rn_arch_bad_key(b->err, "antialias", "\"none\", \"avg\" or \"blur\"");
}

/* Hugging Face's description of what the tensors show too. */
static rn_status check_depths(const rn_family *f, const rn_builder *b, const rn_json *config)
{
    const rn_json *depths = rn_json_get(config, "depths");
    size_t depth;
    if (rn_json_is_null(depths)) return RN_OK;
    if (rn_json_count(depths) != f->stages)
        return rn_fail(b->err, RN_ERR_FORMAT, "config.json: depths: %zu stages, tensors of %zu",
                       rn_json_count(depths), f->stages);
    for (size_t i = 0; i < f->stages; i++)
        if (!rn_json_size(rn_json_at(depths, i), &depth) || depth != f->stage[i].blocks)
            return rn_fail(b->err, RN_ERR_FORMAT,
                           "config.json: depths[%zu]: the tensors show %zu blocks", i,
                           f->stage[i].blocks);
    return RN_OK;
}

/* Words of which one can be served. */
static rn_status check_words(const rn_family *f, const rn_builder *b, const rn_json *config)
{
    const char *const words[][2] = {
        {"layer_type", f->stage[0].bottleneck ? "bottleneck" : "basic"}, /* as the tensors show */
        {"hidden_act", "relu"},
        {"global_pool", "avg"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *word = rn_json_string(rn_json_get(config, words[i][0]));
        if (word && strcmp(word, words[i][1]) != 0)
            return rn_fail(b->err, RN_ERR_FORMAT, "config.json: %s: %.30s can't be served, only %s",
                           words[i][0], word, words[i][1]);
    }
    return RN_OK;
}

/* Without fc.weight an error names it, unless no classes are wanted. */
static rn_status correct_head(rn_family *f, const rn_builder *b, const rn_json *config)
{
    size_t classes;
    const rn_json *value = rn_json_get(config, "num_classes");
    const rn_tensor *weight = rn_build_find(b, "fc", "weight");
    if (rn_json_is_null(value)) return RN_OK;
    if (!rn_json_size(value, &classes)) return rn_arch_bad_key(b->err, "num_classes", "a size");
    if (!weight) return f->head = classes > 0, RN_OK;
    if (weight->rank > 0 && weight->shape[0] != classes)
        return rn_fail(b->err, RN_ERR_FORMAT, "config.json: num_classes: %zu, but %s has %zu",
                       classes, weight->name, weight->shape[0]);
    return RN_OK;
}

rn_status rn_family_correct(rn_family *f, const rn_builder *b, const rn_json *config)
{
    static rn_status (*const corrections[])(rn_family *, const rn_builder *, const rn_json *) = {
        correct_norm, correct_fields, correct_strides, correct_antialias, correct_head};
    rn_status status = RN_OK;
    for (size_t i = 0; status == RN_OK && i < sizeof corrections / sizeof *corrections; i++)
        status = corrections[i](f, b, config);
    if (status == RN_OK) status = check_depths(f, b, config);
    if (status == RN_OK) status = check_words(f, b, config);
    return status;
}
