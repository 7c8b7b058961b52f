/* What kind of network these tensors are: first by names and shapes, then as config.json says. */
#include "arch/family.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define TEXT 96 /* bytes of a shape in a note */

/* ---- tensors --------------------------------------------------------------------------------- */

static rn_tensor *block_tensor(const rn_builder *b, size_t stage, size_t block, const char *leaf)
{
    char layer[48];
    snprintf(layer, sizeof layer, "layer%zu.%zu", stage + 1, block);
    return rn_build_find(b, layer, leaf);
}

static bool has_block(const rn_builder *b, size_t stage, size_t block)
{
    char prefix[48];
    snprintf(prefix, sizeof prefix, "layer%zu.%zu.", stage + 1, block);
    return rn_names_have(b->names, prefix);
}

/* Channels that come out of a stage: those of its first block's last convolution. */
static size_t stage_width(const rn_builder *b, const rn_family *f, size_t stage)
{
    const rn_tensor *last =
        block_tensor(b, stage, 0, f->stage[stage].bottleneck ? "conv3.weight" : "conv2.weight");
    return last && last->rank == 4 ? last->shape[0] : 0;
}

static char *tensor_text(const rn_tensor *tensor, char text[TEXT])
{
    char shape[TEXT / 2];
    snprintf(text, TEXT, "%.40s %s", tensor->name,
             rn_shape_text(tensor->shape, tensor->rank, shape, sizeof shape));
    return text;
}

static rn_status infer_stages(rn_family *f, const rn_builder *b)
{
    for (; f->stages < RN_MAX_STAGES && has_block(b, f->stages, 0); f->stages++) {
        rn_stage *s = &f->stage[f->stages];
        while (has_block(b, f->stages, s->blocks)) s->blocks++;
        s->bottleneck = block_tensor(b, f->stages, 0, "conv3.weight") != NULL;
        s->stride = f->stages ? 2 : 1;
        const bool same_width =
            f->stages && stage_width(b, f, f->stages) == stage_width(b, f, f->stages - 1);
        if (same_width && !block_tensor(b, f->stages, 0, "downsample.0.weight")) s->stride = 1;
    }
    if (f->stages > 0) return RN_OK;
    const char *first = b->tensors->count ? b->tensors->tensor[0].name : "none";
    return rn_fail(b->err, RN_ERR_FORMAT,
                   "no residual network that is known: no tensor layer1.0.* (the first "
                   "is %.60s); config.json may list its \"layers\"",
                   first);
}

static rn_status infer_stem(rn_family *f, const rn_builder *b)
{
    char text[TEXT];
    const rn_tensor *weight = rn_build_need(b, "conv1", "weight", 4);
    if (!weight) return RN_ERR_FORMAT;
    const size_t kernel = weight->shape[2];
    if (kernel % 2 == 0 || weight->shape[3] != kernel)
        return rn_fail(b->err, RN_ERR_FORMAT, "tensor %s: the stem's kernel must be square and odd",
                       tensor_text(weight, text));
    f->stem_stride = kernel > 3 ? 2 : 1; /* a 3x3 stem is that of a net for small images */
    f->stem_pool = kernel > 3;
    return RN_OK;
}

/* ---- config.json ----------------------------------------------------------------------------- */

static rn_status bad_key(const rn_builder *b, const char *key, const char *wanted)
{
    return rn_fail(b->err, RN_ERR_FORMAT, "config.json: %s: want %s", key, wanted);
}

/* Each leaves *out as it is when the key is not there or null. */
static rn_status take_size(const rn_builder *b, const rn_json *config, const char *key, size_t *out)
{
    const rn_json *value = rn_json_get(config, key);
    if (rn_json_is_null(value) || (rn_json_size(value, out) && *out > 0)) return RN_OK;
    return bad_key(b, key, "a size of at least 1");
}

static rn_status take_bool(const rn_builder *b, const rn_json *config, const char *key, bool *out)
{
    const rn_json *value = rn_json_get(config, key);
    if (rn_json_is_null(value) || rn_json_bool(value, out)) return RN_OK;
    return bad_key(b, key, "true or false");
}

static rn_status correct_strides(rn_family *f, const rn_builder *b, const rn_json *config)
{
    bool first_stage = false;
    const rn_json *strides = rn_json_get(config, "strides");
    const rn_status status = take_bool(b, config, "downsample_in_first_stage", &first_stage);
    if (first_stage) f->stage[0].stride = 2;
    if (status != RN_OK || rn_json_is_null(strides)) return status;
    if (rn_json_count(strides) != f->stages) return bad_key(b, "strides", "one size a stage");
    for (size_t i = 0; i < f->stages; i++)
        if (!rn_json_size(rn_json_at(strides, i), &f->stage[i].stride) || !f->stage[i].stride)
            return bad_key(b, "strides", "sizes of at least 1");
    return RN_OK;
}

