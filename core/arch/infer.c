/* What kind of network these tensors are, by names and shapes alone. */
#include <stdio.h>
#include <string.h>

#include "arch/family.h"
#include "base/error.h"

#define TEXT 96 /* bytes of a shape in an error */

rn_tensor *rn_family_tensor(const rn_builder *b, size_t stage, size_t block, const char *leaf)
{
    char layer[48];
    snprintf(layer, sizeof layer, "layer%zu.%zu", stage + 1, block);
    return rn_build_find(b, layer, leaf);
}

rn_tensor *rn_family_stem(const rn_family *f, const rn_builder *b)
{
    return rn_build_find(b, f->deep_stem ? "conv1.0" : "conv1", "weight");
}

size_t rn_family_width(const rn_family *f, const rn_builder *b, size_t stage)
{
    const char *leaf = f->stage[stage].bottleneck ? "conv3.weight" : "conv2.weight";
    const rn_tensor *last = rn_family_tensor(b, stage, 0, leaf);
    return last && last->rank == 4 ? last->shape[0] : 0;
}

static bool has_block(const rn_builder *b, size_t stage, size_t block)
{
    char prefix[48];
    snprintf(prefix, sizeof prefix, "layer%zu.%zu.", stage + 1, block);
    return rn_names_have(b->names, prefix);
}

/* A stage that changes no width and has no shortcut of its own can't have a stride. */
static size_t default_stride(const rn_family *f, const rn_builder *b, size_t stage)
{
    char prefix[48];
    if (stage == 0) return 1;
    snprintf(prefix, sizeof prefix, "layer%zu.0.downsample.", stage + 1);
    const bool same = rn_family_width(f, b, stage) == rn_family_width(f, b, stage - 1);
    return same && !rn_names_have(b->names, prefix) ? 1 : 2;
}

static rn_status infer_stages(rn_family *f, const rn_builder *b)
{
    for (; f->stages < RN_MAX_STAGES && has_block(b, f->stages, 0); f->stages++) {
        rn_stage *s = &f->stage[f->stages];
        while (has_block(b, f->stages, s->blocks)) s->blocks++;
        s->bottleneck = rn_family_tensor(b, f->stages, 0, "conv3.weight") != NULL;
        s->stride = default_stride(f, b, f->stages);
    }
    if (f->stages > 0) return RN_OK;
    const char *first = b->tensors->count ? b->tensors->tensor[0].name : "none";
    return rn_fail(b->err, RN_ERR_FORMAT,
                   "no residual network that is known: no tensor layer1.0.* (the first is %.60s); "
                   "config.json may list its \"layers\"",
                   first);
}

static rn_status infer_stem(rn_family *f, const rn_builder *b)
{
    char shape[TEXT];
    f->deep_stem = rn_names_have(b->names, "conv1.0.");
    f->conv_pool = rn_names_have(b->names, "maxpool.0.");
    const rn_tensor *weight = rn_build_need(b, f->deep_stem ? "conv1.0" : "conv1", "weight", 4);
    if (!weight) return RN_ERR_FORMAT;
    const size_t kernel = weight->shape[2];
    if (kernel % 2 == 0 || weight->shape[3] != kernel)
        return rn_fail(b->err, RN_ERR_FORMAT,
                       "tensor %s %s: the stem's kernel must be square and odd", weight->name,
                       rn_shape_text(weight->shape, 4, shape, sizeof shape));
    const bool small = kernel <= 3 && !f->deep_stem; /* that of a net for small images */
    f->in_channels = weight->shape[1];
    f->stem_stride = small ? 1 : 2;
    f->stem_pool = !small;
    return RN_OK;
}

static bool any_name_holds(const rn_builder *b, const char *part)
{
    for (size_t i = 0; i < b->names->count; i++)
        if (strstr(b->names->entry[i].name, part)) return true;
    return false;
}

static void infer_variant(rn_family *f, const rn_builder *b)
{
    f->preact = !rn_names_have(b->names, "bn1.");
    f->statistics = any_name_holds(b, ".running_");
    f->zero_shortcut = !any_name_holds(b, ".downsample.");
    f->avg_down = b->names->naming == RN_NAMING_TIMM_V2 && f->deep_stem;
    f->head = rn_names_have(b->names, "fc.weight") || rn_names_have(b->names, "fc.bias");
    f->eps = 1e-5;
}

rn_status rn_family_infer(rn_family *family, const rn_builder *b)
{
    *family = (rn_family){0};
    rn_status status = infer_stages(family, b);
    if (status == RN_OK) status = infer_stem(family, b);
    if (status == RN_OK) infer_variant(family, b);
    return status;
}