/* Hugging Face's description of what the tensors show too: it must not contradict them. */
static rn_status check_depths(const rn_family *f, const rn_builder *b, const rn_json *config)
{
    const rn_json *depths = rn_json_get(config, "depths");
    const char *type = rn_json_string(rn_json_get(config, "layer_type"));
    const char *act = rn_json_string(rn_json_get(config, "hidden_act"));
    size_t depth;
    if (!rn_json_is_null(depths)) {
        if (rn_json_count(depths) != f->stages)
            return rn_fail(b->err, RN_ERR_FORMAT, "config.json: depths: %zu stages, tensors of %zu",
                           rn_json_count(depths), f->stages);
        for (size_t i = 0; i < f->stages; i++)
            if (!rn_json_size(rn_json_at(depths, i), &depth) || depth != f->stage[i].blocks)
                return rn_fail(b->err, RN_ERR_FORMAT,
                               "config.json: depths[%zu]: the tensors show %zu blocks", i,
                               f->stage[i].blocks);
    }
    if (type && (strcmp(type, "bottleneck") == 0) != f->stage[0].bottleneck)
        return rn_fail(b->err, RN_ERR_FORMAT, "config.json: layer_type: the tensors show %s blocks",
                       f->stage[0].bottleneck ? "bottleneck" : "basic");
    if (act && strcmp(act, "relu") != 0)
        return rn_fail(b->err, RN_ERR_FORMAT, "config.json: hidden_act: %.30s can't be served",
                       act);
    return RN_OK;
}

static rn_status correct_eps(rn_family *f, const rn_builder *b, const rn_json *config)
{
    const rn_json *value = rn_json_get(config, "batch_norm_eps");
    if (rn_json_is_null(value) || (rn_json_number(value, &f->eps) && f->eps >= 0)) return RN_OK;
    return bad_key(b, "batch_norm_eps", "a number that is not negative");
}

static rn_status correct_head(rn_family *f, const rn_builder *b, const rn_json *config)
{
    size_t classes;
    const rn_json *value = rn_json_get(config, "num_classes");
    const rn_tensor *weight = rn_build_find(b, "fc", "weight");
    f->head = true; /* without fc.weight an error names it, unless no classes are wanted */
    if (rn_json_is_null(value)) return RN_OK;
    if (!rn_json_size(value, &classes)) return bad_key(b, "num_classes", "a size");
    if (!weight) return f->head = classes > 0, RN_OK;
    if (weight->rank == 2 && weight->shape[0] != classes)
        return rn_fail(b->err, RN_ERR_FORMAT, "config.json: num_classes: %zu, but %s has %zu",
                       classes, weight->name, weight->shape[0]);
    return RN_OK;
}

static rn_status correct(rn_family *f, const rn_builder *b, const rn_json *config)
{
    rn_status status = take_size(b, config, "stem_stride", &f->stem_stride);
    if (status == RN_OK) status = take_bool(b, config, "stem_pool", &f->stem_pool);
    if (status == RN_OK) status = take_bool(b, config, "stride_in_1x1", &f->stride_in_1x1);
    if (status == RN_OK)
        status = take_bool(b, config, "downsample_in_bottleneck", &f->stride_in_1x1);
    if (status == RN_OK) status = correct_strides(f, b, config);
    if (status == RN_OK) status = check_depths(f, b, config);
    if (status == RN_OK) status = correct_eps(f, b, config);
    if (status == RN_OK) status = correct_head(f, b, config);
    return status;
}

/* ---- notes ----------------------------------------------------------------------------------- */

static const char *kind(const rn_stage *s)
{
    return s->bottleneck ? "bottleneck" : "basic";
}

static bool one_kind(const rn_family *f)
{
    for (size_t i = 1; i < f->stages; i++)
        if (f->stage[i].bottleneck != f->stage[0].bottleneck) return false;
    return true;
}

/* "3,4,6,3 bottleneck", or "1 basic,1 bottleneck" when the kinds are mixed */
static char *stages_text(const rn_family *f, char text[TEXT])
{
    size_t used = 0;
    for (size_t i = 0; i < f->stages && used < TEXT; i++) {
        const bool name_kind = !one_kind(f) || i + 1 == f->stages;
        used += snprintf(text + used, TEXT - used, "%s%zu%s%s", i ? "," : "", f->stage[i].blocks,
                         name_kind ? " " : "", name_kind ? kind(&f->stage[i]) : "");
    }
    return text;
}

static rn_status note_what_was_found(const rn_family *f, const rn_builder *b)
{
    char text[TEXT], strides[TEXT] = "";
    rn_error *err = b->err;
    rn_status status = rn_arch_note(b->arch, err, "stem: stride %zu, %s (%s)", f->stem_stride,
                                    f->stem_pool ? "3x3 max pool of stride 2" : "no max pool",
                                    tensor_text(rn_build_find(b, "conv1", "weight"), text));
    if (status == RN_OK)
        status =
            rn_arch_note(b->arch, err, "blocks: %s (layer*.*.conv*.weight)", stages_text(f, text));
    for (size_t i = 0, used = 0; i < f->stages && used < TEXT; i++)
        used += snprintf(strides + used, TEXT - used, "%s%zu", i ? "," : "", f->stage[i].stride);
    if (status == RN_OK)
        status = rn_arch_note(b->arch, err,
                              "strides: %s, in a bottleneck's %s convolution "
                              "(not in the weights: default or config.json)",
                              strides, f->stride_in_1x1 ? "first 1x1" : "3x3");
    if (status == RN_OK)
        status = rn_arch_note(b->arch, err,
                              "batch norm: epsilon %g (not in the weights: default or "
                              "config.json)",
                              f->eps);
    return status;
}

rn_status rn_family_infer(rn_family *family, const rn_builder *b, const rn_json *config)
{
    *family = (rn_family){.eps = 1e-5};
    rn_status status = infer_stages(family, b);
    if (status == RN_OK) status = infer_stem(family, b);
    if (status == RN_OK) status = correct(family, b, config);
    if (status == RN_OK) status = note_what_was_found(family, b);
    return status;
}

/* ---- the architecture's name ----------------------------------------------------------------- */

static const struct {
    size_t depth;
    bool bottleneck;
    size_t blocks[4];
} depths[] = {
    {10, false, {1, 1, 1, 1}},  {18, false, {2, 2, 2, 2}},  {34, false, {3, 4, 6, 3}},
    {14, true, {1, 1, 1, 1}},   {26, true, {2, 2, 2, 2}},   {50, true, {3, 4, 6, 3}},
    {101, true, {3, 4, 23, 3}}, {152, true, {3, 8, 36, 3}}, {200, true, {3, 24, 36, 3}},
};

/* 0: no depth that has a name */
static size_t named_depth(const rn_family *f)
{
    for (size_t i = 0; f->stages == 4 && i < sizeof depths / sizeof *depths; i++) {
        bool same = one_kind(f) && depths[i].bottleneck == f->stage[0].bottleneck;
        for (size_t s = 0; s < 4; s++) same &= f->stage[s].blocks == depths[i].blocks[s];
        if (same) return depths[i].depth;
    }
    return 0;
}

/* ImageNet's widths: 64 channels (256 of bottlenecks), twice as many in each stage. */
static bool standard_widths(const rn_family *f, const rn_builder *b)
{
    const size_t first = f->stage[0].bottleneck ? 256 : 64;
    for (size_t s = 0; s < f->stages; s++)
        if (stage_width(b, f, s) != first << s) return false;
    return true;
}

void rn_family_describe(const rn_family *f, const rn_builder *b)
{
    char text[TEXT], stages[TEXT];
    const size_t depth = named_depth(f);
    const rn_tensor *middle = block_tensor(b, 0, 0, "conv2.weight"); // (oc, ic / groups, 3, 3)
    const size_t width = middle && middle->rank == 4 ? middle->shape[0] : 0;
    const size_t groups = width && middle->shape[1] ? width / middle->shape[1] : 0;
    if (!depth || !groups || !standard_widths(f, b))
        snprintf(text, sizeof text, "resnet (%.50s)", stages_text(f, stages));
    else if (groups > 1)
        snprintf(text, sizeof text, "resnext%zu_%zux%zud", depth, groups, middle->shape[1]);
    else if (width == 64)
        snprintf(text, sizeof text, "resnet%zu", depth);
    else
        snprintf(text, sizeof text, "wide_resnet%zu_%zu", depth, width / 64);
    snprintf(b->arch->name, sizeof b->arch->name, "%.63s", text);
}
